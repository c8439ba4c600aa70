# shellcheck shell=bash
# All parts of the stack's scripts. `here` is their directory.
# shellcheck disable=SC2154
# shellcheck source=lib.sh
source "$here/lib.sh"
# shellcheck source=process.sh
source "$here/process.sh"
# shellcheck source=packages.sh
source "$here/packages.sh"
# shellcheck source=sql.sh
source "$here/sql.sh"
# shellcheck source=mysql.sh
source "$here/mysql.sh"
# shellcheck source=mariadb.sh
source "$here/mariadb.sh"
# shellcheck source=kafka.sh
source "$here/kafka.sh"
# shellcheck source=redis.sh
source "$here/redis.sh"

# shellcheck shell=bash
# What MySQL and MariaDB have in common.

# Sets SQL_OPTIONS. Durable, as the measurements are; small; row images as small as the design asks for.
sql_options() { # NAME
    local dir=$STACK_DIR/$1
    SQL_OPTIONS=(
        --datadir="$dir/data" --tmpdir="$dir/tmp" --secure-file-priv="$dir/tmp"
        --socket="$dir/socket" --pid-file="$dir/pid" --init-file="$dir/init.sql"
        --bind-address=127.0.0.1 --port="$(port_of "$1")" --skip-name-resolve --max-connections=500
        --innodb-flush-log-at-trx-commit=1 --innodb-buffer-pool-size=256M
        --server-id=1 --log-bin=binlog --sync-binlog=1 --binlog-row-image=MINIMAL --binlog-cache-size=8M
        --max-binlog-size=128M --binlog-expire-logs-seconds=600
    )
    # Both refuse to run as root unless told to.
    if ((EUID == 0)); then SQL_OPTIONS+=(--user=root); fi
}

# Writes what the server does at each start, and how a client reaches it. Names are not resolved, so root@localhost is the socket only.
sql_accounts() { # NAME
    local dir=$STACK_DIR/$1 password
    password=$(secret password 24)
    cat >"$dir/init.sql" <<END
DROP USER IF EXISTS 'root'@'127.0.0.1', 'root'@'::1', ''@'localhost';
CREATE DATABASE IF NOT EXISTS oms;
CREATE DATABASE IF NOT EXISTS oms_test;
CREATE USER IF NOT EXISTS 'oms'@'%' IDENTIFIED BY '$password';
GRANT PROCESS, SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, INDEX, ALTER, REFERENCES, LOCK TABLES, CREATE TEMPORARY TABLES, EXECUTE, CREATE ROUTINE, ALTER ROUTINE, CREATE VIEW, SHOW VIEW, TRIGGER, EVENT ON *.* TO 'oms'@'%';
END
    cat >"$dir/client.cnf" <<END
[client]
protocol=tcp
host=127.0.0.1
port=$(port_of "$1")
user=oms
password=$password
connect-timeout=2
END
}

sql_answers() { # NAME
    timeout --foreground 3 mariadb --defaults-file="$STACK_DIR/$1/client.cnf" -e 'SELECT 1' oms >/dev/null 2>&1
}

sql_url() { echo "mysql://oms:$(secret password 24)@127.0.0.1:$(port_of "$1")/$2"; } # NAME DATABASE

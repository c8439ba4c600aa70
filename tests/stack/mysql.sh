# shellcheck shell=bash
# MySQL, from Debian sid: no release of Debian has it, and MariaDB differs where it matters (locks, speed, SQL).

MYSQL_ROOT=$STACK_CACHE/mysql

mysql_fetch() { # WORK
    local work=$1 PROGRAM
    say "fetching MySQL from Debian sid"
    quietly "$work/log" unpack_from_sid "$work" mysql-server-core || return 1
    # It may need more than this machine has.
    sid_program "$work/out" usr/sbin/mysqld
    quietly "$work/log" "${PROGRAM[@]}" --no-defaults --version
}

mysql_needs() { :; }

mysql_ports() { assign_ports "$1" port mysqlx-port; }

# Sets PROGRAM to the server, with what it needs to find its own files.
mysql_program() {
    sid_program "$MYSQL_ROOT" usr/sbin/mysqld
    PROGRAM+=(--no-defaults --basedir="$MYSQL_ROOT/usr" --plugin-dir="$MYSQL_ROOT/usr/lib/mysql/plugin")
    if ((EUID == 0)); then PROGRAM+=(--user=root); fi
}

mysql_prepare() { # NAME
    local PROGRAM
    sql_accounts "$1"
    mysql_program
    "${PROGRAM[@]}" --initialize-insecure --datadir="$STACK_DIR/$1/data" --tmpdir="$STACK_DIR/$1/tmp"
}

mysql_start() { # NAME
    local PROGRAM SQL_OPTIONS
    mysql_program
    sql_options "$1"
    # The X protocol cannot be turned off; it gets a port that is ours.
    launch "$1" "${PROGRAM[@]}" "${SQL_OPTIONS[@]}" --mysqlx-bind-address=127.0.0.1 \
        --mysqlx-port="$(port_of "$1" mysqlx-port)" --mysqlx-socket="$STACK_DIR/$1/mysqlx"
}

mysql_answers() { sql_answers "$1"; }

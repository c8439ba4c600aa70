# shellcheck shell=bash
# MariaDB, from the machine's own release. The packages named `core` bring no service.

mariadb_needs() {
    need mariadbd mariadb-server-core
    need mariadb-install-db mariadb-server-core
}

mariadb_ports() { assign_ports "$1" port; }

mariadb_prepare() { # NAME
    local user=()
    sql_accounts "$1"
    if ((EUID == 0)); then user=(--user=root); fi
    mariadb-install-db --no-defaults --datadir="$STACK_DIR/$1/data" --tmpdir="$STACK_DIR/$1/tmp" "${user[@]}" \
        --auth-root-authentication-method=normal --skip-test-db
}

mariadb_start() { # NAME
    local SQL_OPTIONS
    sql_options "$1"
    # MySQL's default; MariaDB's own is MIXED.
    launch "$1" mariadbd --no-defaults "${SQL_OPTIONS[@]}" --binlog-format=ROW
}

mariadb_answers() { sql_answers "$1"; }

# shellcheck shell=bash
# Redis: `redis` alone, and `redis-1` to `redis-3`, the masters of a cluster. All of them are Valkey if the stack was made so.

# shellcheck disable=SC2034 # `up` uses it.
REDIS_MEMBERS=(redis-1 redis-2 redis-3)

VALKEY_ROOT=$STACK_CACHE/valkey

valkey_fetch() { # WORK
    local work=$1 PROGRAM
    say "fetching Valkey from Debian sid"
    quietly "$work/log" unpack_from_sid "$work" valkey-server || return 1
    sid_program "$work/out" "$(valkey_path "$work/out")"
    quietly "$work/log" "${PROGRAM[@]}" --version
}

# The server is a link to what checks files, which knows by its name what to be; sid's loader would hide the name.
valkey_path() { # ROOT
    if [[ -e $1/usr/bin/valkey-server ]]; then echo usr/bin/valkey-server; else echo usr/bin/valkey-check-rdb; fi
}

redis_needs() {
    need redis-server redis-server
    need redis-cli redis-tools
}

redis_ports() { # NAME
    assign_ports "$1" port
    if is_redis_member "$1"; then assign_ports "$1" bus-port; fi
}

is_redis_member() { [[ $1 == redis-* ]]; }

redis_prepare() { :; }

redis_start() { # NAME
    local cluster=()
    if is_redis_member "$1"; then
        cluster=(--cluster-enabled yes --cluster-port "$(port_of "$1" bus-port)" --cluster-node-timeout 5000)
    fi
    local PROGRAM=(redis-server)
    if [[ -e $STACK_DIR/valkey ]]; then sid_program "$VALKEY_ROOT" "$(valkey_path "$VALKEY_ROOT")"; fi
    launch "$1" "${PROGRAM[@]}" --bind 127.0.0.1 --port "$(port_of "$1")" --dir "$STACK_DIR/$1/data" --daemonize no \
        --appendonly yes --save '' --maxmemory-policy noeviction "${cluster[@]}"
}

redis_cli() { # NAME ARGUMENT...
    local port
    port=$(port_of "$1")
    shift
    timeout --foreground 3 redis-cli -h 127.0.0.1 -p "$port" "$@"
}

redis_answers() { [[ $(redis_cli "$1" ping 2>/dev/null) == PONG ]]; } # NAME

# Joins three masters, once, and waits until each sees all slots served.
redis_join() { # NAME...
    local log=$STACK_DIR/redis-cluster.log addresses=() name
    if [[ ! -e $STACK_DIR/redis-joined ]]; then
        for name in "$@"; do
            # Half a cluster, of an attempt that was interrupted, would refuse.
            quietly "$log" redis_cli "$name" flushall && quietly "$log" redis_cli "$name" cluster reset hard || return 1
            addresses+=("127.0.0.1:$(port_of "$name")")
        done
        quietly "$log" timeout --foreground 60 redis-cli --cluster create "${addresses[@]}" --cluster-yes || return 1
        touch "$STACK_DIR/redis-joined"
    fi
    for name in "$@"; do redis_await_cluster "$name" || return 1; done
}

redis_await_cluster() { # NAME
    local end=$((SECONDS + START_SECONDS_MAX))
    until [[ $(redis_cli "$1" cluster info 2>/dev/null) == *cluster_state:ok* ]]; do
        if ((SECONDS >= end)); then
            say "error: $1 does not see the whole cluster"
            show_end_of "$STACK_DIR/$1/log"
            return 1
        fi
        sleep 0.1
    done
}

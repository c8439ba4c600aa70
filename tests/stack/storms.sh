# shellcheck shell=bash
# One storm after another over the stack, each on a database, a topic and keys of its own.
#
# A storm is two workers, one `oms serve` without a worker, and `oms simulate --target`; the fault is done to it a third
# of the way through its arrivals. It has passed when the run's verdict is ok, nothing is stuck, and `oms audit` says so, too.
# shellcheck disable=SC2154

OMS=${OMS:-$here/../../target/release/oms}
WORK=$(mktemp -d "${TMPDIR:-/tmp}/oms-faults.XXXXXX")
FAILED=0
RESULTS=()
declare -A PIDS=()

nap() { sleep "$1"; }
ctl() { "$here/ctl" "$@"; }

end_storm() {
    local name
    for name in "${!PIDS[@]}"; do
        kill -CONT "${PIDS[$name]}" 2>/dev/null
        kill -TERM "${PIDS[$name]}" 2>/dev/null
    done
    for name in "${!PIDS[@]}"; do wait "${PIDS[$name]}" 2>/dev/null; done
    PIDS=()
}
clean_up() {
    local name
    for name in "${!PIDS[@]}"; do kill -KILL "${PIDS[$name]}" 2>/dev/null; done
    [[ $FAILED != 0 ]] || rm -rf "$WORK"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# Starts the program under a name, with its output in a log.
start_program() { # NAME ARGUMENTS...
    local name=$1
    shift
    "$OMS" --data-dir "$storm/data" "$@" >>"$storm/$name.log" 2>&1 </dev/null &
    PIDS[$name]=$!
}
start_worker() { start_program "$1" worker -v; }
start_serve() { start_program serve serve --no-worker --listen "127.0.0.1:$serve_port" --payment-url "$PAYMENTS"; }
signal() { kill "-$2" "${PIDS[$1]}"; } # NAME SIGNAL
kill_program() {                       # NAME
    signal "$1" KILL
    wait "${PIDS[$1]}" 2>/dev/null
    unset "PIDS[$1]"
}
topic() { echo "storm-$$-$fault_name"; }

# Points the program at a database, a topic and keys of this storm alone.
choose_stores() {
    local key=${fault_name//-/_}
    : "${BASE_INVENTORY:=$OMS_INVENTORY_URL}" "${BASE_QUEUE:=$OMS_QUEUE_URL}" "${BASE_STATUS:=$OMS_STATUS_URL}"
    export OMS_INVENTORY_URL=${BASE_INVENTORY%/*}/oms_storm_$$_$key
    export OMS_QUEUE_URL=${BASE_QUEUE%/*}/$(topic)
    export OMS_STATUS_URL="$BASE_STATUS?prefix=storm-$$-$key:"
    # The workers' sweep settles with the same gateway as `serve`.
    export OMS_PAYMENT_URL=$PAYMENTS
    export OMS_HOLD=60s
}
PAYMENTS='simulated:?success=0.9&timeout=0.01&unknown=0.01&latency=5ms..50ms&seed=7'

run_storm() { # FAULT FUNCTION
    fault_name=$1 storm=$WORK/$1
    mkdir -p "$storm"
    database=mysql
    [[ -s $STACK_DIR/mysql/port ]] || database=mariadb
    local missing=''
    [[ $1 != poison ]] || command -v kcat >/dev/null || { need kcat kcat && install_missing; }
    [[ $1 != broker-lost || -s $STACK_DIR/kafka-2/port ]] || missing='needs tests/stack/up --cluster'
    [[ $1 != kafka-restart || -s $STACK_DIR/kafka/port ]] || missing='needs tests/stack/up without --cluster'
    [[ $1 != redis-* || $OMS_STATUS_URL == redis://* ]] || missing='needs tests/stack/up without --cluster'
    if [[ $missing ]]; then
        RESULTS+=("SKIPPED $1: $missing")
        return
    fi
    choose_stores
    serve_port=$(free_port)
    say "storm: $1"
    if ! "$OMS" --data-dir "$storm/data" seed --items 1000 --stock 1000 >"$storm/seed.log" 2>&1; then
        fail "cannot seed" "$storm/seed.log"
        return
    fi
    start_worker worker-1
    start_worker worker-2
    start_serve
    "$OMS" --data-dir "$storm/data" simulate --target "http://127.0.0.1:$serve_port" --users "$BUYERS" --ramp "${RAMP}s" \
        --json >"$storm/run.json" 2>"$storm/run.log" </dev/null &
    local run=$!
    # Damage is done while buyers arrive, not while the storm is being prepared.
    nap 4
    if ! "$2" >>"$storm/fault.log" 2>&1; then
        end_storm
        kill "$run"
        fail "the fault could not be done" "$storm/fault.log"
        return
    fi
    wait "$run"
    local code=$?
    "$OMS" --data-dir "$storm/data" audit --json >"$storm/audit.json" 2>"$storm/audit.log"
    local audited=$?
    end_storm
    if ((code != 0 || audited != 0)); then
        fail "simulate ended with $code, audit with $audited" "$storm/run.log"
        return
    fi
    RESULTS+=("ok      $1: $(figures "$storm/run.json")")
}

# A few numbers of a report, by name.
figures() { # REPORT
    local key text=''
    for key in accepted placed errors decided_per_s elapsed_s; do
        text+="$key $(grep -oE "\"$key\":[0-9.]+" "$1" | head -1 | cut -d: -f2 | cut -d. -f1), "
    done
    echo "${text%, }"
}

fail() { # WHY LOG
    FAILED=1
    RESULTS+=("FAILED  $fault_name: $1; logs in $storm")
    show_end_of "$2"
}

summary() {
    local skipped=0 result
    for result in "${RESULTS[@]}"; do
        say "$result"
        [[ $result != SKIPPED* ]] || skipped=$((skipped + 1))
    done
    say "${#RESULTS[@]} storms, $skipped skipped"
    exit "$FAILED"
}

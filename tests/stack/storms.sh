# shellcheck shell=bash
# One storm after another over the stack, each on a database, a topic and keys of its own: what `faults` and `scenarios` share.
# shellcheck disable=SC2034,SC2154

OMS=${OMS:-$here/../../target/release/oms}
WORK=$(mktemp -d "${TMPDIR:-/tmp}/oms-storms.XXXXXX")
FAILED=0
RESULTS=()
declare -A PIDS=()
# Where the stack is. What is exported changes from storm to storm.
BASE_INVENTORY=${OMS_INVENTORY_URL:-} BASE_QUEUE=${OMS_QUEUE_URL:-} BASE_STATUS=${OMS_STATUS_URL:-}

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
# Starts the program under a name, with its output in NAME.json and its talk in NAME.log.
start_run() { # NAME ARGUMENTS...
    local name=$1
    shift
    "$OMS" --data-dir "$storm/data" "$@" --json >"$storm/$name.json" 2>"$storm/$name.log" </dev/null &
    PIDS[$name]=$!
}
# Waits for the end of a program; its exit code.
ended() { # NAME
    wait "${PIDS[$1]}"
    local code=$?
    unset "PIDS[$1]"
    return "$code"
}
signal() { kill "-$2" "${PIDS[$1]}"; } # NAME SIGNAL
kill_program() {                       # NAME
    signal "$1" KILL
    wait "${PIDS[$1]}" 2>/dev/null
    unset "PIDS[$1]"
}
topic() { echo "storm-$$-$storm_name"; }

need_stack() {
    [[ $BASE_INVENTORY && $BASE_QUEUE && $BASE_STATUS ]] || die "the stack is not up, or its lines were not eval'd; see tests/stack/README.md"
}

# A storm that begins: its name, and where its data and logs are.
begin_storm() { # NAME
    storm_name=$1 storm=$WORK/$1
    mkdir -p "$storm"
}

# Points the program at a database, a topic and keys of this storm alone.
use_servers() {
    local key=${storm_name//-/_}
    OMS_INVENTORY_URL=${BASE_INVENTORY%/*}/oms_storm_$$_$key
    OMS_QUEUE_URL=${BASE_QUEUE%/*}/$(topic)
    OMS_STATUS_URL="$BASE_STATUS?prefix=storm-$$-$key:"
    export OMS_INVENTORY_URL OMS_QUEUE_URL OMS_STATUS_URL
}
use_embedded() { unset OMS_INVENTORY_URL OMS_QUEUE_URL OMS_STATUS_URL; }

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
    RESULTS+=("FAILED  $storm_name: $1; logs in $storm")
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

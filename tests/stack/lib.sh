# shellcheck shell=bash
# What up, down and ctl share: where the stack is, how they talk, the lock, the ports.
#
# The state directory has one directory a server: its data, its log, its ports (*port), and the record of its process.
# The directory is private (0700), so what is in it need not be.

STACK_DIR=${OMS_STACK_DIR:-${TMPDIR:-/tmp}/oms-stack-$UID}
[[ $STACK_DIR == /* ]] || STACK_DIR=$PWD/$STACK_DIR
STACK_DIR=${STACK_DIR%/}
STACK_CACHE=${OMS_STACK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/oms-stack}
[[ $STACK_CACHE == /* ]] || STACK_CACHE=$PWD/$STACK_CACHE
STACK_LOCK=$STACK_DIR/.oms-stack.lock
# Servers are in sbin, which not everyone has on the path.
PATH=$PATH:/usr/sbin:/sbin

say() { printf 'stack: %s\n' "$*" >&2; }
die() {
    say "error: $*"
    exit 1
}

# Makes the state directory. Anything that is there already must be a stack's, since `down` removes it.
make_stack_dir() {
    # A socket's path has at most 107 characters.
    ((${#STACK_DIR} <= 90)) || die "$STACK_DIR is too long for a socket in it; set OMS_STACK_DIR to a shorter path"
    mkdir -p "${STACK_DIR%/*}/" || true
    mkdir -m 700 "$STACK_DIR" 2>/dev/null || [[ -d $STACK_DIR ]] || die "cannot make $STACK_DIR; set OMS_STACK_DIR to another path"
    [[ ! -L $STACK_DIR && -O $STACK_DIR ]] || die "$STACK_DIR belongs to someone else; set OMS_STACK_DIR to another path"
    is_stack_dir || [[ -z $(ls -A "$STACK_DIR") ]] || die "$STACK_DIR holds something else; set OMS_STACK_DIR to another path"
    chmod 700 "$STACK_DIR"
}

is_stack_dir() { [[ -d $STACK_DIR && ! -L $STACK_DIR && -O $STACK_DIR && -e $STACK_LOCK ]]; }

# Takes the stack's lock, and holds it until the script and all its jobs have ended. False when there is no stack and none is to be made.
lock_stack() { # make|existing
    local lock
    while :; do
        if [[ $1 == make ]]; then make_stack_dir; elif ! is_stack_dir; then return 1; fi
        { exec {lock}>>"$STACK_LOCK"; } 2>/dev/null || continue
        if ! flock -n "$lock"; then
            say "waiting for another command on $STACK_DIR"
            flock "$lock"
        fi
        # Whoever held the lock may have removed the directory.
        [[ /proc/$BASHPID/fd/$lock -ef $STACK_LOCK ]] && return 0
        exec {lock}>&-
    done
}

# Renamed first: whoever waits for the lock must see the whole directory or none of it.
remove_stack_dir() {
    local gone=$STACK_DIR.oms-stack-gone.$$
    if is_stack_dir; then mv "$STACK_DIR" "$gone"; fi
    rm -rf "$STACK_DIR".oms-stack-gone.*
}

# Runs something with its output in a file, whose last lines are shown when it fails.
quietly() { # LOG COMMAND...
    local log=$1
    shift
    "$@" >>"$log" 2>&1 </dev/null && return 0
    show_end_of "$log"
    return 1
}

show_end_of() { # LOG
    say "the last lines of $1:"
    tail -n 20 "$1" 2>/dev/null | sed 's/^/  | /' >&2
}

# Jobs run at the same time, each in a process group of its own, so that all of one can be ended.
JOBS=()
start_job() { # COMMAND...
    set -m
    (
        set +m
        "$@"
    ) </dev/null &
    JOBS+=("$!")
    set +m
}

# Waits for all jobs; false if one failed.
finish_jobs() {
    local job failed=0
    for job in "${JOBS[@]}"; do wait "$job" || failed=1; done
    JOBS=()
    return "$failed"
}

# Ends all that runs in the jobs. A server that is preparing its data takes no notice of a polite signal.
end_jobs() {
    local job signal end
    for signal in TERM KILL; do
        end=$((SECONDS + 2))
        for job in "${JOBS[@]}"; do kill "-$signal" -- "-$job" || true; done 2>/dev/null
        for job in "${JOBS[@]}"; do
            wait "$job" || true
            while kill -0 -- "-$job" && ((SECONDS < end)); do sleep 0.05; done
        done 2>/dev/null
    done
    JOBS=()
}

# Picks ports for a server at its first start, and keeps them. Not to be called by two jobs at once.
assign_ports() { # NAME KIND...
    local name=$1 kind
    shift
    mkdir -p "$STACK_DIR/$name"
    for kind in "$@"; do
        [[ -s $STACK_DIR/$name/$kind ]] || free_port >"$STACK_DIR/$name/$kind"
    done
}

# A port that nobody has, below the range outgoing connections take theirs from, so that a stopped server finds it free again.
free_port() {
    local port
    until port=$((20000 + RANDOM % 12000)) && ! is_taken "$port"; do :; done
    echo "$port"
}

is_taken() { # PORT
    # The local address is the second column of these tables, in hexadecimal.
    grep -qsE "^ *[0-9]+: [0-9A-F]+:$(printf %04X "$1") " /proc/net/tcp /proc/net/tcp6 ||
        grep -qsx "$1" "$STACK_DIR"/*/*port
}

port_of() { cat "$STACK_DIR/$1/${2:-port}"; } # NAME [KIND]
kind_of() { echo "${1%-[0-9]}"; }              # kafka-2 is a kafka

# A random text of letters and digits, made once.
secret() { # FILE LENGTH
    local file=$STACK_DIR/$1
    [[ -s $file ]] || head -c 256 /dev/urandom | base64 -w 0 | tr -dc 'A-Za-z0-9' | cut -c "1-$2" >"$file"
    cat "$file"
}

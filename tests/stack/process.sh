# shellcheck shell=bash
# Processes of servers: found by a record that names one process for certain, and ended by that record only.

STOP_SECONDS_MAX=20
START_SECONDS_MAX=${OMS_STACK_START_SECONDS_MAX:-120}

# Sets STATE (R, S, T, Z, …) and STARTED_AT (in clock ticks since the machine started) of a process; false when there is none.
read_process() { # PID
    local line='' fields
    # Not `$(<FILE)`: where the file is missing, bash 5.2 ends a script that has set -e, even in a condition.
    { read -rd '' line <"/proc/$1/stat"; } 2>/dev/null || [[ $line ]] || return 1
    # The name, in parentheses, may have anything in it; the state comes after it.
    read -ra fields <<<"${line##*) }"
    STATE=${fields[0]} STARTED_AT=${fields[19]}
}

boot_id() { cat /proc/sys/kernel/random/boot_id 2>/dev/null || echo none; }

# Sets PID and STATE to a server's process; false when it does not run. A number that another process has by now is not it.
find_process() { # NAME
    local pid started_at boot threads
    PID=''
    { read -r pid started_at boot <"$STACK_DIR/$1/process"; } 2>/dev/null || return 1
    [[ $boot == "$(boot_id)" ]] && read_process "$pid" || return 1
    [[ $STARTED_AT == "$started_at" ]] || return 1
    # A dead process is a zombie until somebody reaps it, but with more than one thread left it still holds its files and ports.
    threads=("/proc/$pid/task"/*)
    [[ $STATE != [ZX] || ${#threads[@]} -gt 1 ]] || return 1
    PID=$pid
}

# Starts a server in a session of its own, with no descriptor of ours: `eval "$(up)"` waits until all writers of its pipe are gone.
# The process writes its record itself, before it becomes the server, so that none can be lost.
launch() { # NAME COMMAND...
    local dir=$STACK_DIR/$1
    shift
    touch "$dir/log"
    rm -f "$dir/process"
    stat -c %s "$dir/log" >"$dir/log-start"
    (
        cd "$dir" || exit 1
        exec </dev/null >>log 2>&1
        close_descriptors
        read_process "$BASHPID"
        echo "$BASHPID $STARTED_AT $(boot_id)" >process
        exec setsid "$@"
    ) &
    until [[ -s $dir/process ]] || ! kill -0 "$!" 2>/dev/null; do sleep 0.01; done
}

close_descriptors() {
    local fd
    for fd in "/proc/$BASHPID/fd"/*; do
        fd=${fd##*/}
        # 255 is the shell's own, and not inherited.
        if ((fd > 2 && fd != 255)); then eval "exec $fd>&-"; fi
    done
}

# What a server wrote since it was last started.
log_of_this_start() { # NAME
    tail -c "+$(($(cat "$STACK_DIR/$1/log-start") + 1))" "$STACK_DIR/$1/log"
}

# Waits until a server answers; false when it ended or is late.
await_answer() { # NAME
    local name=$1 end=$((SECONDS + START_SECONDS_MAX)) trouble=''
    until [[ $trouble ]]; do
        if ! find_process "$name"; then
            trouble="$name does not run"
        elif "$(kind_of "$name")_answers" "$name"; then
            return 0
        elif ((SECONDS >= end)); then
            trouble="$name did not answer within $START_SECONDS_MAX s"
        else
            sleep 0.1
        fi
    done
    say "error: $trouble"
    show_end_of "$STACK_DIR/$name/log"
    return 1
}

# Prepares a server's data if it has none, starts it if it does not run, lets it go on if it is stopped, and waits for it.
bring_up() { # NAME
    local name=$1 kind dir=$STACK_DIR/$1
    kind=$(kind_of "$name")
    if find_process "$name"; then
        [[ $STATE != T ]] || kill -CONT "$PID"
    else
        if [[ ! -e $dir/prepared ]]; then
            rm -rf "$dir/data"
            mkdir -p "$dir/data" "$dir/tmp"
            quietly "$dir/log" "${kind}_prepare" "$name" || return 1
            touch "$dir/prepared"
        fi
        "${kind}_start" "$name"
    fi
    await_answer "$name"
}

# Ends servers, stopped ones too: asks all, waits, kills what is left. Returns when all are gone.
terminate() { # NAME...
    local name end=$((SECONDS + STOP_SECONDS_MAX))
    for name in "$@"; do
        if find_process "$name"; then kill -TERM "$PID" || true; fi
        if find_process "$name"; then kill -CONT "$PID" || true; fi
    done 2>/dev/null
    for name in "$@"; do
        while find_process "$name" && ((SECONDS < end)); do sleep 0.05; done
    done
    kill_now "$@"
}

# Kills servers with their children, and returns when they are gone.
kill_now() { # NAME...
    local name
    for name in "$@"; do
        if find_process "$name"; then kill -KILL -- "-$PID" || kill -KILL "$PID" || true; fi
    done 2>/dev/null
    for name in "$@"; do
        while find_process "$name"; do sleep 0.02; done
        rm -f "$STACK_DIR/$name/process"
    done
}

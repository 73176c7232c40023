# shellcheck shell=bash
# Sourced by scripts/test-cluster: what all its steps need. A step is a function; `step` runs it, says ok or FAILED and
# goes on. `skip` says aloud what was not tried. `at_exit` undoes things, last made first undone.

# A folder of the script that sources this.
scratch=${scratch:?}

failures=0
steps=0
skips=0
undo=()

at_exit() { undo+=("$1"); }

clean_up() {
    local i
    set +e
    for ((i = ${#undo[@]} - 1; i >= 0; i--)); do eval "${undo[i]}" >/dev/null 2>&1; done
}

skip() {
    skips=$((skips + 1))
    printf 'SKIPPED: %s, because %s\n' "$1" "$2"
}

# step "what is shown" function arguments…; the function runs in a shell of its own that stops at the first error.
step() {
    local what=$1 started=$SECONDS code
    shift
    steps=$((steps + 1))
    printf '%s ... ' "$what"
    # Not in a condition: there a shell does not stop at errors.
    (
        set -eE
        trap 'echo "line $LINENO of ${BASH_SOURCE[0]##*/}: $BASH_COMMAND" >&2' ERR
        "$@"
    ) >"$scratch/step.log" 2>&1 </dev/null
    code=$?
    if [ "$code" = 0 ]; then
        printf 'ok (%d s)%s\n' $((SECONDS - started)) "$(sed -n 's/^say: /; /p' "$scratch/step.log" | tr -d '\n')"
    else
        failures=$((failures + 1))
        printf 'FAILED (%d s)\n' $((SECONDS - started))
        tail -n 25 "$scratch/step.log" | sed 's/^/    /'
        step_failed
    fi
}

# Engines replace this with what they know about a failure.
step_failed() { :; }

# Seconds after which what was waited for is taken not to come: many, as the machine may be busy.
patience=180

# within command…: waits until the command succeeds.
within() {
    local end=$((SECONDS + patience))
    until "$@"; do
        if [ "$SECONDS" -ge "$end" ]; then
            echo "not so in time: $*" >&2
            return 1
        fi
        sleep 0.1
    done
}

# expect CODE command…: the command must end with that code.
expect() {
    local wanted=$1 code=0
    shift
    "$@" || code=$?
    [ "$code" = "$wanted" ] || {
        echo "exit code $code where $wanted was expected: $*" >&2
        return 1
    }
}

# A process and all that it started.
kill_tree() {
    local child
    for child in $(pgrep -P "$1"); do kill_tree "$child"; done
    kill -KILL "$1"
}

gone() { ! kill -0 "$1" 2>/dev/null; }

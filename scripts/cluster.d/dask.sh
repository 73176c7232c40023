# shellcheck shell=bash
# Steps with Dask: scripts/dask_shards.py on a scheduler with two workers, and on Slurm through dask-jobqueue.

scratch=${scratch:?}
root=${root:?}
target=${target:?}
nalcms=${nalcms:?}
dask_home=$target/cluster-venv
dask_python=$dask_home/bin/python
dask_port=$((30000 + $$ % 2000))

# An environment of its own under the target folder, kept from one call to the next.
dask_install() {
    [ -x "$dask_python" ] || python3 -m venv "$dask_home" || return 1
    "$dask_python" -c 'import distributed, dask_jobqueue' 2>/dev/null && return
    "$dask_python" -m pip install --quiet --disable-pip-version-check distributed dask-jobqueue
}

# Starts a scheduler and two workers without nannies, so that a dead worker stays dead.
dask_start() {
    local i
    "$dask_home/bin/dask" scheduler --host 127.0.0.1 --port "$dask_port" --no-dashboard --no-jupyter \
        >"$scratch/dask-scheduler.log" 2>&1 &
    at_exit "kill -KILL $!"
    for i in 1 2; do dask_worker "$i"; done
    within dask_ready
}

dask_worker() {
    (cd "$scratch" && exec "$dask_home/bin/dask" worker "tcp://127.0.0.1:$dask_port" --nthreads 1 --no-nanny \
        --no-dashboard --name "w$1" --local-directory "$scratch/dask-$1") >"$scratch/dask-worker-$1.log" 2>&1 &
    at_exit "kill_tree $!"
}
dask_ready() {
    "$dask_python" - "$dask_port" <<'PY'
import sys
from distributed import Client
with Client(f"tcp://127.0.0.1:{sys.argv[1]}", timeout=5) as client:
    sys.exit(len(client.scheduler_info()["workers"]) < 2)
PY
}

on_dask() {
    local name=$1
    shift
    "$dask_python" "$root/scripts/dask_shards.py" "$scratch/$name.json" --program "$nalcms" \
        --scheduler "tcp://127.0.0.1:$dask_port" "$@"
}

dask_clean() {
    plan dask
    on_dask dask
    same dask
}

dask_worker_killed() {
    local driver worker
    plan dask-killed
    on_dask dask-killed &
    driver=$!
    catch dask-killed
    worker=$(ps -o ppid= -p "$caught" | tr -d ' ')
    kill -KILL "$worker"
    # The program must not outlive its worker: SIGTERM comes with the worker's death, and ends what is stopped as soon as it goes on.
    kill -CONT "$caught"
    within gone "$caught"
    wait "$driver"
    same dask-killed
}

dask_poisoned() {
    local shard
    plan dask-poisoned
    expect 1 on_dask dask-poisoned --program "$scratch/poisoned"
    # Only the shard that fails is left.
    shard=$("$nalcms" status "$scratch/dask-poisoned.json" --array)
    [ "$shard" = 5 ]
    expect 3 "$nalcms" merge "$scratch/dask-poisoned.json"
    on_dask dask-poisoned
    same dask-poisoned
}

dask_jobqueue() {
    local host=127.0.0.1
    [ "${slurm_kind:?}" = namespaces ] && host=$slurm_net.1
    plan dask-slurm
    (cd "$scratch" && "$dask_python" "$root/scripts/dask_shards.py" "$scratch/dask-slurm.json" --program "$nalcms" --slurm \
        --host "$host" --workers 2 --partition work --memory 1GB --walltime 00:10:00)
    same dask-slurm
}

# Row 12 of the failures: two engines at once know nothing of each other.
dask_and_slurm() {
    local driver dask=0
    plan both
    on_dask both &
    driver=$!
    submit both
    wait "$driver" || dask=$?
    within ended "$merge_id"
    completed "$array_id"
    # A merge that comes while the other's is at work is refused (4); one of the two has made the outputs.
    if ! completed "$merge_id"; then
        [ "$(exit_code "$merge_id")" = 4:0 ]
        [ "$dask" = 0 ]
    fi
    same both
}

dask_steps() {
    if ! dask_install >"$scratch/step.log" 2>&1; then
        skip "Dask" "distributed and dask-jobqueue cannot be installed with pip"
        return
    fi
    # A program that cannot do shard 5, whoever asks.
    cat >"$scratch/poisoned" <<SH
#!/bin/sh
case " \$* " in *' --shard 5 '*) echo 'shard 5 is poisoned' >&2; exit 70 ;; esac
exec $nalcms "\$@"
SH
    chmod +x "$scratch/poisoned"
    if ! dask_start >"$scratch/step.log" 2>&1; then
        failures=$((failures + 1))
        echo 'Dask: scheduler and two workers ... FAILED'
        tail -n 5 "$scratch"/dask-*.log
        return
    fi
    step "Dask: two workers" dask_clean
    step "Dask: a shard that always fails leaves the others alone" dask_poisoned
    if [ "${slurm_runs:-no}" = yes ]; then
        step "Dask and Slurm at once on one plan" dask_and_slurm
        step "Dask on Slurm (dask-jobqueue)" dask_jobqueue
    else
        skip "Dask and Slurm at once; dask-jobqueue" "no Slurm runs"
    fi
    # Last: it takes a worker away for good.
    step "Dask: kill -9 of a worker" dask_worker_killed
}

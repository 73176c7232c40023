# shellcheck shell=bash
# Steps on Slurm: what `nalcms submit slurm` sends, and what happens to it on a cluster.

scratch=${scratch:?}
nalcms=${nalcms:?}
slurm_runs=no
array_id=
merge_id=

slurm_failed() {
    squeue --noheader --states=all --format='    %i %j %T %R' | tail -n 15
    grep -hE 'error|preempt|requeue' "$scratch/slurm/log/slurmctld" | tail -n 5 | sed 's/^/    /'
}

# submit NAME argument…: sends the plan; sets array_id and merge_id.
submit() {
    local name=$1 told
    shift
    told=$("$nalcms" submit slurm "$scratch/$name.json" --json "$@")
    array_id=$(json_value array_job <<<"$told")
    merge_id=$(json_value merge_job <<<"$told")
    echo "array $array_id, merge $merge_id"
}

states() { squeue --noheader --array --states=all --jobs="$1" --format=%T; }

# Whether all of a job has come to an end.
ended() { ! states "$1" | grep -qvE '^(COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL|PREEMPTED|OUT_OF_MEMORY)$'; }

completed() { [ "$(states "$1" | sort -u)" = COMPLETED ]; }

# exit_code JOB: as Slurm tells it, CODE:SIGNAL.
exit_code() { scontrol show job "$1" | sed -n 's/.* ExitCode=\([0-9:]*\).*/\1/p' | head -n 1; }

# The element of an array that a process belongs to.
element_of() { tr '\0' '\n' <"/proc/$1/environ" | sed -n 's/^SLURM_ARRAY_TASK_ID=//p'; }

# Slurm lets a job that was queued again wait for two minutes; nobody here has so much time.
start_now() {
    local id
    for id in $(squeue --noheader --array --states=PENDING --jobs="$1" --format=%i); do
        scontrol update jobid="$id" StartTime=now || true
    done
}

completed_with_haste() {
    start_now "$array_id"
    completed "$1"
}

log_of() { cat "$scratch/out/$1/.nalcms/slurm/${array_id}_$2.log"; }

slurm_clean() {
    plan clean
    submit clean
    within completed "$merge_id"
    completed "$array_id"
    same clean
}

slurm_kill() {
    local element
    plan killed
    submit killed
    catch killed
    element=$(element_of "$caught")
    kill -KILL "$caught"
    within ended "$array_id"
    within ended "$merge_id"
    [ "$(exit_code "${array_id}_$element")" = 137:0 ]
    # The merge came after any end of the array, saw the gap and refused it.
    [ "$(exit_code "$merge_id")" = 3:0 ]
    test ! -e "$scratch/out/killed/SHA256SUMS"
    [ "$("$nalcms" status "$scratch/killed.json" --array)" = "$element" ]
    scontrol requeue "${array_id}_$element"
    within completed_with_haste "$array_id"
    submit killed
    within completed "$merge_id"
    same killed
}

# Whether SIGTERM (15, the bit 0x4000) waits for a stopped process.
waits_for_term() {
    grep -Eq '^(SigPnd|ShdPnd):.*[4-7c-f][0-9a-f]{3}$' "/proc/$1/status"
}

slurm_term() {
    local element
    plan stopped
    submit stopped
    catch stopped 8
    element=$(element_of "$caught")
    scancel --signal=TERM --batch "${array_id}_$element"
    # A process that goes on before the signal has come may be done before it comes.
    within waits_for_term "$caught"
    kill -CONT "$caught"
    within ended "${array_id}_$element"
    [ "$(exit_code "${array_id}_$element")" = 75:0 ]
    scontrol requeue "${array_id}_$element"
    within completed_with_haste "$array_id"
    within ended "$merge_id"
    # The merge may have come before the second try.
    completed "$merge_id" || { submit stopped && within completed "$merge_id"; }
    same stopped
    echo "say: $(log_of stopped "$element" | grep -o '[0-9]* kept' | tail -n 1)"
}

slurm_time_limit() {
    local element
    plan limited
    submit limited
    catch limited 8
    element=$(element_of "$caught")
    # What Slurm does a minute before the time limit.
    scancel --signal=USR1 --batch "${array_id}_$element"
    sleep 0.5
    kill -CONT "$caught"
    # Nobody queues it again but the script; the merge waits for it.
    within completed_with_haste "$merge_id"
    completed "$array_id"
    scontrol show job "${array_id}_$element" | grep -q 'Restarts=1'
    same limited
}

slurm_cancel() {
    plan cancelled
    submit cancelled
    catch cancelled
    kill -CONT "$caught"
    scancel "$array_id"
    within ended "$array_id"
    sleep 1
    # What somebody cancels must not come back by itself.
    [ -z "$(squeue --noheader --states=PENDING,RUNNING --jobs="$array_id" --format=%i)" ]
    scancel "$merge_id"
    [ -z "$(workers_of cancelled)" ]
    expect 3 "$nalcms" merge "$scratch/cancelled.json"
}

# Whether Slurm has told an element to give way.
gives_way() { scontrol show job "$1" | grep -q 'PreemptTime=[0-9]'; }

slurm_preempt() {
    local urgent element restarts
    plan preempted
    submit preempted
    catch preempted 1
    element=$(element_of "$caught")
    urgent=$(sbatch --parsable --partition=urgent --nodes=4 --output=/dev/null --wrap=true)
    within gives_way "${array_id}_$element"
    # Slurm has let it go on, to come to its end: it must not within the grace time, or nothing would be queued again.
    kill -STOP "$caught"
    within completed "$urgent"
    within completed_with_haste "$merge_id"
    same preempted
    # Counted to the end of the list: who stops reading early makes scontrol fail.
    restarts=$(scontrol show job "$array_id" | grep -c 'Restarts=[1-9]')
    echo "say: $restarts shards were queued again"
}

slurm_node_cut() {
    local node element
    plan cut
    submit cut
    catch cut
    element=$(element_of "$caught")
    node=$(tr '\0' '\n' <"/proc/$caught/environ" | sed -n 's/^SLURMD_NODENAME=h//p')
    ip link set "${slurm_tag:?}v$node" down
    trap 'ip link set "${slurm_tag}v$node" up; kill -CONT "$caught" || true' EXIT
    echo "node h$node is cut off with shard $element"
    # The cluster gives it up and has the shard done elsewhere, while the first copy, which nobody can reach, lives on.
    within completed_with_haste "$merge_id"
    same cut
    kill -0 "$caught"
    kill -CONT "$caught"
    within gone "$caught"
    # The straggler ended after the merge and harmed nothing.
    same cut
    "$nalcms" verify "$scratch/out/cut"
    # The trap knows neither this function's names nor a process that has ended.
    trap - EXIT
    ip link set "${slurm_tag}v$node" up
    within slurm_idle
}

slurm_partial() {
    local script=$scratch/out/partial/.nalcms/slurm/array.sh
    plan partial
    # Everything but shards 3 and 7, as if these had failed.
    "$nalcms" submit slurm "$scratch/partial.json" --sbatch-arg=--hold --json >"$scratch/told"
    scancel "$(json_value merge_job <"$scratch/told")" "$(json_value array_job <"$scratch/told")"
    sed -i '/^#SBATCH --hold/d' "$script"
    array_id=$(sbatch --parsable --array=0-2,4-6 "$script")
    within completed "$array_id"
    expect 3 "$nalcms" merge "$scratch/partial.json"
    [ "$("$nalcms" status "$scratch/partial.json" --array)" = 3,7 ]
    before=$(find "$scratch/out/partial/.nalcms/parts" -name '*.part' -newer "$scratch/told" | wc -l)
    array_id=$(sbatch --parsable --array="$("$nalcms" status "$scratch/partial.json" --array)" "$script")
    within completed "$array_id"
    # Nothing is left, and neither shard did another's tasks.
    [ -z "$("$nalcms" status "$scratch/partial.json" --array)" ]
    "$nalcms" merge "$scratch/partial.json"
    same partial
    echo "say: $before parts, then $(tasks_of partial)"
}

slurm_steps() {
    if [ "$(id -u)" != 0 ]; then
        skip "Slurm" "it takes root to start one"
        return
    fi
    if ! slurm_install >"$scratch/step.log" 2>&1; then
        skip "Slurm" "slurm-wlm and munge are not installed and cannot be installed"
        return
    fi
    step_failed() { slurm_failed; }
    slurm_configure
    # Not a step of its own shell: it starts the daemons and notes how to end them.
    if ! slurm_start >"$scratch/step.log" 2>&1; then
        failures=$((failures + 1))
        printf 'Slurm of %s nodes (%s) ... FAILED\n' "${slurm_nodes:?}" "${slurm_kind:?}"
        tail -n 5 "$scratch"/slurm/log/*
        return
    fi
    slurm_runs=yes
    printf 'Slurm %s: %s nodes (%s) on %s cores\n' "$(sinfo --version | cut -d' ' -f2)" "$slurm_nodes" "$slurm_kind" "$(nproc)"
    step "Slurm: array, then the merge after any end" slurm_clean
    step "Slurm: kill -9 of a shard; the merge refuses; queued again" slurm_kill
    step "Slurm: SIGTERM to the batch script (75); queued again by hand" slurm_term
    step "Slurm: the signal of the time limit; queued again by its script" slurm_time_limit
    step "Slurm: scancel; nothing comes back" slurm_cancel
    step "Slurm: preempted by a higher partition" slurm_preempt
    if [ "$slurm_kind" = namespaces ]; then
        step "Slurm: node cut off, its shard runs twice" slurm_node_cut
    else
        skip "Slurm: node cut off" "network namespaces are not allowed here"
    fi
    step "Slurm: two missing shards sent again (--array from status)" slurm_partial
    step_failed() { :; }
}

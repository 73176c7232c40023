# shellcheck shell=bash
# Steps on machines that see each other's files late, as over NFS: each has the shared folder mounted for itself, and believes
# for some seconds what it saw there last: that a file is not there, or how long it is.

scratch=${scratch:?}
nalcms=${nalcms:?}
shards=${shards:?}
late_s=20
# The processes of the two machines.
one=
other=

# late_machine: a mount of the shared folder where the output lies, seen by this machine alone; sets `machine` to its process.
late_machine() {
    unshare --mount bindfs -f -o "attr_timeout=$late_s,entry_timeout=$late_s,negative_timeout=$late_s" \
        "$scratch/shared" "$scratch/out/late" >"$scratch/bindfs.log" 2>&1 &
    machine=$!
    at_exit "kill $machine"
    within on "$machine" mountpoint -q "$scratch/out/late"
}

# on MACHINE command…
on() {
    local machine=$1
    shift
    nsenter --mount --target "$machine" "$@"
}

late_start() {
    mkdir -p "$scratch/shared" "$scratch/out/late"
    late_machine && one=$machine
    late_machine && other=$machine
}

late_parts() {
    local shard code=3 refusals=0 deadline=$((SECONDS + patience))
    job late
    on "$one" "$nalcms" plan "$scratch/late.toml" -o "$scratch/late.json" --shards "$shards" >/dev/null
    for ((shard = 0; shard < shards; shard += 2)); do
        on "$other" "$nalcms" status "$scratch/late.json" >/dev/null
        on "$one" "$nalcms" run "$scratch/late.json" --shard "$shard" --progress none &
        on "$other" "$nalcms" run "$scratch/late.json" --shard "$((shard + 1))" --progress none
        wait "$!"
    done
    # What it does not see yet is missing: it refuses, and publishes nothing else than the whole.
    while [ "$code" = 3 ] && [ "$SECONDS" -lt "$deadline" ]; do
        code=0
        on "$other" "$nalcms" merge "$scratch/late.json" --progress none || code=$?
        [ "$code" = 0 ] || { refusals=$((refusals + 1)) && sleep 1; }
    done
    [ "$code" = 0 ]
    echo "say: $refusals merges refused before all was seen"
    on "$one" "$nalcms" verify "$scratch/out/late"
    cp -r "$scratch/shared/." "$scratch/out/late"
    same late
}

late_steps() {
    if [ "$(id -u)" != 0 ] || ! { command -v bindfs || install_packages bindfs bindfs; } >/dev/null 2>&1; then
        skip "machines that see each other's files late" "it takes root and bindfs"
    elif ! late_start >"$scratch/step.log" 2>&1; then
        failures=$((failures + 1))
        echo 'two mounts of a folder ... FAILED'
        tail -n 5 "$scratch/step.log" "$scratch/bindfs.log"
    else
        step "machines that see each other's files late" late_parts
    fi
}

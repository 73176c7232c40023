# shellcheck shell=bash
# The job that every engine works on: configs/jobs/demo.toml on finer cells, so that it has 64 tasks, and the result
# of a single process that all others must equal to the byte.

scratch=${scratch:?}
root=${root:?}
nalcms=${nalcms:?}
shards=8
caught=

# Side of a cell, in metres: a part of 9000. Larger cells make the steps faster, and shards too short to be caught at work.
cell_m=${CLUSTER_CELL_M:-1500}
finer=$((9000 / cell_m))

make_world() {
    local box="--cell-size $cell_m --detail $cell_m --margin 27000 --within -2700000,-3150000,2700000,2700000"
    local us="--region middle --crs EPSG:5070 --origin -3069000,3267000 --size $((350 * finer))x$((612 * finer)) --tile $((306 * finer)) --overlap 8"
    local ca="--region north --crs EPSG:3978 --origin -3087000,2583000 --size $((364 * finer))x$((610 * finer)) --tile $((400 * finer))"
    local mx="--region south --crs EPSG:6372 --origin -27000,2304000 --size $((224 * finer))x$((600 * finer)) --no-observation 0.05"
    # shellcheck disable=SC2086  # lists of words
    {
        "$nalcms" synth -q -o "$scratch/world/us" --prefix us --legend nlcd $us $box
        "$nalcms" synth -q -o "$scratch/world/ca" --prefix ca --legend nrcan $ca $box
        "$nalcms" synth -q -o "$scratch/world/mx" --prefix mx --legend madmex $mx $box
    }
    cp -r "$root/fixtures/vectors" "$scratch/world/vectors"
}

# job NAME: a job file of that name with an output of its own.
job() {
    sed -e "s#\"../../fixtures/\(.*\)\"#\"$scratch/world/\1\"#" -e "s#^output .*#output = \"$scratch/out/$1\"#" \
        -e "s#^cell_size_m.*#cell_size_m = $cell_m#" -e "s#^shape .*#shape = [$((650 * finer)), $((600 * finer))]#" \
        "$root/configs/jobs/demo.toml" >"$scratch/$1.toml"
}

# plan NAME: its plan file, in as many shards as the tests use.
plan() {
    job "$1"
    "$nalcms" plan "$scratch/$1.toml" -o "$scratch/$1.json" --shards "$shards" >/dev/null
}

reference() {
    job reference
    "$nalcms" run "$scratch/reference.toml" --progress none
    "$nalcms" verify "$scratch/out/reference"
    echo "say: $(wc -l <"$scratch/out/reference/SHA256SUMS") files, $(tasks_of reference) tasks"
}

tasks_of() { find "$scratch/out/$1/.nalcms/parts" -name '*.part' | wc -l; }

# same NAME: its outputs are whole and those of the single process.
same() {
    cmp "$scratch/out/reference/SHA256SUMS" "$scratch/out/$1/SHA256SUMS"
    (cd "$scratch/out/$1" && sha256sum --check --quiet SHA256SUMS)
}

# The value of a key of a JSON document on stdin.
json_value() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

# The processes that work on shards of a plan.
workers_of() { pgrep -f "^$nalcms run $scratch/$1.json --shard" || true; }

# catch NAME [PARTS]: stops a process that works on the plan, after so many parts were left, and sets `caught` to its
# number: what is done to it then does not depend on how fast this machine is.
catch() {
    local deadline=$((SECONDS + patience)) candidate
    caught=
    until [ -n "$caught" ]; do
        [ "$SECONDS" -lt "$deadline" ] || {
            echo "no process of $1 was met at work" >&2
            return 1
        }
        [ "$(tasks_of "$1" 2>/dev/null)" -ge "${2:-1}" ] || {
            sleep 0.02
            continue
        }
        for candidate in $(workers_of "$1"); do
            if kill -STOP "$candidate" 2>/dev/null; then
                caught=$candidate
                break
            fi
        done
    done
    echo "stopped process $caught: $(tr '\0' ' ' <"/proc/$caught/cmdline")"
}

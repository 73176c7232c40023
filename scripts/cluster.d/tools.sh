# shellcheck shell=bash
# Steps with engines that run on one machine: GNU parallel; Snakemake where it is there.

scratch=${scratch:?}
root=${root:?}
nalcms=${nalcms:?}

parallel_install() {
    command -v parallel >/dev/null && return
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends parallel
}

parallel_killed() {
    local engine
    plan parallel
    NALCMS=$nalcms "$root/examples/engines/gnu-parallel.sh" "$scratch/parallel.json" 2 &
    engine=$!
    catch parallel
    kill -KILL "$caught"
    wait "$engine"
    same parallel
}

snakemake_clean() {
    plan snake
    (cd "$scratch" && snakemake --snakefile "$root/examples/engines/Snakefile" --cores 2 --quiet \
        --config plan="$scratch/snake.json" nalcms="$nalcms")
    same snake
}

tools_steps() {
    if parallel_install >"$scratch/step.log" 2>&1; then
        step "GNU parallel: kill -9 of a shard" parallel_killed
    else
        skip "GNU parallel" "it is not installed and cannot be installed"
    fi
    if command -v snakemake >/dev/null; then
        step "Snakemake" snakemake_clean
    else
        skip "Snakemake" "it is not installed"
    fi
}

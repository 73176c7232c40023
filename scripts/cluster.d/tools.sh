# shellcheck shell=bash
# Steps with engines that run on one machine: GNU parallel and Snakemake.

scratch=${scratch:?}
root=${root:?}
nalcms=${nalcms:?}
target=${target:?}
snakemake_home=$target/snakemake-venv

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

# An environment of its own under the target folder, kept from one call to the next.
snakemake_install() {
    [ -x "$snakemake_home/bin/snakemake" ] && return
    python3 -m venv "$snakemake_home" && "$snakemake_home/bin/pip" install --quiet --disable-pip-version-check snakemake
}

snakemake_killed() {
    local engine
    plan snake
    (cd "$scratch" && exec "$snakemake_home/bin/snakemake" --snakefile "$root/examples/engines/Snakefile" --cores 2 --quiet \
        --config plan="$scratch/snake.json" nalcms="$nalcms") &
    engine=$!
    catch snake
    kill -KILL "$caught"
    wait "$engine"
    same snake
}

tools_steps() {
    if parallel_install >"$scratch/step.log" 2>&1; then
        step "GNU parallel: kill -9 of a shard" parallel_killed
    else
        skip "GNU parallel" "it is not installed and cannot be installed"
    fi
    if snakemake_install >"$scratch/step.log" 2>&1; then
        step "Snakemake: kill -9 of a shard" snakemake_killed
    else
        skip "Snakemake" "it cannot be installed with pip"
    fi
}

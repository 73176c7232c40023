#!/usr/bin/env bash
# Shards of a plan with GNU parallel: gnu-parallel.sh PLAN.json [PROCESSES]
# --resume-failed reads the log: call it again and only what failed or was killed runs. Over several machines that see
# the same folders: add --sshlogin HOST1,HOST2.
set -euo pipefail
plan=$1
nalcms=${NALCMS:-nalcms}
shards=$("$nalcms" status "$plan" --json | python3 -c 'import json, sys; print(*json.load(sys.stdin)["todo_shards"], sep="\n")')
if [ -n "$shards" ]; then
    # A shard's number is an argument here, not an index of a scheduler: it counts from 0 like the plan.
    parallel --jobs "${2:-2}" --retries 3 "$nalcms" run "$plan" --shard {} --threads 1 <<<"$shards"
fi
exec "$nalcms" merge "$plan"

#!/usr/bin/env python3
"""Works on a nalcms plan with Dask: one Dask task per shard, each a process of the program; then the merge.

    nalcms plan job.toml -o plan.json --shards 64
    scripts/dask_shards.py plan.json --scheduler tcp://10.0.0.1:8786
    scripts/dask_shards.py plan.json --workers 4                      a cluster on this machine
    scripts/dask_shards.py plan.json --workers 8 --slurm --walltime 02:00:00 --memory 4GB

Plan, inputs and output must lie at the same paths for every worker. Dask decides where and when; what is done is
read off the parts, so whatever Dask runs twice, or another engine runs at the same time, does no harm.
Ends with the exit code of the merge; with 1 if a shard failed for good (the others are done, nothing is merged).
"""

import argparse
import json
import os
import subprocess
import sys

from distributed import Client, LocalCluster, as_completed

# Trying again does not help against these: usage, refused inputs, a bug or a conflict.
FINAL = {2, 3, 70}


class ShardFailed(Exception):
    """A shard ended with an exit code that a second try may mend."""


def run_shard(program, plan, shard, threads):
    """Runs one shard; returns its number, exit code and last words. Runs on the workers."""
    # --die-with-parent: the program must not outlive a worker that was killed, as Dask runs the shard elsewhere then.
    command = [program, "run", plan, "--shard", str(shard), "--die-with-parent", "--threads", str(threads)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    words = done.stderr[-2000:]
    if done.returncode and done.returncode not in FINAL:
        raise ShardFailed(f"shard {shard} ended with {done.returncode}: {words}")
    return shard, done.returncode, words


def shards_of(program, plan):
    """The shards that are not done, as the program counts them."""
    told = subprocess.run([program, "status", plan, "--json"], capture_output=True, text=True)
    if told.returncode:
        sys.exit(told.stderr)
    return json.loads(told.stdout)["todo_shards"]


def cluster_of(args):
    """The client of a scheduler that runs already, or of a cluster of its own."""
    if args.scheduler:
        return Client(args.scheduler)
    if not args.slurm:
        return Client(LocalCluster(n_workers=args.workers, threads_per_worker=1, dashboard_address=None))
    from dask_jobqueue import SLURMCluster

    options = {"host": args.host} if args.host else {}
    cluster = SLURMCluster(
        queue=args.partition,
        cores=1,
        processes=1,
        job_cpu=args.threads,
        memory=args.memory,
        walltime=args.walltime,
        scheduler_options=options,
        job_extra_directives=args.sbatch_arg,
    )
    cluster.scale(args.workers)
    return Client(cluster)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plan", help="plan file of `nalcms plan JOB.toml -o`")
    parser.add_argument("--program", default="nalcms", help="the program, on this machine and on the workers")
    parser.add_argument("--threads", type=int, default=1, help="threads of each shard")
    parser.add_argument("--retries", type=int, default=2, help="second tries of a shard that was stopped or could not read")
    parser.add_argument("--workers", type=int, default=2, help="workers of a cluster of its own")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="a scheduler that runs already")
    parser.add_argument("--slurm", action="store_true", help="workers are Slurm jobs (dask-jobqueue)")
    parser.add_argument("--host", help="with --slurm: this machine's address as the nodes see it")
    parser.add_argument("--partition", help="with --slurm")
    parser.add_argument("--walltime", default="01:00:00", help="with --slurm")
    parser.add_argument("--memory", default="3GB", help="with --slurm: of each worker")
    parser.add_argument("--sbatch-arg", action="append", default=[], help="with --slurm: one more line of sbatch")
    args = parser.parse_args()

    # Workers start in folders of their own.
    args.plan = os.path.abspath(args.plan)
    if os.sep in args.program:
        args.program = os.path.abspath(args.program)
    shards = shards_of(args.program, args.plan)
    failed = []
    with cluster_of(args) as client:
        # pure=False: Dask must not take a shard for done because it ran one of the same name before.
        tasks = [
            client.submit(run_shard, args.program, args.plan, shard, args.threads, key=f"shard-{shard}-{client.id}",
                          pure=False, retries=args.retries)
            for shard in shards
        ]
        for task in as_completed(tasks):
            if task.status != "finished":
                failed.append(f"{task.key}: {task.exception()}")
            elif task.result()[1]:
                failed.append("shard {} ended with {}: {}".format(*task.result()))
    for words in failed:
        print(words, file=sys.stderr)
    if failed:
        print(f"{len(failed)} of {len(shards)} shards failed, the others are done; nothing was merged", file=sys.stderr)
        return 1
    return subprocess.run([args.program, "merge", args.plan]).returncode


if __name__ == "__main__":
    sys.exit(main())

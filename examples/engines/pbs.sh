#!/bin/bash
# PBS Pro:  qsub -J 0-63 pbs.sh   (PBS_ARRAY_INDEX);  Torque:  qsub -t 0-63 pbs.sh   (PBS_ARRAYID)
# Both count as you say: from 0 here, like the plan. PBS Pro takes no array of one element: for one shard write
# --shard 7 instead of --shard auto. Then merge:
#   qsub -W depend=afterany:JOBID -- "$(command -v nalcms)" merge "$PWD/plan.json"
#PBS -N nalcms
#PBS -r y
cd "$PBS_O_WORKDIR" || exit 2
# exec: a signal sent to the job's shell alone reaches the program too.
exec nalcms run plan.json --shard auto --threads "${NCPUS:-1}"

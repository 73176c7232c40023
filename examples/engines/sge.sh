#!/bin/bash
# Grid Engine:  qsub -t 1-64 sge.sh   for a plan of 64 shards; then  qsub -hold_jid nalcms -b y nalcms merge plan.json
# SGE_TASK_ID counts from 1; `--shard auto` knows and takes one off. To send shard 7 again:  qsub -t 8 sge.sh
# A job that Grid Engine kills (qdel, a limit) loses the tasks that it is at; done ones are kept, merge names the rest.
#$ -N nalcms
#$ -cwd -V
#$ -r y
# exec: a signal sent to the job's shell alone reaches the program too.
exec nalcms run plan.json --shard auto --threads "${NSLOTS:-1}"

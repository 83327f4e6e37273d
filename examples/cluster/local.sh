#!/bin/sh
# Several processes on this machine, connected as srun would connect them.
#
#   ./local.sh                           two processes of two CPU devices each
#   PROCESSES=3 ./local.sh --seconds 5   three; arguments go to the script
set -eu
processes=${PROCESSES:-2}
script=$(dirname "$0")/large_network.py
[ $# -gt 0 ] || set -- --regions 100 --seconds 1

export JAX_PLATFORMS=cpu XLA_FLAGS="--xla_force_host_platform_device_count=${DEVICES:-2}"
export SLURM_JOB_ID=$$ SLURM_STEP_NODELIST=127.0.0.1 SLURM_NTASKS="$processes"
rank=1
while [ "$rank" -lt "$processes" ]; do
    SLURM_PROCID=$rank SLURM_LOCALID=$rank "${PYTHON:-python}" "$script" "$@" &
    rank=$((rank + 1))
done
SLURM_PROCID=0 SLURM_LOCALID=0 "${PYTHON:-python}" "$script" "$@"
wait

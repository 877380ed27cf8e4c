#!/usr/bin/env bash
# What to run where an NVIDIA GPU is lent: W2 and Lorenz through simulate() beside kernels written by hand in CUDA.
#   benchmarks/gpu_checks.sh FOLDER        writes FOLDER/gpu.jsonl, FOLDER/ratios.txt and FOLDER/log.txt
# PYTHON: an interpreter with what this package needs and a JAX that sees the GPU. SOLVER: ensemble unless set.
# SIZES and LORENZ: other numbers of trajectories, for a rehearsal without a GPU.
set -uo pipefail
folder=${1:?"give a folder for the results"}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
solver=${SOLVER:-ensemble}
sizes=${SIZES:-1048576 8388608}
failed=0
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1

{
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv
  "$python" -c 'import jax; print(jax.__version__, jax.devices())'
} >"$folder/log.txt" 2>&1

# One measurement may fail, or hang, without costing the others.
check() {
  echo "== $*" >>"$folder/log.txt"
  if ! timeout "${LIMIT:-150}" "$python" benchmarks/ensemble.py "$@" >>"$folder/gpu.jsonl" 2>"$folder/last.txt"; then
    echo "failed: $*" | tee -a "$folder/ratios.txt" "$folder/log.txt"
    failed=1
  fi
  cat "$folder/last.txt" >>"$folder/log.txt"
  grep -E '^(workload|W[123]|lorenz) |skipped' "$folder/last.txt" | tee -a "$folder/ratios.txt"
}

for n in $sizes; do
  check --workload W2 --solver "$solver" --dtype float32 --n "$n" --peer cuda --peer cuda-fast-math
  check --workload W2 --solver "$solver" --dtype float64 --n "$n" --peer cuda
done
check --workload lorenz --solver "$solver" --dtype float32 --n "${LORENZ:-8388608}" \
  --peer cuda --peer cuda-fast-math --peer cuda-fixed
check --workload W2 --solver "$solver" --dtype float64 --n "${sizes%% *}" --repeats 1 --peer diffrax
rm -f "$folder/last.txt"
cat "$folder/gpu.jsonl"
exit $failed

"""Benchmarks, a script each: `python -m benchmarks.bench_conv`. One thread, as BLAS must hear before NumPy loads."""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(name, None)  # set for another machine, they slow this one down

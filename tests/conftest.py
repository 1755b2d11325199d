"""One thread of torch's: small networks on few cores are faster so, and results the same on every machine with that BLAS."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything imports torch; subprocesses inherit it

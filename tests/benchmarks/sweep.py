"""Benchmark of a sweep: the target `noise` on MNIST by --jobs 1 and --jobs 2, one thread each, and where a run's time goes.

python -m tests.benchmarks.sweep --data_dir DIR      # three minutes
"""

import tempfile
import time
from pathlib import Path
from statistics import median

from threadpoolctl import threadpool_limits

from Figure.linear_targets import NOISES, comparisons
from Figure.lines import Store
from Figure.sweep import sweep
from run.flags import Parser, add_data_dir
from run.script import run_script


def main() -> None:
    flags = Parser("benchmark", __doc__)
    add_data_dir(flags.add_argument_group("data"))
    data_dir = flags.parse_args().data_dir
    runs, seconds = comparisons(("mnist",), NOISES, 1), {}
    for jobs in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            store, begin = Store(Path(folder)), time.perf_counter()
            with threadpool_limits(1):  # as joblib does it in its processes
                sweep(runs, store, data_dir, jobs)
            seconds[jobs] = time.perf_counter() - begin
            stages = [line["seconds"] for line in store.read("compare")]
        outside = [1 - (stage["fit"] + stage["solve"]) / sum(stage.values()) for stage in stages]
        shares = f"share of a run outside fits and solves: median {median(outside):.3f}, largest {max(outside):.3f}"
        print(f"--jobs {jobs}: {len(runs)} runs in {seconds[jobs]:.1f} s; {shares}")
    print(f"--jobs 2 over --jobs 1: {seconds[2] / seconds[1]:.2f}")


if __name__ == "__main__":
    run_script("benchmark", main)

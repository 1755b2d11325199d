"""Benchmark of RDIA-LS by one process and by two, started by torchrun, one thread each, gloo on CPUs.

    python -m tests.benchmarks.ranks --data_dir DIR      # three minutes; two cores to itself, or the ratios say nothing

An epoch is one after the warm-up, of the whole training set, evaluation included: medians. A step of two ranks has two messages,
the logits of the batch and the gradient, whose time does not fall with the rows: larger batches gain more.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from run.flags import Parser, add_data_dir
from run.script import run_script
from tests.invoke import ROOT

EPOCHS = {"digits": 40, "mnist": 7}
BATCHES = (128, 1024)


def seconds(ranks: int, dataset: str, batch: int, data_dir: Path) -> float:
    """Median seconds of an epoch after the warm-up."""
    epochs = EPOCHS[dataset]
    schedule = ("--n_epoch", epochs, "--epoch_decay_start", epochs - 1, "--init_epoch", 2, "--num_gradual", 2)
    with tempfile.TemporaryDirectory() as folder:
        run = ("RDIA-LS.py", "--quiet", "--dataset", dataset, "--batch_size", batch, "--data_dir", data_dir, "--result_dir", folder)
        torchrun = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", ranks)
        around = os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
        subprocess.run([str(word) for word in (*torchrun, *run, *schedule)], cwd=ROOT, env=around, check=True, capture_output=True)
        lines = [json.loads(line) for line in (Path(folder) / "epochs.jsonl").read_text().splitlines()]
    return median(line["seconds"] for line in lines[2:])


def main() -> None:
    flags = Parser("benchmark", __doc__)
    add_data_dir(flags.add_argument_group("data"))
    data_dir = flags.parse_args().data_dir
    print("an epoch by two ranks, its time over that by one process (seconds of one, of two)")
    for dataset in EPOCHS:
        for batch in BATCHES:
            one, two = (seconds(ranks, dataset, batch, data_dir) for ranks in (1, 2))
            print(f"  {dataset:<8} batches of {batch:<5} {two / one:6.2f}   ({one:.3f}, {two:.3f})")


if __name__ == "__main__":
    run_script("benchmark", main)

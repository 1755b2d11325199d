"""Benchmark of influence in a network, one thread, all in one run.

    python -m tests.benchmarks.network --data_dir DIR      # three minutes

Phi and eta of every label for MNIST's 60,000 training pictures, half of their labels wrong, in the MLP (203,530 parameters), over
one full-batch gradient of the same loss; and how much memory that takes on top of the data.
"""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch

from data.noise import redraw_labels
from data.public import mnist_part
from influence.network import BATCH, LabelledTensors, Parameters, network_influence
from models.network_model import Fitting, NetworkModel
from run.flags import Parser, add_data_dir
from run.script import run_script
from tests.benchmarks.softmax import peak

REPEATS = 3


def seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def measure(data_dir: Path) -> None:
    parts = [mnist_part(data_dir / "MNIST" / "raw", part) for part in ("train", "t10k")]
    x, x_validation = (torch.tensor(part.x).float().div_(255).view(-1, 1, 28, 28) for part in parts)
    labels, labels_validation = (part.labels for part in parts)
    given = redraw_labels(labels, 10, 0.5, "symmetric", np.random.default_rng(1)).labels
    network = NetworkModel(10, (28, 28), "mlp", 1, 2, torch.device("cpu"), fitting=Fitting(5)).fit(x, given)
    train, validation = (
        LabelledTensors(x, torch.from_numpy(given)),
        LabelledTensors(x_validation, torch.from_numpy(labels_validation)),
    )
    network_influence(network, LabelledTensors(x[:100], train.labels[:100]), validation)  # torch loads what it needs for that
    before = peak()
    gradient = median(seconds(lambda: whole_gradient(network, train)) for _ in range(REPEATS))
    taken = median(seconds(lambda: network_influence(network, train, validation)) for _ in range(REPEATS))
    found, size = network_influence(network, train, validation), Parameters(network).size
    solution = found.scores.solution
    print(f"MLP on MNIST: influence over a gradient {taken / gradient:.1f} ({taken:.2f} s of {gradient:.3f} s),")
    print(f"  {solution.iterations} iterations, residual {solution.residual:.1e}, damping {found.damping:.3g};", end=" ")
    print(f"{(peak() - before):.0f} MiB on top of {before:.0f}: data {x.nbytes / 2**20:.0f} MiB, 20 parameter vectors", end=" ")
    print(f"{20 * 8 * size / 2**20:.0f} MiB")


def whole_gradient(network: torch.nn.Module, data: LabelledTensors) -> None:
    """The summed cross-entropy's gradient as a plain torch program takes it."""
    network.zero_grad()
    for batch in data.batches(BATCH):
        torch.nn.functional.cross_entropy(network(batch.x), batch.labels, reduction="sum").backward()


def main() -> None:
    flags = Parser("benchmark", __doc__)
    add_data_dir(flags.add_argument_group("data"))
    torch.set_num_threads(1)
    measure(flags.parse_args().data_dir)


if __name__ == "__main__":
    run_script("benchmark", main)

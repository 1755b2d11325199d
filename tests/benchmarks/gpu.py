"""Benchmark of training on a GPU, all in one run; times by CUDA events, medians of five.

    python -m tests.benchmarks.gpu      # a minute on a GPU

An epoch of RDIA-LS after the warm-up on generated pictures of MNIST's and CIFAR-10's size, by a CUDA graph and kernel by kernel
from Python, in TF32 and in bfloat16.
"""

from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import torch

from data.errors import InputError
from models.architectures import build, placed
from models.devices.device import choose_device
from models.settings import Network, Settings
from models.training import Forward, Tensors, forward, start, train_epoch
from run.flags import Parser
from run.script import run_script

REPEATS = 5
RATE, EPOCH, CLASSES = 0.8, 20, 10
SETTINGS = Settings(forget_rate=RATE, discard_rate=RATE / 2)
SETS: dict[str, tuple[Network, int, tuple[int, int, int]]] = {
    "MNIST, MLP": ("mlp", 60_000, (1, 28, 28)),
    "CIFAR-10, CNN": ("cnn", 50_000, (3, 32, 32)),
}


def generated(n: int, shape: tuple[int, int, int], device: torch.device) -> Tensors:
    """Random pictures: speed does not depend on them."""
    generator = torch.Generator(device).manual_seed(0)
    x = torch.rand((n, *shape), generator=generator, device=device)
    labels = torch.randint(0, CLASSES, (n,), generator=generator, device=device)
    return Tensors(x, labels, labels >= 0, x[:1000], labels[:1000], CLASSES)


def epochs(device: torch.device) -> None:
    """Print the seconds of an epoch."""
    for name, (network, n, shape) in SETS.items():
        data = generated(n, shape, device)
        for kind, amp in (("TF32", False), ("bfloat16", True)):
            graph, kernels = (
                epoch_seconds(build(network, shape, CLASSES, 0), data, SETTINGS._replace(amp=amp), of)
                for of in (forward, partial(forward))
            )
            print(f"{name}, an epoch in {kind}: {graph:.3f} s by a graph, {kernels:.3f} s kernel by kernel", flush=True)


def epoch_seconds(network: torch.nn.Module, data: Tensors, settings: Settings, of_batch: Forward) -> float:
    state = start(placed(network, data.x.device), torch.nn.Identity(), settings, 0)
    return event_seconds(lambda: train_epoch(state, data, settings, EPOCH, of_batch))


def event_seconds(call: Callable[[], Any]) -> float:
    """Between two CUDA events, the median after one call to warm up."""
    taken = []
    for _ in range(REPEATS + 1):
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        first.record()
        call()
        last.record()
        last.synchronize()
        taken.append(first.elapsed_time(last) / 1000)
    return median(taken[1:])


def main() -> None:
    Parser("benchmark", __doc__).parse_args()
    if not torch.cuda.is_available():
        raise InputError("there is no GPU here that torch can use; run this where there is one")
    torch.set_num_threads(1)
    device = choose_device(None)
    print(f"on one {torch.cuda.get_device_name(device)}, torch {torch.__version__}")
    epochs(device)


if __name__ == "__main__":
    run_script("benchmark", main)

"""Benchmark of RDIA-LS on MNIST's size, one thread, all in one run: ratios are medians of five.

    python -m tests.benchmarks.training      # about two minutes

An epoch after the warm-up is compared with a bare loop (index, forward, cross-entropy, backward, fused Adam) on the same tensors,
and with the same loop over a DataLoader with two workers that makes each picture from its bytes by Pillow and torchvision, as most
training code does. On a CPU the CNN for CIFAR's pictures is trained in float32 and, as by --amp, in bfloat16. Pictures and labels
are random numbers: speed does not depend on them.
"""

import time
from collections.abc import Callable
from statistics import median

import torch
from PIL import Image
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.functional import to_tensor

from models.architectures import build, placed
from models.devices.device import has_bfloat16
from models.settings import FAST, Settings
from models.training import Tensors, start, train_epoch
from run.flags import Parser
from run.script import run_script

REPEATS = 5
N, BATCH, RATE, EPOCH = 60_000, 128, 0.8, 20
CNN_STEPS = 5
SETTINGS = Settings(forget_rate=RATE, discard_rate=RATE / 2, weight_decay=1e-5)


def generated(device: torch.device, n: int = N, shape: tuple[int, int, int] = (1, 28, 28)) -> Tensors:
    """Pictures of one shape, MNIST's by default."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(n, *shape, generator=generator).to(device)
    labels = torch.randint(0, 10, (n,), generator=generator).to(device)
    return Tensors(x, labels, labels >= 0, x[:BATCH], labels[:BATCH], 10)


def ours(data: Tensors, settings: Settings) -> Callable[[], None]:
    """An epoch of `models.training` after the warm-up."""
    _, channels, height, width = data.x.shape
    network = placed(build("auto", (channels, height, width), 10, 0), data.x.device, settings.amp)
    state = start(network, torch.nn.Identity(), settings, 0)

    def epoch() -> None:
        train_epoch(state, data, settings, EPOCH).losses.sum().item()  # the epoch's one transfer

    return epoch


def bare(data: Tensors) -> Callable[[], None]:
    """The least that training does."""
    network = build("mlp", (1, 28, 28), 10, 0).to(data.x.device)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3, fused=True)

    def epoch() -> None:
        for batch in torch.randperm(N, device=data.x.device).split(BATCH)[: N // BATCH]:
            step(network, optimizer, data.x[batch], data.labels[batch])

    return epoch


class AsUsual(Dataset[tuple[torch.Tensor, int]]):
    """Pictures the way torchvision's data sets give them: bytes, through Pillow, to a tensor, one at a time."""

    def __init__(self, data: Tensors) -> None:
        self.pixels = (data.x.cpu().squeeze(1) * 255).byte().numpy()
        self.labels = data.labels.cpu().tolist()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        return to_tensor(Image.fromarray(self.pixels[row])), self.labels[row]


def by_loader(data: Tensors) -> Callable[[], None]:
    """The bare loop from a DataLoader with two workers."""
    network = build("mlp", (1, 28, 28), 10, 0).to(data.x.device)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    loader = DataLoader(AsUsual(data), batch_size=BATCH, shuffle=True, drop_last=True, num_workers=2)

    def epoch() -> None:
        for x, labels in loader:
            step(network, optimizer, x.to(data.x.device), labels.to(data.x.device))

    return epoch


def step(network: torch.nn.Module, optimizer: torch.optim.Optimizer, x: torch.Tensor, labels: torch.Tensor) -> None:
    loss = cross_entropy(network(x), labels)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def seconds(call: Callable[[], None], device: torch.device) -> float:
    begin = time.perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begin


def main() -> None:
    Parser("benchmark", __doc__).parse_args()
    torch.set_num_threads(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    data = generated(device)
    contenders = {
        "RDIA-LS": ours(data, SETTINGS),
        "RDIA-LS, averaged weights (--recipe fast)": ours(data, SETTINGS._replace(average=FAST["average"])),
        "bare loop": bare(data),
        "DataLoader, two workers": by_loader(data),
    }
    for call in contenders.values():
        call()  # warm up caches and allocators
    taken = [{name: seconds(call, device) for name, call in contenders.items()} for _ in range(REPEATS)]
    print(f"an epoch of {N:,} pictures in batches of {BATCH} on {device}, ratio to the bare loop (seconds)")
    for name in contenders:
        ratio = median(times[name] / times["bare loop"] for times in taken)
        print(f"  {name:<42} {ratio:6.2f}   ({median(times[name] for times in taken):.2f})")
    if device.type == "cpu":
        compare_bfloat16(device)


def compare_bfloat16(device: torch.device) -> None:
    """The CNN's steps in float32 and in bfloat16."""
    data = generated(device, CNN_STEPS * BATCH, (3, 32, 32))
    contenders = {name: ours(data, SETTINGS._replace(amp=name == "bfloat16")) for name in ("float32", "bfloat16")}
    for call in contenders.values():
        call()
    taken = [{name: seconds(call, device) / CNN_STEPS for name, call in contenders.items()} for _ in range(REPEATS)]
    ratio = median(times["float32"] / times["bfloat16"] for times in taken)
    each = ", ".join(f"{name} {median(times[name] for times in taken):.2f} s" for name in contenders)
    told = "has" if has_bfloat16(device) else "does not have"
    print(f"a step of the CNN on {BATCH} pictures of CIFAR's size: {each}: {ratio:.2f} times as fast; this CPU {told} bfloat16")


if __name__ == "__main__":
    run_script("benchmark", main)

"""Networks for pictures: the released MLP and six-convolution CNN, and the pre-activation ResNet-18."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from models.settings import Network

DOWNSAMPLED = 8  # pixels: the least height and width for the networks with convolutions, which halve both three times


def build(network: Network, shape: tuple[int, int, int], classes: int, seed: int) -> nn.Module:
    """A network for pictures of `shape` (channels, height, width), initialised from `seed` alone."""
    makers: dict[Network, Callable[[tuple[int, int, int], int], nn.Module]] = {"mlp": mlp, "cnn": cnn, "resnet18": PreActResNet18}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return makers[suited(shape) if network == "auto" else network](shape, classes)


def placed(network: nn.Module, device: torch.device, amp: bool = False) -> nn.Module:
    """The network on a device; on a GPU, and for bfloat16 (amp), convolutions get the layout that is faster, channels last."""
    network, last = network.to(device), amp or device.type == "cuda"
    return network.to(memory_format=torch.channels_last) if last else network  # type: ignore[call-overload]


def suited(shape: tuple[int, int, int]) -> Network:
    """The released choice: the CNN for CIFAR's size, ResNet-18 for Tiny ImageNet's (64) and above, else the MLP."""
    channels, height, width = shape
    if channels < 3 or min(height, width) < 32:
        return "mlp"
    return "cnn" if min(height, width) < 64 else "resnet18"


def mlp(shape: tuple[int, int, int], classes: int) -> nn.Module:
    """pixels - 256 - classes, ReLU [released]."""
    channels, height, width = shape
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, 256), nn.ReLU(), nn.Linear(256, classes))


def cnn(shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Six 3 x 3 convolutions, 64-64-pool-128-128-pool-196-196-pool, then 256, each with batch norm and ReLU [released]."""
    channels, height, width = shape
    layers: list[nn.Module] = []
    for before, after in ((channels, 64), (64, 128), (128, 196)):
        layers += [*_convolution(before, after), *_convolution(after, after), nn.MaxPool2d(2)]
    hidden = [nn.Linear(196 * (height // 8) * (width // 8), 256), nn.BatchNorm1d(256), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), *hidden, nn.Linear(256, classes))


def _convolution(before: int, after: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()


class PreActBlock(nn.Module):
    """Batch norm and ReLU before each of two convolutions, and a shortcut (He et al. 2016b)."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(before), nn.BatchNorm2d(after)
        self.conv1 = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        same = stride == 1 and before == after
        self.shortcut = None if same else nn.Conv2d(before, after, 1, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:  # (n, before, h, w) -> (n, after, h / stride, w / stride)
        active = self.norm1(x).relu()
        carried = x if self.shortcut is None else self.shortcut(active)
        return carried + self.conv2(self.norm2(self.conv1(active)).relu())


class PreActResNet18(nn.Module):
    """Eight pre-activation blocks, 64 to 512 channels, and one linear layer (He et al. 2016b)."""

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(shape[0], 64, 3, padding=1, bias=False)
        widths, strides = (64, 64, 64, 128, 128, 256, 256, 512, 512), (1, 1, 2, 1, 2, 1, 2, 1)
        self.blocks = nn.Sequential(*(PreActBlock(*sizes) for sizes in zip(widths[:-1], widths[1:], strides, strict=True)))
        self.norm, self.head = nn.BatchNorm2d(512), nn.Linear(512, classes)

    def forward(self, x: Tensor) -> Tensor:  # (n, channels, h, w) -> (n, classes)
        features = self.norm(self.blocks(self.stem(x))).relu()
        return self.head(features.mean((2, 3)))

import itertools

import pytest
import torch

from models.architectures import build, suited
from models.settings import NETWORKS, Network


def parameters(network: Network, shape: tuple[int, int, int], classes: int) -> int:
    return sum(p.numel() for p in build(network, shape, classes, 0).parameters())


def test_the_mlp_has_the_released_sizes() -> None:
    assert parameters("mlp", (1, 28, 28), 10) == 784 * 256 + 256 + 256 * 10 + 10


def test_the_cnn_has_the_released_sizes() -> None:
    widths = [3, 64, 64, 128, 128, 196, 196]
    convolutions = sum(9 * a * b + b + 2 * b for a, b in itertools.pairwise(widths))
    assert parameters("cnn", (3, 32, 32), 10) == convolutions + 3136 * 256 + 256 + 2 * 256 + 256 * 10 + 10


def test_resnet18_has_the_known_size() -> None:
    """11.17 million parameters with ten classes: the pre-activation ResNet-18 of the field for 32 x 32 pictures."""
    assert parameters("resnet18", (3, 32, 32), 10) == pytest.approx(11.17e6, rel=1e-3)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("shape", [(3, 32, 32), (3, 40, 48)])
def test_every_network_gives_a_logit_a_class_and_a_gradient_to_each_parameter(
    network: Network, shape: tuple[int, int, int]
) -> None:
    net = build(network, shape, 7, 0)
    logits = net(torch.rand(4, *shape))
    assert logits.shape == (4, 7)
    logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters() if p.ndim > 1)


def test_the_seed_alone_decides_the_weights_and_the_global_stream_is_left_as_it_was() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first = build("mlp", (1, 4, 4), 3, 1)
    assert torch.rand(1) == expected
    again, other = build("mlp", (1, 4, 4), 3, 1), build("mlp", (1, 4, 4), 3, 2)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(next(first.parameters()), next(other.parameters()))


@pytest.mark.parametrize(
    ("shape", "network"), [((1, 28, 28), "mlp"), ((3, 32, 32), "cnn"), ((3, 64, 64), "resnet18"), ((1, 1, 30), "mlp")]
)
def test_the_network_follows_from_the_pictures(shape: tuple[int, int, int], network: Network) -> None:
    assert suited(shape) == network

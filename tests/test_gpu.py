"""What needs a GPU: training by CUDA graphs, NCCL and SyncBatchNorm by one rank. `make gpu` runs it with the others that can."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from models.architectures import build, placed
from models.devices.ranks import Ranks
from models.devices.shared_norm import share_norms
from models.devices.together import forward_together
from models.methods import companion
from models.settings import METHODS, Method, Settings, Warmup
from models.training import Epoch, Forward, State, Tensors, forward, start, train
from models.trusted import Trusted

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that torch can use")
GPU = torch.device("cuda", 0)
ONE_OF_ONE = Ranks(0, 1, 0, 1)
KERNEL_BY_KERNEL = partial(forward)  # only `forward` itself is put into a graph
SETTINGS = Settings(n_epoch=4, init_epoch=2, num_gradual=2, epoch_decay_start=3, batch_size=32, forget_rate=0.5, discard_rate=0.25)


def data() -> Tensors:
    """Three classes of 8 by 8 pictures, a third of the labels wrong; in float64, as each step amplifies rounding."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (300,), generator=generator)
    x = (
        torch.rand(300, 3, 8, 8, generator=generator, dtype=torch.float64) / 2
        + (torch.arange(64).reshape(8, 8) % 3 == labels.reshape(-1, 1, 1, 1)) / 2
    )
    correct = torch.arange(300) % 3 > 0
    given = torch.where(correct, labels, (labels + 1) % 3)
    return Tensors(x[:200].cuda(), given[:200].cuda(), correct[:200].cuda(), x[200:].cuda(), labels[200:].cuda(), 3)


def begin(settings: Settings, shared: bool = False) -> State:
    networks = [placed(build("cnn", (3, 8, 8), 3, seed).double(), GPU) for seed in (1, 9)]
    if shared:
        networks = [share_norms(one, GPU) for one in networks]
    return start(networks[0], companion(settings.method, 3, lambda: networks[1]).cuda().double(), settings, 2)


def trained(settings: Settings, of_batch: Forward, given: Tensors | None = None) -> list[Epoch]:
    return list(train(begin(settings), given or data(), settings, of_batch=of_batch))


def assert_close(first: list[Epoch], second: list[Epoch]) -> None:
    for a, b in zip(first[1:], second[1:], strict=True):
        assert a.train_loss == pytest.approx(b.train_loss, rel=1e-4, abs=1e-7)
    assert first[-1].test_accuracy == pytest.approx(second[-1].test_accuracy, abs=2)


@pytest.mark.parametrize("average", [0.0, 0.1])
@pytest.mark.parametrize("warmup", ["released", "balanced"])
def test_a_graph_trains_as_single_kernels_do(warmup: Warmup, average: float) -> None:
    settings = SETTINGS._replace(warmup=warmup, average=average)
    assert_close(trained(settings, forward), trained(settings, KERNEL_BY_KERNEL))


@pytest.mark.parametrize("method", METHODS)
def test_every_method_trains_by_a_graph(method: Method) -> None:
    settings = SETTINGS._replace(method=method)
    assert_close(trained(settings, forward), trained(settings, KERNEL_BY_KERNEL))


def test_trusted_samples_are_in_the_graph() -> None:
    given = data()
    given = given._replace(trusted=Trusted(given.x_test[:10], given.labels_test[:10]))
    settings = SETTINGS._replace(warmup="balanced")
    assert_close(trained(settings, forward, given), trained(settings, KERNEL_BY_KERNEL, given))


def test_sgd_trains_by_a_graph() -> None:
    settings = SETTINGS._replace(optimizer="sgd", lr=0.01)
    assert_close(trained(settings, forward), trained(settings, KERNEL_BY_KERNEL))


@pytest.fixture
def nccl(tmp_path: Path) -> Iterator[None]:
    dist.init_process_group("cpu:gloo,cuda:nccl", store=dist.FileStore(str(tmp_path / "store"), 1), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("nccl")
@pytest.mark.parametrize("method", ["rdia-ls", "co-teaching"])
def test_one_rank_by_nccl_trains_as_a_single_process_does(method: Method) -> None:
    settings = SETTINGS._replace(method=method)
    state = begin(settings, shared=True)
    together = list(train(state, data(), settings, of_batch=forward_together(ONE_OF_ONE, state, settings)))
    assert_close(together, trained(settings, forward))

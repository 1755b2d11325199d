"""Which samples of a batch each method trains on, and with what loss: before, at and after the end of the warm-up.

20 samples of two labels; forget rate 0.4 reached in epoch 3, the warm-up ends before epoch 5, a fifth is discarded after it.
"""

import numpy as np
import pytest
import torch

from models.methods import Batch, companion, take_step
from models.settings import Method, Settings, Warmup

N, K = 20, 3
SETTINGS = Settings(forget_rate=0.4, discard_rate=0.2, num_gradual=4, init_epoch=5, gamma=0.3, n_epoch=9, epoch_decay_start=6)
KEPT = {0: 20, 1: 17, 2: 14, 3: 12, 4: 12, 5: 12, 8: 12}  # int((1 - 0.4 min(1, epoch / 3)) 20)


def batch() -> Batch:
    rng = np.random.default_rng(3)
    labels = np.repeat([0, 1], [15, 5])
    logits = rng.standard_normal((N, K)) - 4.0 * np.eye(K)[labels] * (labels == 1)[:, None]  # the rare label starts badly
    return Batch(torch.from_numpy(logits), torch.from_numpy(labels), torch.from_numpy(rng.standard_normal((N, K))))


@pytest.mark.parametrize("epoch", [3, 8])
@pytest.mark.parametrize("warmup", ["released", "balanced"])
@pytest.mark.parametrize("method", ["self-teaching", "rdia-ls"])
def test_trusted_samples_are_kept_however_large_their_losses(method: Method, warmup: Warmup, epoch: int) -> None:
    given = batch()
    losses = entropies(given.logits, given.labels)
    largest = torch.from_numpy(losses >= np.sort(losses)[-4])
    split = take_step(given._replace(trusted=largest), SETTINGS._replace(method=method, warmup=warmup), epoch).split
    assert set(torch.where(largest)[0].tolist()) <= set(split.clean.tolist())
    assert len(split.clean) == 12
    without = take_step(given, SETTINGS._replace(method=method, warmup=warmup), epoch).split
    assert not set(torch.where(largest)[0].tolist()) <= set(without.clean.tolist())


def softmax(z: np.ndarray) -> np.ndarray:
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


def entropies(logits: torch.Tensor, labels: torch.Tensor) -> np.ndarray:
    return -np.log(softmax(logits.numpy())[np.arange(len(labels)), labels.numpy()])


def by_share_of_label(losses: np.ndarray, labels: np.ndarray) -> list[int]:
    """Places by rank within the label over the label's count, the smaller loss first."""
    share: dict[int, float] = {}
    for label in set(labels.tolist()):
        mine = sorted(np.flatnonzero(labels == label).tolist(), key=lambda i: losses[i])
        share |= {place: rank / len(mine) for rank, place in enumerate(mine)}
    return sorted(share, key=lambda i: (share[i], losses[i]))


@pytest.mark.parametrize("epoch", KEPT)
@pytest.mark.parametrize("warmup", ["released", "balanced"])
@pytest.mark.parametrize("method", ["self-teaching", "rdia-ls"])
def test_the_warm_up_keeps_the_smallest_losses_or_of_each_label_its_smallest(method: Method, warmup: Warmup, epoch: int) -> None:
    given = batch()
    step = take_step(given, SETTINGS._replace(method=method, warmup=warmup), epoch)
    losses, keep = entropies(given.logits, given.labels), KEPT[epoch]
    order = np.argsort(losses).tolist()
    if warmup == "balanced" and epoch < 5:
        order = by_share_of_label(losses, given.labels.numpy())
        assert keep == N or order[:keep] != np.argsort(losses).tolist()[:keep]
    assert step.split.clean.tolist() == order[:keep]
    if method == "rdia-ls" and epoch >= 5:
        assert step.split.relabeled.tolist() == order[12:16]  # the last fifth is discarded
        p = softmax(given.logits.numpy())
        again = -np.log(softmax(p)[np.arange(N), given.labels.numpy()])  # Released: a softmax of probabilities
        changed = -np.log(1 - p[np.arange(N), given.labels.numpy()])
        expected = 0.3 * again[order[:12]].mean() + 0.7 * changed[order[12:16]].mean() / N
    else:
        assert step.split.relabeled.tolist() == []
        expected = losses[order[:keep]].mean()
    assert step.loss.item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("epoch", KEPT)
def test_co_teaching_trains_each_network_on_the_others_smallest_losses(epoch: int) -> None:
    given = batch()
    step = take_step(given, SETTINGS._replace(method="co-teaching"), epoch)
    first, second = entropies(given.logits, given.labels), entropies(given.second, given.labels)
    by_second, by_first = (np.argsort(losses)[: KEPT[epoch]] for losses in (second, first))
    assert step.split.clean.tolist() == by_second.tolist()
    assert step.split.relabeled.tolist() == []
    assert step.loss.item() == pytest.approx(first[by_second].mean() + second[by_first].mean(), rel=1e-9)


@pytest.mark.parametrize(("rate", "part"), [(0.1, 0.4), (0.2, 0.4), (0.35, 0.35), (0.5, 0.3), (0.8, 0.3)])
def test_sigua_unlearns_a_part_of_the_rest(rate: float, part: float) -> None:
    """The published parts are 0.4 at 20% and 0.3 at 50% noise; between them a line, beyond them the nearer."""
    given, size = batch(), 200
    given = Batch(*(torch.cat([value] * 10) for value in given[:3]))
    step = take_step(given, SETTINGS._replace(method="sigua", forget_rate=rate, num_gradual=1), 1)
    losses = np.sort(entropies(given.logits, given.labels))
    keep = int((1 - rate) * size)
    unlearned = int(part * (size - keep))
    expected = losses[:keep].mean() - 0.01 * losses[keep : keep + unlearned].mean()
    assert step.loss.item() == pytest.approx(expected, rel=1e-9)
    assert (len(step.split.clean), len(step.split.relabeled)) == (keep, 0)


@pytest.mark.parametrize("epoch", [0, 4, 5, 8])
@pytest.mark.parametrize("method", ["erm", "f-correction", "s-model"])
def test_the_others_train_on_all_samples_behind_t_after_the_warm_up(method: Method, epoch: int) -> None:
    given = batch()
    transition = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])
    step = take_step(given._replace(second=torch.from_numpy(np.log(transition))), SETTINGS._replace(method=method), epoch)
    p = softmax(given.logits.numpy())
    seen = p if method == "erm" or epoch < 5 else p @ transition
    assert step.loss.item() == pytest.approx(-np.log(seen[np.arange(N), given.labels.numpy()]).mean(), rel=1e-9)
    assert (step.split.clean.tolist(), step.split.relabeled.tolist()) == ([*range(N)], [])


def test_the_companion_of_each_method() -> None:
    peer = torch.nn.Linear(2, 2)
    plain: tuple[Method, ...] = ("erm", "rdia-ls", "sigua", "co-teaching")
    found = {method: companion(method, 4, lambda: peer) for method in plain}
    assert found["co-teaching"] is peer
    assert all(isinstance(found[method], torch.nn.Identity) for method in plain[:3])
    transitions: dict[Method, bool] = {"f-correction": False, "s-model": True}
    for method, learned in transitions.items():
        transition = companion(method, 4, lambda: peer)
        np.testing.assert_allclose(transition(torch.zeros(1)).exp().detach().numpy(), np.full((4, 4), 0.25))
        assert [value.requires_grad for value in transition.parameters()] == [learned]

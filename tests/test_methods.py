import pytest
import torch
from torch.nn.functional import cross_entropy

from models.methods import SIGUA_SCALE, Batch, companion, take_step
from models.settings import METHODS, Method, Settings

SETTINGS = Settings(n_epoch=8, init_epoch=3, num_gradual=3, epoch_decay_start=5, batch_size=16, forget_rate=0.5, discard_rate=0.25)


def batch(size: int = 16) -> Batch:
    generator = torch.Generator().manual_seed(0)
    logits, second = (torch.randn(size, 3, generator=generator, requires_grad=True) for _ in range(2))
    return Batch(logits, torch.arange(size) % 3, second)


def taken(method: Method, epoch: int, of: Batch | None = None, **changes: object) -> torch.Tensor:
    settings = SETTINGS._replace(method=method, **changes)  # type: ignore[arg-type]
    given = of or batch()
    if method in {"f-correction", "s-model"}:
        given = given._replace(second=companion(method, 3, torch.nn.Identity)(given.logits))
    return take_step(given, settings, epoch).loss


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("warmup", ["released", "balanced"])
def test_how_many_are_kept_and_relabeled(method: Method, warmup: str) -> None:
    settings = SETTINGS._replace(method=method, warmup=warmup)  # type: ignore[arg-type]
    given = batch()
    if method in {"f-correction", "s-model"}:
        given = given._replace(second=companion(method, 3, torch.nn.Identity)(given.logits))
    splits = [take_step(given, settings, epoch).split for epoch in (0, 1, 2, 3, 7)]
    everything = method in {"erm", "f-correction", "s-model"}
    during = [(16, 0), (16, 0), (16, 0)] if everything else [(16, 0), (12, 0), (8, 0)]
    after = (16, 0) if everything else (8, 4 if method == "rdia-ls" else 0)
    assert [(len(split.clean), len(split.relabeled)) for split in splits] == [*during, after, after]


def test_a_batch_without_a_clean_part_warms_up_on_all_of_it_and_then_relabels() -> None:
    settings, given = SETTINGS._replace(forget_rate=0.99, discard_rate=0.25), batch()
    warm, after = take_step(given, settings, 2), take_step(given, settings, 3)
    assert (len(warm.split.clean), len(after.split.clean), len(after.split.relabeled)) == (16, 0, 12)
    assert warm.loss.item() == pytest.approx(cross_entropy(given.logits, given.labels).item(), rel=1e-6)
    assert torch.isfinite(after.loss)


def test_co_teaching_exchanges_and_does_not_share_the_choice() -> None:
    """Each network's gradient lies on the samples whose loss is small for the other."""
    given = batch()
    take_step(given, SETTINGS._replace(method="co-teaching"), 7).loss.backward()
    for mine, other in ((given.logits, given.second), (given.second, given.logits)):
        chosen = cross_entropy(other, given.labels, reduction="none").argsort()[:8].sort().values
        own = cross_entropy(mine, given.labels, reduction="none").argsort()[:8].sort().values
        assert mine.grad is not None
        trained = mine.grad.abs().sum(1).nonzero().flatten()
        assert torch.equal(trained, chosen)
        assert not torch.equal(trained, own)


@pytest.mark.parametrize(("rate", "unlearned"), [(0.0, 0), (0.2, 1), (0.5, 2), (0.8, 3)])
def test_sigua_descends_on_the_small_losses_and_ascends_on_the_first_of_the_rest(rate: float, unlearned: int) -> None:
    given = batch()
    losses = cross_entropy(given.logits, given.labels, reduction="none").sort().values
    keep = int((1 - rate) * 16)  # 16, 12, 8, 3; of the rest 0.4, 0.3 and 0.3
    expected = losses[:keep].mean() - (SIGUA_SCALE * losses[keep : keep + unlearned].mean() if unlearned else 0)
    assert taken("sigua", 7, given, forget_rate=rate).item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("method", ["f-correction", "s-model"])
def test_a_transition_is_not_used_before_the_warm_up_is_over(method: Method) -> None:
    plain = cross_entropy(batch().logits, batch().labels).item()
    assert taken(method, 2).item() == pytest.approx(plain)
    assert taken(method, 3).item() == pytest.approx(torch.log(torch.tensor(3.0)).item())  # T uniform: says nothing


def test_self_teaching_and_the_warm_up_of_rdia_ls_are_the_same() -> None:
    for epoch in range(3):
        assert taken("self-teaching", epoch).item() == taken("rdia-ls", epoch).item()
    assert taken("self-teaching", 3).item() != taken("rdia-ls", 3).item()


@pytest.mark.parametrize("method", METHODS)
def test_what_a_method_trains_beside_its_network(method: Method) -> None:
    sizes = {"co-teaching": 2 * 4 + 4, "s-model": 9, "f-correction": 9}
    beside = companion(method, 3, lambda: torch.nn.Linear(2, 4))
    assert sum(value.numel() for value in beside.parameters()) == sizes.get(method, 0)

"""How networks are trained: step by step against a loop written out once more, at the rates that the schedule says."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from models.architectures import build
from models.methods import companion
from models.network_model import Fitting, NetworkModel, fit_network, unsuited
from models.settings import FAST, Method, Network, Settings, forget_rate, learning_rate
from models.training import LATE_BETA1, State, Tensors, Totals, evaluated, follow, predict, start, train

CPU = torch.device("cpu")


def data(n: int = 70, classes: int = 3) -> Tensors:
    rng = np.random.default_rng(1)
    x = torch.from_numpy(rng.random((n, 1, 4, 4))).float()
    labels = torch.from_numpy(rng.integers(0, classes, n))
    correct = torch.from_numpy(rng.random(n) < 0.7)
    return Tensors(x[:50], labels[:50], correct[:50], x[50:], labels[50:], classes)


def network(classes: int = 3) -> nn.Module:
    return build("mlp", (1, 4, 4), classes, 1)


def flat(module: nn.Module) -> Tensor:
    return torch.cat([value.detach().flatten() for value in module.parameters()])


RELEASED = {0: 1e-3, 79: 1e-3, 80: 1e-3, 110: 0.75e-3, 140: 0.5e-3, 199: 1e-3 / 120}
FASTER = {0: 2e-3, 15: 2e-3, 16: 2e-3, 28: 1e-3, 34: 0.5e-3, 39: 2e-3 / 24}


@pytest.mark.parametrize(("settings", "rates"), [(Settings(), RELEASED), (Settings(**FAST), FASTER)])
def test_the_rate_is_constant_and_then_falls_to_zero(settings: Settings, rates: dict[int, float]) -> None:
    assert {epoch: learning_rate(settings, epoch) for epoch in rates} == pytest.approx(rates)


def test_the_fast_recipe() -> None:
    assert FAST == {"n_epoch": 40, "epoch_decay_start": 16, "lr": 0.002, "warmup": "balanced", "average": 0.0005}


def test_the_forget_rate_rises_over_the_first_epochs() -> None:
    """0 to 0.8 over ten epochs: 0.8 e / 9, and 0.8 from the tenth on."""
    settings = Settings(forget_rate=0.8)
    assert [forget_rate(settings, epoch) for epoch in (0, 1, 3, 9, 10, 199)] == pytest.approx([0, 0.8 / 9, 2.4 / 9, 0.8, 0.8, 0.8])


@pytest.mark.parametrize("method", ["erm", "co-teaching"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_the_optimizer_is_given_the_rate_of_each_epoch(optimizer: Any, method: Method) -> None:
    settings = Settings(method=method, n_epoch=6, epoch_decay_start=2, lr=0.01, batch_size=16, optimizer=optimizer)
    state = start(network(), companion(method, 3, network), settings, 2)
    rates, betas = [], []
    for _ in train(state, data(), settings):
        rates.append([group["lr"] for group in state.optimizer.param_groups])
        betas.append([group.get("betas") for group in state.optimizer.param_groups])
    assert rates == [[pytest.approx(rate)] for rate in (0.01, 0.01, 0.01, 0.0075, 0.005, 0.0025)]
    if optimizer == "adam":
        assert betas == [[(0.9, 0.999)], [(0.9, 0.999)], *[[(LATE_BETA1, 0.999)]] * 4]
        assert LATE_BETA1 == 0.1
    trained = sum(value.numel() for group in state.optimizer.param_groups for value in group["params"])
    assert trained == sum(value.numel() for value in network().parameters()) * (2 if method == "co-teaching" else 1)


def test_training_is_the_loop_that_it_says() -> None:
    """ERM by SGD with momentum and weight decay: three batches of 16 an epoch, two of the 50 samples left over."""
    settings = Settings(method="erm", n_epoch=5, epoch_decay_start=2, lr=0.1, weight_decay=0.01, batch_size=16, optimizer="sgd")
    given, state = data(), start(network(), nn.Identity(), settings, 2)
    epochs = list(train(state, given, settings))
    by_hand, order = network(), torch.Generator().manual_seed(2)
    velocity = [torch.zeros_like(value) for value in by_hand.parameters()]
    for epoch, rate in ((1, 0.1), (2, 0.1), (3, 0.1 * 2 / 3), (4, 0.1 / 3)):
        places, losses = torch.randperm(50, generator=order), []
        for batch in (places[:16], places[16:32], places[32:48]):
            loss = cross_entropy(by_hand(given.x[batch]), given.labels[batch])
            losses.append(loss.item())
            for value, slope, speed in zip(
                by_hand.parameters(), torch.autograd.grad(loss, [*by_hand.parameters()]), velocity, strict=True
            ):
                speed.mul_(0.9).add_(slope + 0.01 * value.detach())
                value.data -= rate * speed
        assert epochs[epoch].train_loss == pytest.approx(np.mean(losses), rel=1e-4)
        assert given.correct is not None
        assert epochs[epoch].clean_share_kept == pytest.approx(given.correct[places[:48]].double().mean().item())
    torch.testing.assert_close(flat(state.network), flat(by_hand), rtol=1e-4, atol=1e-6)
    right = by_hand(given.x_test).argmax(1) == given.labels_test
    assert epochs[-1].test_accuracy == pytest.approx(100 * right.double().mean().item())


@pytest.mark.parametrize(("average", "step"), [(0.5, 0.5), (0.0005, 5 / 12)])
def test_the_average_starts_at_the_start_and_follows_every_step(average: float, step: float) -> None:
    """4 epochs of 3 batches are 12 steps (epoch 0 counts): a fifth of them at least."""
    settings = Settings(method="erm", n_epoch=4, epoch_decay_start=9, lr=0.01, batch_size=16, optimizer="sgd", average=average)
    given, state = data(), start(network(), nn.Identity(), settings, 2)
    list(train(state, given, settings))
    by_hand, order = network(), torch.Generator().manual_seed(2)
    optimizer = torch.optim.SGD(by_hand.parameters(), 0.01, 0.9)
    followed = flat(by_hand)
    for _ in range(3):
        for batch in torch.randperm(50, generator=order).split(16)[:3]:
            optimizer.zero_grad()
            cross_entropy(by_hand(given.x[batch]), given.labels[batch]).backward()
            optimizer.step()
            followed = followed + step * (flat(by_hand) - followed)
    torch.testing.assert_close(flat(state.averaged), followed, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(flat(state.network), flat(by_hand), rtol=1e-4, atol=1e-6)


def test_what_is_evaluated_is_the_average() -> None:
    settings = Settings(method="erm", n_epoch=8, epoch_decay_start=9, lr=0.05, batch_size=16, average=0.01)
    given, state = data(), start(network(), nn.Identity(), settings, 2)
    last = list(train(state, given, settings))[-1]
    shares = [
        100 * (module(given.x_test).argmax(1) == given.labels_test).double().mean().item()
        for module in (state.averaged, state.network)
    ]
    assert last.test_accuracy == pytest.approx(shares[0])
    assert shares[0] != shares[1]


def with_norm() -> Any:
    """A network that gives other logits while it is trained."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3))


def test_the_average_has_the_running_statistics_too() -> None:
    first, second = with_norm(), with_norm()
    with torch.no_grad():
        second[2].running_mean.fill_(4.0)
    follow(first, second, 0.25)
    assert first[2].running_mean.tolist() == [1.0] * 8


def test_predictions_are_of_the_network_as_it_evaluates_whatever_the_batch() -> None:
    module, x = with_norm().train(), torch.rand(2_500, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    found = predict(module, x, Settings())
    assert not any(part.training for part in module.modules())
    torch.testing.assert_close(found, module.eval()(x).softmax(1))
    assert found.sum(1).tolist() == pytest.approx([1.0] * 2_500)


def test_training_is_in_the_mode_for_training() -> None:
    """Running statistics move in every epoch, also in those after an evaluation."""
    settings = Settings(method="erm", n_epoch=4, batch_size=16)
    module = with_norm()
    state = start(module, nn.Identity(), settings, 2)
    assert [module[2].num_batches_tracked.item() for _ in train(state, data(), settings)] == [0, 3, 6, 9]


def test_shares_are_of_what_is_kept_and_what_is_relabeled() -> None:
    given, settings = data(), Settings()
    assert given.correct is not None
    totals = Totals(torch.tensor([1.0, 2.0]), torch.arange(10), torch.arange(10, 30))
    epoch = evaluated(7, totals, network(), given, settings)
    assert (epoch.epoch, epoch.train_loss) == (7, 1.5)
    assert epoch.clean_share_kept == pytest.approx(given.correct[:10].double().mean().item())
    assert epoch.wrong_share_relabeled == pytest.approx(1 - given.correct[10:30].double().mean().item())
    unknown = evaluated(7, totals, network(), given._replace(correct=None), settings)
    assert (unknown.clean_share_kept, unknown.wrong_share_relabeled, unknown.train_loss) == (None, None, 1.5)


# RDIA's own fits


@pytest.mark.parametrize(("n_epoch", "least_steps", "epochs"), [(4, 1, 4), (2, 10, 4), (2, 9, 3)])
def test_a_fit_is_adam_at_a_rate_that_falls_to_zero(n_epoch: int, least_steps: int, epochs: int) -> None:
    """50 rows in batches of 16: 3 steps an epoch; 10 steps take 4 epochs."""
    given, fitting = data(), Fitting(n_epoch, least_steps, 0.01, 16)
    fitted = fit_network(network(), given.x, given.labels, None, fitting, 5)
    by_hand, order = network(), torch.Generator().manual_seed(5)
    optimizer = torch.optim.Adam(by_hand.parameters(), 0.01, (0.9, 0.999))
    for epoch in range(epochs):
        optimizer.param_groups[0]["lr"] = 0.01 * (epochs - epoch) / epochs
        for batch in torch.randperm(50, generator=order).split(16)[:3]:
            optimizer.zero_grad()
            cross_entropy(by_hand(given.x[batch]), given.labels[batch]).backward()
            optimizer.step()
    torch.testing.assert_close(flat(fitted), flat(by_hand), rtol=1e-4, atol=1e-6)


def test_a_fit_with_relabeled_samples_is_the_same_loop_on_rs_loss() -> None:
    given, relabeled = data(), torch.arange(50) % 3 == 0
    fitted = fit_network(network(), given.x, given.labels, relabeled, Fitting(3, 1, 0.01, 16), 5)
    by_hand, order = network(), torch.Generator().manual_seed(5)
    optimizer = torch.optim.Adam(by_hand.parameters(), 0.01, (0.9, 0.999))
    for epoch in range(3):
        optimizer.param_groups[0]["lr"] = 0.01 * (3 - epoch) / 3
        for batch in torch.randperm(50, generator=order).split(16)[:3]:
            optimizer.zero_grad()
            p = by_hand(given.x[batch]).softmax(1).gather(1, given.labels[batch, None]).squeeze(1)
            (-torch.where(relabeled[batch], 1 - p, p).log()).mean().backward()
            optimizer.step()
    torch.testing.assert_close(flat(fitted), flat(by_hand), rtol=1e-3, atol=1e-5)


def test_a_fitted_network_is_as_it_evaluates() -> None:
    given = data()
    fitted: Any = fit_network(with_norm(), given.x, given.labels, None, Fitting(2, 1, 0.01, 16), 5)
    assert fitted[2].num_batches_tracked.item() == 6
    assert not any(part.training for part in fitted.modules())
    model = NetworkModel(3, (4, 4), "mlp", 1, 2, CPU)
    whole = model.logits(given.x, fitted)
    np.testing.assert_allclose(np.concatenate([model.logits(row[None], fitted) for row in given.x]), whole, rtol=1e-4, atol=1e-6)
    assert not model.fit(given.x, given.labels.numpy()).training


def test_a_batch_is_no_larger_than_the_training_set() -> None:
    given = data()
    fitted: Any = fit_network(with_norm(), given.x[:5], given.labels[:5], None, Fitting(3, 1, 0.01, 16), 5)
    assert fitted[2].num_batches_tracked.item() == 3


def test_how_a_network_is_fitted_unless_something_else_is_asked_for() -> None:
    assert Fitting() == (10, 300, 1e-3, 128)
    assert math.ceil(300 / (1_438 // 128)) == 28  # epochs on digits


def test_a_network_is_refused_with_what_it_takes() -> None:
    assert unsuited("mlp", (1_000_000,), 10_737) == "needs dense rows, here 40 GiB, expected 16 GiB or less; use linear"
    assert unsuited("mlp", (1_000_000,), 4_294) is None  # 16 GiB are 2^34 bytes, 4,294.97 rows of a million float32
    assert unsuited("mlp", (1_000_000,), 4_295) is not None


def test_the_streams_of_start_and_order_are_apart() -> None:
    """Another order leaves the start, and another start the order."""
    settings = Settings(method="erm", batch_size=16)

    def orders(state: State) -> list[int]:
        return torch.randperm(50, generator=state.order).tolist()

    states = [start(build("mlp", (1, 4, 4), 3, seed), nn.Identity(), settings, order) for seed, order in ((1, 2), (1, 3), (9, 2))]
    assert torch.equal(flat(states[0].network), flat(states[1].network))
    assert not torch.equal(flat(states[0].network), flat(states[2].network))
    assert orders(states[0]) == orders(states[2]) != orders(states[1])
    torch.manual_seed(1)
    before = torch.rand(3)
    torch.manual_seed(1)
    build("mlp", (1, 4, 4), 3, 77)
    assert torch.equal(torch.rand(3), before)  # torch's own generator is left alone


@pytest.mark.parametrize(("classes", "channels"), [(10, 3), (200, 1)])
def test_the_networks_have_the_published_sizes(classes: int, channels: int) -> None:
    """Counted layer by layer; batch norm has two numbers a channel, convolutions of the ResNet have no bias."""
    widths = (64, 64, 64, 128, 128, 256, 256, 512, 512)  # He et al. 2016b
    resnet = 9 * channels * 64 + 2 * 512 + 512 * classes + classes
    for before, after in itertools.pairwise(widths):
        resnet += 2 * before + 2 * after + 9 * before * after + 9 * after**2 + (before * after if before != after else 0)
    cnn = 196 * 4 * 4 * 256 + 256 + 2 * 256 + 256 * classes + classes
    for before, after in itertools.pairwise((channels, 64, 64, 128, 128, 196, 196)):
        cnn += 9 * before * after + after + 2 * after
    mlp = 32 * 32 * channels * 256 + 256 + 256 * classes + classes
    shape = (channels, 32, 32)
    sizes: dict[Network, int] = {"resnet18": resnet, "cnn": cnn, "mlp": mlp}
    for name, size in sizes.items():
        assert sum(value.numel() for value in build(name, shape, classes, 1).parameters()) == size

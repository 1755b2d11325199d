import copy
import itertools

import numpy as np
import pytest
import torch

from models.architectures import build
from models.methods import companion
from models.settings import METHODS, Method, Settings, forget_rate, learning_rate
from models.training import (
    State,
    Tensors,
    batch_places,
    follow,
    labels_at,
    places_of,
    restore,
    rows_at,
    set_schedule,
    snapshot,
    start,
    train,
)
from models.trusted import Trusted

SETTINGS = Settings(n_epoch=8, init_epoch=3, num_gradual=3, epoch_decay_start=5, batch_size=16, forget_rate=0.5, discard_rate=0.25)


def data(dtype: torch.dtype = torch.float32) -> Tensors:
    """Three classes of 4 x 4 pictures, a third of the training labels wrong; batches of 16 leave 4 of the 100 rows over."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 140)
    x = rng.random((140, 1, 4, 4)) / 2 + (np.arange(16) % 3 == labels[:, None]).reshape(140, 1, 4, 4) / 2
    wrong = np.arange(140) % 3 == 0
    given = np.where(wrong, (labels + 1) % 3, labels)
    pixels = torch.from_numpy(255 * x).byte() if dtype == torch.uint8 else torch.from_numpy(x).to(dtype)
    parts = pixels[:100], torch.from_numpy(given[:100]), torch.from_numpy(~wrong[:100])
    return Tensors(*parts, pixels[100:], torch.from_numpy(labels[100:]), 3)


def begin(settings: Settings, order_seed: int = 2) -> State:
    beside = companion(settings.method, 3, lambda: build("mlp", (1, 4, 4), 3, 9))
    return start(build("mlp", (1, 4, 4), 3, 1), beside, settings, order_seed)


def with_trusted() -> Tensors:
    """The same with random labels, and 40 trusted samples."""
    given, other = data(), torch.from_numpy(np.random.default_rng(1).integers(0, 3, 100))
    return given._replace(labels=other, correct=None, trusted=Trusted(given.x_test, given.labels_test))


def test_a_batch_has_some_of_the_samples_and_some_trusted_ones_each_as_often_as_the_others() -> None:
    places = batch_places(torch.arange(100), torch.arange(100, 107), 16, 12, torch.Generator().manual_seed(0))
    assert places.shape == (8, 16)
    own, trusted = places[:, :12].flatten().tolist(), places[:, 12:].flatten().tolist()
    assert len(set(own)) == 96
    assert max(own) < 100
    assert sorted(trusted) == sorted([*range(100, 107)] * 4 + trusted[28:])
    assert sorted(set(trusted[28:])) == sorted(trusted[28:])
    order = torch.randperm(100, generator=torch.Generator().manual_seed(0))
    alone = batch_places(torch.arange(100), torch.arange(0), 16, 16, torch.Generator().manual_seed(0))
    assert torch.equal(alone, torch.stack(order.split(16)[:6]))


def test_samples_that_were_drawn_have_the_part_of_trusted_ones() -> None:
    drawn = torch.zeros(100, dtype=torch.bool)
    drawn[[5, 50]] = True
    given = with_trusted()._replace(drawn=drawn)
    samples, trusted = places_of(given)
    assert samples.tolist() == [place for place in range(100) if place not in {5, 50}]
    assert trusted.tolist() == [5, 50, *range(100, 140)]
    batches = batch_places(samples, trusted, 16, 8, torch.Generator().manual_seed(0))
    assert not set(batches[:, :8].flatten().tolist()) & {5, 50}
    assert {5, 50} <= set(batches[:, 8:].flatten().tolist())


def test_rows_at_places_are_those_of_both_parts_together() -> None:
    own, trusted, places = torch.arange(12).view(4, 3), 20 + torch.arange(6).view(2, 3), torch.tensor([5, 0, 3, 4])
    assert torch.equal(rows_at(own, trusted, places), torch.cat([own, trusted])[places])
    assert torch.equal(rows_at(own, None, places[1:3]), own[[0, 3]])


def test_samples_that_a_person_decided_are_known_beside_trusted_ones() -> None:
    checked = torch.zeros(100, dtype=torch.bool)
    checked[[3, 99]] = True
    given, places = with_trusted()._replace(checked=checked), torch.tensor([3, 4, 99, 100, 139])
    labels, right = labels_at(given, places)
    assert right is not None
    assert right.tolist() == [True, False, True, True, True]
    assert given.trusted is not None
    assert labels.tolist() == [*given.labels[[3, 4, 99]].tolist(), *given.trusted.labels[[0, 39]].tolist()]
    alone = labels_at(given._replace(trusted=None), places[:3])[1]
    assert alone is not None
    assert alone.tolist() == [True, False, True]


def test_trusted_samples_teach_what_random_labels_do_not() -> None:
    settings = SETTINGS._replace(n_epoch=20, lr=0.01)
    with_them, without = (
        list(train(begin(settings), given, settings)) for given in (with_trusted(), with_trusted()._replace(trusted=None))
    )
    assert with_them[-1].test_accuracy > 90
    assert without[-1].test_accuracy < 60


def test_shares_of_the_kept_do_not_count_trusted_samples() -> None:
    given = data()
    assert given.correct is not None
    given = given._replace(correct=torch.zeros(100, dtype=torch.bool), trusted=Trusted(given.x_test, given.labels_test))
    assert [epoch.clean_share_kept for epoch in train(begin(SETTINGS), given, SETTINGS)][1:] == [0.0] * 7


def test_trusted_pictures_are_moved_too() -> None:
    settings = SETTINGS._replace(augment="both")
    assert len(list(train(begin(settings), with_trusted(), settings))) == 8


def test_epoch_0_is_the_untrained_network() -> None:
    state = begin(SETTINGS)
    before = copy.deepcopy(state.network.state_dict())
    first = next(train(state, data(), SETTINGS))
    assert (first.epoch, first.train_loss, first.clean_share_kept) == (0, None, None)
    assert all(torch.equal(value, before[name]) for name, value in state.network.state_dict().items())


def test_forget_rate_rises_linearly_and_stays() -> None:
    settings = Settings(forget_rate=0.9, num_gradual=10)
    assert [forget_rate(settings, epoch) for epoch in range(12)] == [*np.linspace(0, 0.9, 10), 0.9, 0.9]
    assert [forget_rate(settings._replace(num_gradual=1), epoch) for epoch in range(2)] == [0, 0.9]


def test_rate_and_beta1_follow_the_released_schedule() -> None:
    settings = Settings()
    rates = {0: 1e-3, 79: 1e-3, 80: 1e-3, 140: 0.5e-3, 199: 1e-3 / 120}
    assert {epoch: learning_rate(settings, epoch) for epoch in rates} == pytest.approx(rates)
    optimizer = begin(settings).optimizer
    for epoch, beta1 in ((79, 0.9), (80, 0.1)):
        set_schedule(optimizer, settings, epoch)
        assert optimizer.param_groups[0]["betas"] == (beta1, 0.999)


def test_sgd_has_no_betas_and_its_rate_follows_too() -> None:
    settings = SETTINGS._replace(optimizer="sgd", lr=0.1)
    epochs = list(train(begin(settings), data(), settings))
    assert epochs[-1].train_loss is not None
    assert learning_rate(settings, 7) == pytest.approx(0.1 / 3)


def test_the_shares_count_true_labels() -> None:
    settings = SETTINGS._replace(method="erm", n_epoch=2)
    last = list(train(begin(settings), data(), settings))[-1]
    order = torch.randperm(100, generator=torch.Generator().manual_seed(2))[:96]
    correct = data().correct
    assert correct is not None
    assert last.clean_share_kept == pytest.approx(correct[order].double().mean().item())
    assert last.wrong_share_relabeled is None


def test_erm_learns_what_is_there_to_learn() -> None:
    settings = Settings(method="erm", n_epoch=40, epoch_decay_start=20, batch_size=16)
    assert list(train(begin(settings), data(), settings))[-1].test_accuracy > 80


@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns_more_than_chance(method: Method) -> None:
    settings = Settings(method=method, n_epoch=30, epoch_decay_start=20, batch_size=16, forget_rate=1 / 3, discard_rate=1 / 6)
    assert np.mean([epoch.test_accuracy for epoch in train(begin(settings), data(), settings)][-5:]) > 60


def test_the_peer_of_co_teaching_is_trained_and_not_evaluated() -> None:
    settings, tensors = SETTINGS._replace(method="co-teaching"), data()
    state = begin(settings)
    before = copy.deepcopy(state.companion.state_dict())
    last = list(train(state, tensors, settings))[-1]
    assert not any(torch.equal(value, before[name]) for name, value in state.companion.state_dict().items())
    right = state.network(tensors.x_test).argmax(1) == tensors.labels_test
    assert last.test_accuracy == pytest.approx(100 * right.double().mean().item())


@pytest.mark.parametrize(("method", "moves"), [("f-correction", False), ("s-model", True)])
def test_the_transition_is_estimated_after_the_warm_up_and_learned_by_s_model_alone(method: Method, moves: bool) -> None:
    settings, tensors = SETTINGS._replace(method=method), data()
    scores = [
        state.companion.state_dict()["scores"].clone() for state in [begin(settings)] for _ in train(state, tensors, settings)
    ]
    assert all(not score.any() for score in scores[: settings.init_epoch])
    estimated = scores[settings.init_epoch]
    assert estimated.any()
    assert torch.equal(estimated, scores[-1]) is not moves


def test_accuracy_and_recall_are_counted_over_all_test_rows() -> None:
    state, tensors = begin(SETTINGS), data()
    epoch = next(train(state, tensors, SETTINGS))
    predicted = state.network(tensors.x_test).argmax(1).numpy()
    truth = tensors.labels_test.numpy()
    assert epoch.test_accuracy == pytest.approx(100 * np.mean(predicted == truth))
    assert epoch.test_recall == pytest.approx([100 * np.mean(predicted[truth == label] == label) for label in range(3)])


def test_a_class_without_test_rows_has_no_recall() -> None:
    tensors = data()._replace(classes=4)
    state = start(build("mlp", (1, 4, 4), 4, 1), torch.nn.Identity(), SETTINGS, 2)
    assert next(train(state, tensors, SETTINGS)).test_recall[3] is None


def test_bytes_train_as_floats_do() -> None:
    as_bytes = data(torch.uint8)
    as_floats = as_bytes._replace(x=as_bytes.x.float() / 255, x_test=as_bytes.x_test.float() / 255)
    first, second = (list(train(begin(SETTINGS), tensors, SETTINGS)) for tensors in (as_bytes, as_floats))
    assert first == second


@pytest.mark.parametrize("stop", [1, 4, 7])
@pytest.mark.parametrize(("method", "average"), [("rdia-ls", 0.1), *((method, 0.0) for method in METHODS)])
def test_what_is_interrupted_and_restored_ends_as_if_it_had_not_been(stop: int, method: Method, average: float) -> None:
    settings, tensors = SETTINGS._replace(average=average, method=method), data()
    whole = list(train(begin(settings), tensors, settings))
    state = begin(settings)
    part = list(itertools.islice(train(state, tensors, settings), stop))
    kept = copy.deepcopy(snapshot(state))
    other = begin(settings, 77)
    with torch.no_grad():
        next(other.network.parameters()).fill_(0.5)
    restore(other, kept)
    assert part + list(train(other, tensors, settings, first=stop)) == whole


def test_order_and_initialisation_are_streams_of_their_own() -> None:
    settings = SETTINGS._replace(n_epoch=3)
    same, other = (list(train(begin(settings, order), data(), settings)) for order in (2, 3))
    assert same[0] == other[0]
    assert same[1:] != other[1:]


def test_the_average_follows_by_its_step_and_copies_counters() -> None:
    ahead, behind = torch.nn.BatchNorm1d(2), torch.nn.BatchNorm1d(2)
    with torch.no_grad():
        ahead.weight.fill_(3.0)
        behind.weight.fill_(1.0)
    ahead.num_batches_tracked = torch.tensor(5)
    follow(behind, ahead, 0.25)
    assert behind.weight.tolist() == [1.5, 1.5]
    assert behind.num_batches_tracked == 5
    assert ahead.weight.tolist() == [3.0, 3.0]


def test_with_few_steps_the_average_is_over_a_fifth_of_them() -> None:
    """42 steps at 0.0005 each would leave the average where it began: it moves by 5 / 42 at least."""
    settings = SETTINGS._replace(average=0.0005)
    state = begin(settings)
    before = next(state.averaged.parameters()).clone()
    list(train(state, data(), settings))
    moved = (next(state.averaged.parameters()) - before).norm() / (next(state.network.parameters()) - before).norm()
    assert moved > 0.5


def test_averaging_does_not_change_what_is_trained() -> None:
    plain, averaged = begin(SETTINGS), begin(SETTINGS._replace(average=0.1))
    list(train(plain, data(), SETTINGS))
    list(train(averaged, data(), SETTINGS._replace(average=0.1)))
    assert all(torch.equal(a, b) for a, b in zip(plain.network.parameters(), averaged.network.parameters(), strict=True))
    assert not torch.equal(next(averaged.network.parameters()), next(averaged.averaged.parameters()))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_cpu_and_gpu_agree() -> None:
    records = []
    for device in ("cpu", "cuda"):
        tensors = data()._replace(**{name: part.to(device) for name, part in data()._asdict().items() if name != "classes"})
        state = start(build("mlp", (1, 4, 4), 3, 1).to(device), torch.nn.Identity(), SETTINGS, 2)
        records.append(list(train(state, tensors, SETTINGS))[-1])
    assert records[0].train_loss == pytest.approx(records[1].train_loss, rel=1e-3)
    assert records[0].test_accuracy == pytest.approx(records[1].test_accuracy, abs=5)

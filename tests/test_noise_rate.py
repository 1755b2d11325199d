"""The share of wrong labels, estimated from the labels alone."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from models.architectures import build
from models.noise_rate import estimated_noise_rate, rate_among_the_surest
from models.promise import Estimate, within_drawn
from models.training import Tensors
from tests.invoke import Invoke


def test_the_rate_among_the_surest_by_hand() -> None:
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4], [0.1, 0.9], [0.3, 0.7]])
    given = np.array([0, 1, 1, 1, 1, 0])
    # Of class 0, with 4 of 6 samples, the surest (30% of 4: one) is labelled 0; of class 1 the surest is labelled 1.
    assert rate_among_the_surest(p, given).estimate == 0
    given[0] = 1
    # Other labels: 4 of 6 by the surest, and 5 of 6 among all. The fall, 1/6, counts half.
    assert rate_among_the_surest(p, given).estimate == pytest.approx(4 / 6 - 1 / 12)


SPREAD_TO_ALL = np.full((10, 10), 1 / 9) - np.eye(10) / 9
TO_THE_NEXT = np.roll(np.eye(10), 1, axis=1)


@pytest.mark.parametrize(
    ("doubt", "rate", "other", "lowest", "highest"),
    [
        (0.02, 0.0, SPREAD_TO_ALL, 0.0, 0.01),
        (0.02, 0.2, SPREAD_TO_ALL, 0.17, 0.21),
        (0.02, 0.5, SPREAD_TO_ALL, 0.46, 0.52),
        (0.02, 0.3, TO_THE_NEXT, 0.25, 0.32),
        (0.3, 0.0, SPREAD_TO_ALL, 0.0, 0.05),  # the network errs in a third of its surest samples; they are no wrong labels
        (0.3, 0.2, SPREAD_TO_ALL, 0.05, 0.25),
        (0.3, 0.5, SPREAD_TO_ALL, 0.4, 0.52),
        (0.3, 0.3, TO_THE_NEXT, 0.0, 0.3),  # not told from errors: too low rather than too high
    ],
)
def test_errors_of_the_network_are_not_taken_for_wrong_labels(
    doubt: float, rate: float, other: np.ndarray, lowest: float, highest: float
) -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.full(10, doubt), 6_000)  # of the true label
    noise = (1 - rate) * np.eye(10) + rate * other
    true = np.array([rng.choice(10, p=row) for row in p])
    given = np.array([rng.choice(10, p=noise[label]) for label in true])
    found = rate_among_the_surest(p @ noise, given)
    assert lowest <= found.estimate <= highest
    assert found.low <= (given != true).mean() <= found.high


def test_the_progress_of_the_estimate_is_told_and_it_computes_in_bfloat16_where_asked() -> None:
    told: list[tuple[int, int]] = []
    rng = np.random.default_rng(0)
    x, given = torch.from_numpy(rng.random((200, 1, 3, 3))).float(), torch.from_numpy(rng.integers(3, size=200))
    seen: list[torch.dtype] = []

    def network() -> nn.Module:
        built = build("mlp", (1, 3, 3), 3, 1)
        built.register_forward_hook(lambda _module, _inputs, output: seen.append(output.dtype))
        return built

    data = Tensors(x, given, None, x, given, 3)
    estimated_noise_rate(data, network, np.random.default_rng(1), 2, True, lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1] == len(set(told)) - 1
    assert set(seen) == {torch.bfloat16}


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_it_is_close_to_the_truth(rate: float) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=900)
    x = torch.from_numpy(rng.random((900, 1, 3, 3)) + 2 * np.eye(9)[labels].reshape(900, 1, 3, 3)).float()
    wrong = rng.random(900) < rate
    given = torch.from_numpy(np.where(wrong, (labels + rng.integers(1, 3, 900)) % 3, labels))
    data = Tensors(x, given, None, x, given, 3)

    def network() -> nn.Module:
        return build("mlp", (1, 3, 3), 3, 1)

    found, again = (estimated_noise_rate(data, network, np.random.default_rng(1), 2) for _ in range(2))
    assert found == again
    assert found.estimate == pytest.approx(wrong.mean(), abs=0.06)
    assert found.low <= found.estimate <= found.high


SCRIPT = "RDIA-LS"  # what `invoke` calls


def test_a_users_own_labels_are_kept_and_their_rate_is_estimated_and_used(tmp_path: Path, invoke: Invoke) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=600)
    x = rng.random((600, 3, 3)) + 2 * np.eye(9)[labels].reshape(600, 3, 3)
    given = np.where(rng.random(600) < 0.25, (labels + 1) % 3, labels)
    np.savez(tmp_path / "mine.npz", x_train=x, y_train=given, x_test=x[:50], y_test=labels[:50])
    flags = ("--dataset", tmp_path / "mine.npz", "--n_epoch", 12, "--init_epoch", 3, "--epoch_decay_start", 6)
    ended = invoke(*flags, "--json", "--result_dir", tmp_path / "out")
    record = json.loads(ended.out)
    assert record["noise_type"] == "none"
    assert record["noise_rate"] == record["estimated_noise_rate"]["estimate"] == pytest.approx(0.25, abs=0.08)
    assert "of the labels are wrong, between" in ended.err
    told = json.loads(invoke(*flags, "--json", "--noise_rate", record["noise_rate"]).out)
    assert "estimated_noise_rate" not in told
    assert told["test_accuracy"] == record["test_accuracy"]
    again = json.loads(invoke(*flags, "--json", "--result_dir", tmp_path / "out", "--resume").out)
    assert again["test_accuracy"] == record["test_accuracy"]


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (("--noise_rate", "auto"), "--noise_type symmetric: goes with a rate, and --noise_rate is auto"),
        (("--noise_rate", "auto", "--noise_type", "none", "--forget_rate", 0.2), "--forget_rate 0.2: goes with a rate"),
        (("--noise_rate", "many"), "such as 0.4, or auto"),
    ],
)
def test_flags_that_do_not_go_with_an_estimate_are_refused(flags: tuple[object, ...], named: str, invoke: Invoke) -> None:
    ended = invoke(*flags)
    assert (ended.status, ended.err.count("\n")) == (2, 1)
    assert named in ended.err


@pytest.mark.parametrize(
    ("estimated", "found"),
    [
        ((0.2, 0.15, 0.25), (0.2, 0.15, 0.25)),  # within
        ((0.18, 0.1, 0.3), (0.18, 0.143, 0.274)),
        ((0.1, 0.0, 0.2), (0.2, 0.143, 0.274)),  # another rate
        ((0.6, 0.5, 0.7), (0.2, 0.143, 0.274)),
    ],
)
def test_a_rate_gives_way_to_the_share_among_samples_drawn_at_random(
    estimated: tuple[float, ...], found: tuple[float, ...]
) -> None:
    """Of 100 samples 20 wrong: Wilson's 90% interval is .143 to .274."""
    assert within_drawn(Estimate(*estimated), 20, 100) == pytest.approx(found, abs=0.002)


def test_the_interval_of_drawn_samples_covers_the_share_in_nine_of_ten_draws() -> None:
    wrong = np.random.default_rng(0).binomial(100, 0.3, 2000)
    covered = [within_drawn(Estimate(0.99, 0.98, 1.0), count, 100) for count in wrong.tolist()]
    assert 0.87 < np.mean([each.low <= 0.3 <= each.high for each in covered]) < 0.93

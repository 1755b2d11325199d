"""The share of wrong labels, estimated from the labels alone."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from models.architectures import build
from models.noise_rate import estimated_noise_rate, rate_among_the_surest
from models.training import Tensors
from tests.invoke import Invoke, script


def test_the_rate_among_the_surest_by_hand() -> None:
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4], [0.1, 0.9], [0.3, 0.7]])
    given = np.array([0, 1, 1, 1, 1, 0])
    # Of class 0, with 4 of 6 samples, the surest (30% of 4: one) is labelled 0; of class 1 the surest is labelled 1.
    assert rate_among_the_surest(p, given).estimate == 0
    given[0] = 1
    assert rate_among_the_surest(p, given).estimate == pytest.approx(4 / 6)


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


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Invoke:
    return Invoke(script("RDIA-LS"), "RDIA-LS.py", monkeypatch, capsys)


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

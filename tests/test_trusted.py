"""Rows that RDIA-LS trusts: what they say of the noise rate, and what they do in its training."""

from pathlib import Path

import numpy as np
import pytest

from models.noise_rate import at_least
from models.promise import Estimate
from models.settings import Settings, with_rate
from models.trusted import trusted_in_batch
from tests.invoke import Invoke
from tests.test_rdia_ls import record

FLAGS = ("--n_epoch", 8, "--epoch_decay_start", 6, "--init_epoch", 3, "--json")


SCRIPT = "RDIA-LS"  # what `invoke` calls


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """600 rows of three classes. A rule has labelled them: what has a large last feature is called class 0."""
    rng = np.random.default_rng(0)
    true = rng.integers(3, size=800)
    x = (rng.random((800, 5)) + 1.5 * np.eye(3, 5)[true]).astype(np.float32)
    x[:, 4] = (rng.random(800) < 0.3) * 2
    given = np.where(x[:, 4] > 1, 0, true)
    first, trusted, test = slice(600), slice(600, 700), slice(700, 800)
    x_train, x_val, x_test = x[first], x[trusted], x[test]
    y_val, y_test = true[trusted], true[test]
    np.savez(tmp_path / "mine.npz", x_train=x_train, y_train=given[first], x_val=x_val, y_val=y_val, x_test=x_test, y_test=y_test)
    return tmp_path / "mine.npz"


def test_trusted_rows_are_a_part_of_every_batch_by_their_weight_one_at_least_and_not_all() -> None:
    sizes = {(1_000, 0): 0, (60_000, 10): 1, (900, 100): 32, (1_000, 100): 30, (1_000, 1_000): 96, (1, 1_000): 127}
    assert {given: trusted_in_batch(*given, 128) for given in sizes} == sizes
    assert trusted_in_batch(100, 10, 1) == 0


def test_the_rate_is_raised_where_labels_are_agreed_with_more_often_than_trusted_ones() -> None:
    rate = Estimate(0.1, 0.05, 0.2)
    assert at_least(rate, 0.3, 0.25, 100) == rate  # fewer wrong labels than estimated
    assert at_least(rate, 0.3, 0.17, 100) == rate  # 0.13 +- 0.05
    raised = at_least(rate, 0.4, 0.05, 100)
    assert raised.estimate == pytest.approx(0.35)
    assert raised.low == pytest.approx(0.35 - 0.02 - 1.645 * 0.04899, abs=1e-3)
    assert raised.high == pytest.approx(0.35 + 0.02 + 1.645 * 0.04899, abs=1e-3)


def test_half_of_the_noise_rate_is_discarded() -> None:
    settings = with_rate(Settings(), 0.3)
    assert (settings.forget_rate, settings.discard_rate) == (0.3, 0.15)


def test_trusted_rows_show_a_rule_and_are_trained_on(mine: Path, invoke: Invoke) -> None:
    ended = invoke("--dataset", mine, *FLAGS)
    found = record(ended.out)
    wrong = 0.2  # of the labels: 30% have the feature, and two in three of them another class
    assert found["estimated_noise_rate"]["estimate"] == pytest.approx(wrong, abs=0.07)
    assert (found["noise_rate"], found["gamma"]) == (found["estimated_noise_rate"]["estimate"], 0.5)
    assert ended.err.count("estimated from the labels and the rows that you trust; --noise_rate sets it") == 1
    assert ended.err.count("validation rows are trained on as well, and their labels are taken as right: 100") == 1
    told = record(invoke("--dataset", mine, *FLAGS, "--noise_rate", found["noise_rate"], "--gamma", 0.5).out)
    assert told["test_accuracy"] == found["test_accuracy"]
    assert "estimated_noise_rate" not in told


def test_wrong_labels_among_the_trusted_rows_are_learned(mine: Path, invoke: Invoke) -> None:
    flags = (*FLAGS, "--noise_rate", 0.2)
    before = record(invoke("--dataset", mine, *flags).out)["last10"]
    parts = dict(np.load(mine))
    np.savez(mine, **{**parts, "y_val": (parts["y_val"] + 1) % 3})
    assert record(invoke("--dataset", mine, *flags).out)["last10"] < before - 10


def test_another_method_does_not_use_trusted_rows(mine: Path, invoke: Invoke) -> None:
    ended = invoke("--dataset", mine, *FLAGS, "--method", "self-teaching")
    assert "chosen_by_trusted" not in record(ended.out)
    assert ended.err.count("validation rows are not used, as only --method rdia-ls uses them: 100") == 1


def test_a_run_that_goes_on_does_not_estimate_again(
    mine: Path, tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ("--dataset", mine, *FLAGS, "--result_dir", tmp_path / "out")
    first = record(invoke(*flags).out)
    monkeypatch.setattr("run.prepare.estimated_noise_rate", None)
    again = record(invoke(*flags, "--resume").out)
    assert {**again, "seconds": 0} == {**first, "seconds": 0}
    assert first["trusted_rows"] == 100


def test_a_run_goes_on_only_with_its_rate_or_its_estimate(mine: Path, tmp_path: Path, invoke: Invoke) -> None:
    estimated, told = tmp_path / "estimated", tmp_path / "told"
    for folder, given in ((estimated, ()), (told, ("--noise_rate", 0.3))):
        assert invoke("--dataset", mine, *FLAGS, "--result_dir", folder, *given).status == 0
    ended = invoke("--dataset", mine, *FLAGS, "--result_dir", estimated, "--resume", "--noise_rate", 0.3)
    assert ended.status == 2
    line = f"--noise_rate 0.3: the run in {estimated} was started without it; leave it out, or give another --result_dir"
    assert line in ended.err
    ended = invoke("--dataset", mine, *FLAGS, "--result_dir", told, "--resume")
    assert f"--noise_rate: the run in {told} has 0.3; give that, or give another --result_dir" in ended.err

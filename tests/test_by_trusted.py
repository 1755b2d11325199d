"""Trusted rows choose gamma and the noise rate of RDIA-LS."""

from pathlib import Path

import numpy as np
import pytest

from models.by_trusted import TrustedLoss, chosen_by_trusted, loss_on_trusted, trusted_in_batch
from models.noise_rate import NoiseRate, at_least
from models.settings import Settings, with_rate
from run import choosing
from run.records import read_lines
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


def test_a_candidate_needs_a_gain_above_its_error_and_no_more_errors() -> None:
    losses = {0.2: [1.0, 1.0, 1.0, 1.0], 0.05: [0.0, 2.0, 1.0, 0.9], 0.5: [0.8, 0.9, 0.8, 0.9], 0.8: [0.9, 0.9, 0.9, 0.9]}
    wrong = {0.2: 2, 0.05: 2, 0.5: 2, 0.8: 2}
    candidates = [Settings(gamma=gamma) for gamma in losses]

    def of(settings: Settings) -> TrustedLoss:
        return TrustedLoss(np.array(losses[settings.gamma]), wrong[settings.gamma])

    assert chosen_by_trusted(candidates[:2], of).settings.gamma == 0.2
    chosen = chosen_by_trusted(candidates, of)
    assert chosen.settings.gamma == 0.5
    assert chosen.loss.log_losses.tolist() == losses[0.5]
    assert chosen_by_trusted(candidates[3:], of, chosen) == chosen
    wrong[0.5] = 3
    assert chosen_by_trusted(candidates, of).settings.gamma == 0.8


def test_one_trusted_row_has_no_error_and_the_smaller_loss_wins() -> None:
    candidates = [Settings(gamma=0.2), Settings(gamma=0.5)]
    found = chosen_by_trusted(candidates, lambda settings: TrustedLoss(np.array([1 - settings.gamma]), 0))
    assert found.settings.gamma == 0.5


def test_the_loss_does_not_depend_on_how_sure_a_network_is() -> None:
    p = np.random.default_rng(0).dirichlet([1, 1, 1], 50)
    labels = np.array([np.random.default_rng(row).choice(3, p=p[row]) for row in range(50)])
    sharp = p**2 / (p**2).sum(axis=1, keepdims=True)
    plain, sure = (loss_on_trusted(of, labels) for of in (p, sharp))
    assert sure.log_losses == pytest.approx(plain.log_losses, abs=1e-3)
    assert plain.log_losses.mean() <= -np.log(p[np.arange(50), labels]).mean()
    assert plain.wrong == (p.argmax(axis=1) != labels).sum()


def test_the_rate_is_raised_where_labels_are_agreed_with_more_often_than_trusted_ones() -> None:
    rate = NoiseRate(0.1, 0.05, 0.2)
    assert at_least(rate, 0.3, 0.25, 100) == rate  # fewer wrong labels than estimated
    assert at_least(rate, 0.3, 0.17, 100) == rate  # 0.13 +- 0.05
    raised = at_least(rate, 0.4, 0.05, 100)
    assert raised.estimate == pytest.approx(0.35)
    assert raised.low == pytest.approx(0.35 - 0.02 - 1.645 * 0.04899, abs=1e-3)
    assert raised.high == pytest.approx(0.35 + 0.02 + 1.645 * 0.04899, abs=1e-3)


def test_trusted_rows_are_a_part_of_every_batch_by_their_weight_one_at_least_and_half_at_most() -> None:
    sizes = {(1_000, 0): 0, (60_000, 10): 1, (900, 100): 32, (1_000, 100): 30, (1_000, 1_000): 64}
    assert {given: trusted_in_batch(*given, 128) for given in sizes} == sizes
    assert trusted_in_batch(100, 10, 1) == 0


def test_half_of_the_noise_rate_is_discarded() -> None:
    settings = with_rate(Settings(), 0.3)
    assert (settings.forget_rate, settings.discard_rate) == (0.3, 0.15)


def test_trusted_rows_show_a_rule_and_choose(mine: Path, tmp_path: Path, invoke: Invoke) -> None:
    ended = invoke("--dataset", mine, *FLAGS, "--result_dir", tmp_path / "out")
    found = record(ended.out)
    wrong = 0.2  # of the labels: 30% have the feature, and two in three of them another class
    assert found["estimated_noise_rate"]["estimate"] == pytest.approx(wrong, abs=0.07)
    chosen = found["chosen_by_trusted"]
    assert (chosen["trusted_rows"], chosen["candidates"]) == (100, 5)
    assert (found["gamma"], found["noise_rate"]) == (chosen["gamma"], chosen["noise_rate"])
    assert ended.err.count("100 validation rows chose gamma") == 1
    lines = read_lines(tmp_path / "out" / "candidates.jsonl")
    means = [np.mean(line["log_losses"]) for line in lines]
    assert chosen["log_loss"] in means
    rates = [line["config"]["forget_rate"] for line in lines[:3]]
    assert rates == [share * found["estimated_noise_rate"]["estimate"] for share in (1, 0.5, 0)]
    assert [line["config"]["gamma"] for line in lines] == [0.2, 0.2, 0.2, 0.05, 0.5]


def test_candidates_that_have_been_trained_are_not_trained_again(
    mine: Path, tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = record(invoke("--dataset", mine, *FLAGS).out)
    flags = ("--dataset", mine, *FLAGS, "--result_dir", tmp_path / "out")
    trained, train = [], choosing.train

    def some(*given: object) -> object:
        trained.append(given)
        if len(trained) == 4:
            raise KeyboardInterrupt
        return train(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(choosing, "train", some)
    assert invoke(*flags).status == 130
    assert len(read_lines(tmp_path / "out" / "candidates.jsonl")) == 3
    resumed = record(invoke(*flags, "--resume").out)
    assert len(trained) == 6  # the fourth again, and the fifth
    assert {**resumed, "seconds": 0} == {**whole, "seconds": 0}


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        (("--gamma", 0.2, "--noise_rate", 0.2), None),
        (("--gamma", 0.2), 3),
        (("--noise_rate", 0.2), 3),
    ],
)
def test_what_is_given_is_not_chosen(given: tuple[object, ...], chosen: int | None, mine: Path, invoke: Invoke) -> None:
    ended = invoke("--dataset", mine, *FLAGS, *given)
    assert ended.status == 0
    assert record(ended.out).get("chosen_by_trusted", {}).get("candidates") == chosen
    assert ended.err.count("the 100 validation rows are trained on as well") == 1


def test_another_method_does_not_use_trusted_rows(mine: Path, invoke: Invoke) -> None:
    ended = invoke("--dataset", mine, *FLAGS, "--method", "self-teaching")
    assert "chosen_by_trusted" not in record(ended.out)
    assert ended.err.count("the 100 validation rows are not used: only --method rdia-ls uses them") == 1


def test_a_run_that_chooses_goes_on_without_the_flag_alone(mine: Path, tmp_path: Path, invoke: Invoke) -> None:
    chosen, told = tmp_path / "chosen", tmp_path / "told"
    for folder, given in ((chosen, ()), (told, ("--gamma", 0.3))):
        assert invoke("--dataset", mine, *FLAGS, "--result_dir", folder, *given).status == 0
    ended = invoke("--dataset", mine, *FLAGS, "--result_dir", chosen, "--resume", "--gamma", 0.3)
    assert ended.status == 2
    assert f"--gamma 0.3: the run in {chosen} was started without it; leave it out, or give another --result_dir" in ended.err
    ended = invoke("--dataset", mine, *FLAGS, "--result_dir", told, "--resume")
    assert f"--gamma: the run in {told} has 0.3; give that, or give another --result_dir" in ended.err

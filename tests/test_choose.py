import numpy as np
import pytest

from influence import harmful
from models.choose import TRIED_SHARES, Choice, choose, thresholds
from models.linear import LinearModel
from models.metrics import evaluate
from models.model import MODES, Mode, Scores, refit
from tests.problems import C, Problem, digits, wdbc

MODEL = LinearModel(2, C)


def chosen(problem: Problem, modes: tuple[Mode, ...] = ("R", "drop"), alpha: float | None = None, seed: int = 0) -> Choice:
    train, validation = (problem.x, problem.labels), (problem.x_validation, problem.labels_validation)
    return choose(MODEL, train, validation, MODEL.fit(*train), modes, np.random.default_rng(seed), alpha)


def test_the_choice_is_the_candidate_with_the_least_loss() -> None:
    found = chosen(wdbc())
    assert {point.relabel for point in found.curve} == {"R", "drop"}
    best = min(found.curve, key=lambda point: point.loss)
    assert (found.alpha, found.relabel) == (best.alpha, best.relabel)
    erm = [point for point in found.curve if not point.changed]
    assert len(erm) == 2
    assert best.loss < erm[0].loss / 2  # a third of the labels are wrong


def test_phi_comes_from_one_half_of_the_validation_rows_and_the_loss_from_the_other() -> None:
    problem, rng = digits(), np.random.default_rng(0)
    order, n = rng.permutation(len(problem.labels_validation)), len(problem.labels_validation)
    seen, unseen = np.sort(order[: n // 2]), np.sort(order[n // 2 :])
    w = MODEL.fit(problem.x, problem.labels)
    scores = MODEL.influence(problem.x, problem.labels, problem.x_validation[seen], problem.labels_validation[seen], w)
    for point, threshold in zip(chosen(problem).curve, thresholds(scores) * 2, strict=True):  # R, then drop
        assert point.alpha == pytest.approx(threshold * n / len(seen))
        mask = harmful(scores.phi, threshold)
        assert mask.sum() == point.changed
        refitted = refit(MODEL, problem.x, problem.labels, scores, mask, point.relabel)
        loss = evaluate(problem.x_validation[unseen] @ refitted, problem.labels_validation[unseen]).log_loss
        assert loss == pytest.approx(point.loss, rel=1e-6)


def test_an_alpha_that_is_given_is_the_only_one() -> None:
    found = chosen(wdbc(), alpha=0.002)
    assert [point.alpha for point in found.curve] == pytest.approx([0.002, 0.002])
    assert found.relabel in {"R", "drop"}


def test_a_seed_halves_the_validation_rows_its_own_way() -> None:
    assert chosen(wdbc(), seed=1) == chosen(wdbc(), seed=1)
    assert chosen(wdbc(), seed=1).curve != chosen(wdbc(), seed=2).curve


def scores(phi: np.ndarray) -> Scores:
    zeros = np.zeros(len(phi))
    return Scores(phi, zeros, zeros.astype(int), zeros, 0.0)


def test_thresholds_part_off_the_shares_of_the_harmful() -> None:
    phi = np.random.default_rng(0).permutation(np.r_[np.arange(1, 1001), -np.arange(500)]).astype(float)
    counts = [int(harmful(phi, alpha).sum()) for alpha in thresholds(scores(phi))]
    assert counts == [round(share * 1000) for share in TRIED_SHARES]


@pytest.mark.parametrize(("phi", "counts"), [([-1.0, 0.0], [0]), ([-1.0, 2.0], [0, 1])])
def test_with_next_to_nothing_harmful_there_is_next_to_nothing_to_try(phi: list[float], counts: list[int]) -> None:
    found = thresholds(scores(np.array(phi)))
    assert [int(harmful(np.array(phi), alpha).sum()) for alpha in found] == counts


def test_one_validation_row_cannot_be_halved() -> None:
    problem = wdbc()
    one = problem._replace(x_validation=problem.x_validation[:1], labels_validation=problem.labels_validation[:1])
    with pytest.raises(ValueError, match="1 validation row, "):
        chosen(one)


def test_every_mode_changes_the_fit_its_own_way() -> None:
    problem = wdbc()
    w = MODEL.fit(problem.x, problem.labels)
    found = MODEL.influence(problem.x, problem.labels, problem.x_validation, problem.labels_validation, w)
    fits = {mode: refit(MODEL, problem.x, problem.labels, found, harmful(found.phi, 0), mode) for mode in MODES}
    np.testing.assert_array_equal(fits["R"], fits["best"])  # two classes: both flip
    assert np.abs(fits["R"] - fits["drop"]).max() > 0.01


def test_progress_counts_every_candidate() -> None:
    problem, told = wdbc(), []
    train, validation = (problem.x, problem.labels), (problem.x_validation, problem.labels_validation)
    weights, rng = MODEL.fit(*train), np.random.default_rng(0)
    found = choose(MODEL, train, validation, weights, ("R",), rng, progress=lambda done, total: told.append((done, total)))
    assert told == [(done, len(found.curve)) for done in range(len(found.curve))]

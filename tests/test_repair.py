"""Repair by cross-fitting, on tables and pictures with labels made wrong."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import expit, log_softmax
from sklearn.datasets import load_breast_cancer, load_digits

from models.examine import examine
from models.logistic_regression import fit_logistic
from models.pool import TRAINING_WORTH
from models.repair import (
    FOLDS,
    GRID,
    PER_TENFOLD,
    TRUSTED_WEIGHTS,
    CandidateFit,
    CrossFits,
    RepairData,
    Repaired,
    TooFewTrustedError,
    balanced_folds,
    fit_agreeing,
    fit_simple,
    phi_of,
    pool,
    prior_of,
    repair,
    simple_method,
    solution_of,
    unknown_classes,
)
from models.soft_regression import fit_soft, one_hot, stacked

C, WEIGHT = 1.0, 10.0


class Trial(NamedTuple):
    """A problem with 30% of its training labels wrong, the true ones, and test rows."""

    data: RepairData
    true: np.ndarray
    x_test: np.ndarray
    test: np.ndarray

    def loss(self, weights: np.ndarray) -> float:
        """Mean test log-loss, nats."""
        return float(-log_softmax(self.x_test @ weights.T, axis=1)[np.arange(len(self.test)), self.test].mean())


def trial(x: np.ndarray, y: np.ndarray, n: int, m: int) -> Trial:
    rng, classes = np.random.default_rng(1), int(y.max()) + 1
    order = rng.permutation(len(y))
    train, trusted, test = order[:n], order[n : n + m], order[n + m :]
    given = np.where(rng.random(n) < 0.3, (y[train] + rng.integers(1, classes, n)) % classes, y[train])
    return Trial(RepairData(x[train], given, x[trusted], y[trusted], classes), y[train], x[test], y[test])


@pytest.fixture(scope="module", autouse=True)
def _two_parts() -> Iterator[None]:
    """Training rows are cut into 2 parts, as thousands are, which takes half of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.repair.SMALL", 0)
        yield


@cache
def table() -> Trial:
    x, y = load_breast_cancer(return_X_y=True)
    return trial((x - x.mean(axis=0)) / x.std(axis=0), y, 200, 60)


@cache
def pictures() -> Trial:
    x, y = load_digits(n_class=3, return_X_y=True)
    return trial(x / 16, y, 160, 50)


@cache
def repaired(make: Callable[[], Trial]) -> Repaired:
    return repair(make().data, np.random.default_rng(0))


def test_folds_are_balanced_within_each_label() -> None:
    labels = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [11, 7, 2]))
    fold = balanced_folds(labels, 5, np.random.default_rng(1))
    for rows in (fold, *(fold[labels == label] for label in range(3))):
        counts = np.bincount(rows, minlength=5)
        assert counts.max() - counts.min() <= 1
    assert (balanced_folds(labels, 5, np.random.default_rng(2)) != fold).any()


def test_the_prior_is_shared_by_families_and_falls_with_the_distance_from_c() -> None:
    simple = [CandidateFit("train", 1.0), CandidateFit("both", 1.0), CandidateFit("both", 10.0), CandidateFit("both", 1.0, 10.0)]
    expected = np.array([1.0, 0.5, 0.5 * PER_TENFOLD, 1.0])
    np.testing.assert_allclose(prior_of(simple, 1.0), expected / expected.sum())
    sure = [CandidateFit("sure", 1.0), CandidateFit("sure", 10.0)]
    expected = np.append(0.3 * np.array([1.0, 0.5, 0.5 * PER_TENFOLD, 1.0]) / 3.0, [0.35, 0.35 * PER_TENFOLD])
    np.testing.assert_allclose(prior_of(simple + sure, 1.0), expected / expected.sum())


def test_a_class_is_unknown_where_it_is_not_missing_by_chance() -> None:
    given = np.repeat([0, 1, 2, 3], [50, 30, 15, 5])
    data = RepairData(np.ones((100, 1)), given, np.ones((20, 1)), np.repeat([0, 3], 10), 4)
    assert unknown_classes(data).tolist() == [1]  # 0.7^20 is below 0.01, 0.85^20 is 0.04


class Stage(NamedTuple):
    fits: CrossFits
    before: list[CandidateFit]  # candidates that score no row by a fit that has seen it
    chosen: np.ndarray  # (F + 1, M) weights of the pool of each fold


def first_stage(data: RepairData) -> Stage:
    """All candidates but those on sure labels, with folds that don't depend on labels, and given C."""
    fits = CrossFits(data, np.random.default_rng(0))
    m, n = len(data.trusted), len(data.given)
    fits.fold, fits.part = np.arange(m) % FOLDS, np.arange(n) % fits.parts
    fits.kept = [np.flatnonzero(fits.fold != f) for f in range(FOLDS + 1)]
    fits.train = [np.flatnonzero(fits.part != h) for h in range(fits.parts)]
    fits.own = [np.flatnonzero(fits.part == h) for h in range(fits.parts)]
    fits.x_kept, fits.x_train = [data.x_trusted[rows] for rows in fits.kept], [data.x[rows] for rows in fits.train]
    fits.x_own = [data.x[rows] for rows in fits.own]
    starts = fit_simple(fits)
    fit_agreeing(fits, [C], starts, CandidateFit("trusted", C))
    return Stage(fits, list(fits.final), np.array([view.weights for view in pool(fits, C, np.random.default_rng(1))]))


@cache
def stage() -> Stage:
    return first_stage(table().data)


def test_a_trusted_row_is_scored_by_fits_that_have_not_seen_it() -> None:
    data, row = table().data, 7
    labels = data.trusted.copy()
    labels[row] = 1 - labels[row]
    other = first_stage(data._replace(trusted=labels)).fits
    fits, fold = stage().fits, 7 % FOLDS
    for candidate in stage().before:
        for kept, again in ((fits.trusted_logits, other.trusted_logits), (fits.calibration_logits, other.calibration_logits)):
            np.testing.assert_array_equal(kept[candidate][fits.fold == fold], again[candidate][fits.fold == fold])
        np.testing.assert_array_equal(fits.train_logits[candidate][fold], other.train_logits[candidate][fold])
        if candidate.family != "train":  # what has seen it does move
            assert (fits.trusted_logits[candidate][fits.fold != fold] != other.trusted_logits[candidate][fits.fold != fold]).any()
            assert (fits.train_logits[candidate][FOLDS] != other.train_logits[candidate][FOLDS]).any()


def test_a_training_row_is_scored_by_fits_that_have_not_seen_it() -> None:
    data = table().data
    row = np.flatnonzero(data.given == table().true)[5]
    given = data.given.copy()
    given[row] = 1 - given[row]
    other = first_stage(data._replace(given=given)).fits
    fits = stage().fits
    mine = fits.part == fits.part[row]
    for candidate in stage().before:
        np.testing.assert_array_equal(fits.train_logits[candidate][:, mine], other.train_logits[candidate][:, mine])
        moved = (fits.train_logits[candidate] != other.train_logits[candidate]).any()
        assert moved == (candidate.family != "trusted")


def test_a_trusted_label_moves_the_pool_of_its_own_fold_less_than_those_that_count_it() -> None:
    """Not at all, if it were not in the fits that score the trusted rows of the other folds."""
    data, row = table().data, 7
    labels = data.trusted.copy()
    labels[row] = 1 - labels[row]
    other = first_stage(data._replace(trusted=labels))
    moved = np.abs(stage().chosen - other.chosen).sum(axis=1)
    assert moved[7 % FOLDS] < 0.8 * np.delete(moved, 7 % FOLDS).min()


def test_held_out_logits_are_those_of_fits_made_by_hand() -> None:
    fits, data = stage().fits, table().data
    targets, trusted = one_hot(data.given, 2), one_hot(data.trusted, 2)
    row, fold = 11, 11 % FOLDS
    mean = np.zeros(2)
    for h in range(fits.parts):
        a, t = np.flatnonzero(fits.part != h), np.flatnonzero(fits.fold != fold)
        weights = np.append(np.ones(len(a)), np.full(len(t), WEIGHT))
        W = fit_soft(stacked(data.x[a], data.x_trusted[t]), np.vstack([targets[a], trusted[t]]), C / 2, weights)
        mean += W @ data.x_trusted[row] / fits.parts
    np.testing.assert_allclose(fits.trusted_logits[CandidateFit("both", C, WEIGHT)][row], mean, atol=0.02)


def test_influence_of_two_classes_is_that_of_logistic_regression() -> None:
    """Phi of rows that a fit has not seen, -g_i . H^-1 g with g of the trusted rows' loss; C / 2 in its unit."""
    data, fits = table().data, stage().fits
    starts, expected = {}, np.zeros(len(data.given))
    for h in range(fits.parts):
        x, given, own = fits.x_train[h], data.given[fits.train[h]], fits.own[h]
        w = fit_logistic(x, given, C)
        starts[C, h] = np.array([-w, w]) / 2
        p, p_trusted, p_own = (expit(rows @ w) for rows in (x, data.x_trusted, data.x[own]))
        hessian = np.eye(len(w)) + C * (x * (p * (1 - p))[:, None]).T @ x
        along = data.x[own] @ np.linalg.solve(hessian, C * (p_trusted - data.trusted) @ data.x_trusted)
        expected[own] = -C * (p_own - data.given[own]) * along
    found = phi_of(fits, starts, C)
    np.testing.assert_allclose(found, expected / 2, rtol=0.05, atol=1e-3 * np.abs(expected).max())


def test_influences_on_weighted_rows_are_those_of_rows_repeated() -> None:
    small = table().data
    counts = np.random.default_rng(0).integers(1, 4, len(small.given))
    weighted = CrossFits(small._replace(weights=counts.astype(float)), np.random.default_rng(0))
    repeated = CrossFits(
        small._replace(x=small.x.repeat(counts, axis=0), given=small.given.repeat(counts)), np.random.default_rng(0)
    )
    copies = np.repeat(np.arange(len(small.given)), counts)
    repeated.train[0] = np.flatnonzero(np.isin(copies, weighted.train[0]))
    repeated.x_train[0] = repeated.data.x[repeated.train[0]]
    W = np.random.default_rng(1).standard_normal((2, 30)) / 10
    one, other = (solution_of(fits, 0, C, W) for fits in (weighted, repeated))
    np.testing.assert_allclose(one, other, rtol=1e-2, atol=1e-3 * np.abs(one).max())


@pytest.mark.parametrize("make", [table, pictures])
def test_a_repair_is_as_good_as_what_a_user_would_do_otherwise(make: Callable[[], Trial], monkeypatch: pytest.MonkeyPatch) -> None:
    """At their best C with hindsight, to 2%."""
    monkeypatch.setattr("models.repair.SMALL", 1_000)
    case, data = make(), make().data
    K, n, m = data.classes, len(data.given), len(data.trusted)
    rows = {
        "ERM": (data.x, one_hot(data.given, K)),
        "Trusted": (data.x_trusted, one_hot(data.trusted, K)),
        "ERM + Trusted": (stacked(data.x, data.x_trusted), one_hot(np.append(data.given, data.trusted), K)),
    }
    best = {name: min(case.loss(fit_soft(x, t, c, np.ones(len(t)))) for c in GRID) for name, (x, t) in rows.items()}
    found = repair(data, np.random.default_rng(0))
    assert case.loss(found.weights) < 1.02 * min(best.values())
    wrong = data.given != case.true
    assert found.p_wrong[wrong].mean() > 0.75
    assert found.p_wrong[~wrong].mean() < 0.1
    assert (found.labels.argmax(axis=1) == case.true).mean() > 0.9
    assert (found.held_out.argmax(axis=1) == data.trusted).mean() > 0.85
    assert (found.calibration_scores.shape, found.scores.shape) == ((m,), (n,))
    assert np.mean(found.calibration_scores) == pytest.approx(found.scores[~wrong].mean(), abs=0.06)


def test_probabilities_sum_to_one_and_agree_with_each_other() -> None:
    found, data = repaired(pictures), pictures().data
    for p in (found.labels, found.probabilities, found.held_out):
        np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(found.p_wrong, 1 - found.labels[np.arange(160), data.given])
    assert found.phi[data.given != pictures().true].mean() > 0 > found.phi[data.given == pictures().true].mean()


def few() -> RepairData:
    """40 training rows, 10 trusted."""
    data = table().data
    return data._replace(x=data.x[:40], given=data.given[:40], x_trusted=data.x_trusted[:10], trusted=data.trusted[:10])


def test_same_seed_same_bytes_and_sparse_rows_as_dense_ones() -> None:
    data = few()
    sparse_data = data._replace(x=sp.csr_array(data.x), x_trusted=sp.csr_array(data.x_trusted))
    found, again, sparse = (repair(each, np.random.default_rng(0)) for each in (data, data, sparse_data))
    assert [np.asarray(value).tobytes() for value in again[:10]] == [np.asarray(value).tobytes() for value in found[:10]]
    np.testing.assert_allclose(sparse.p_wrong, found.p_wrong, atol=0.02)
    np.testing.assert_allclose(sparse.weights, found.weights, atol=0.02)


def test_rows_of_weight_zero_are_as_if_they_were_not_there() -> None:
    data = table().data
    weights = np.random.default_rng(0).integers(0, 2, 200).astype(float)
    fits = CrossFits(data._replace(weights=weights), np.random.default_rng(0))
    starts = fit_simple(fits)
    rows = np.flatnonzero((fits.part != 0) & (weights > 0))
    expected = fit_soft(data.x[rows], one_hot(data.given[rows], 2), C / 2, np.ones(len(rows)))
    np.testing.assert_allclose(starts[C, 0], expected, atol=0.02)
    chosen = CandidateFit("train", C)
    counted = -log_softmax(fits.train_logits[chosen][FOLDS], axis=1)[np.arange(200), data.given][weights > 0]
    trusted = -log_softmax(fits.trusted_logits[chosen], axis=1)[np.arange(60), data.trusted]
    assert fits.loss(chosen) == pytest.approx(trusted.sum() + TRAINING_WORTH * counted.mean(), rel=1e-6)


def test_both_parts_are_fitted_at_the_best_c_of_the_grid_and_beside_it_and_no_farther() -> None:
    fits = CrossFits(table().data, np.random.default_rng(0))
    starts = fit_simple(fits)
    fitted = sorted({each.C for each in fits.final if each.family == "both"})
    chosen = fits.best(["both"]).C
    for c in GRID:
        for key in fits.pairs():
            for weight in TRUSTED_WEIGHTS:
                fits.fit_both(CandidateFit("every", c, weight), key, fits.targets, starts[c, key[1]])
    place = GRID.index(fits.best(["every"]).C)
    assert GRID[place] == chosen
    assert set(GRID[max(0, place - 1) : place + 2]) <= set(fitted) < set(GRID)


def test_fits_take_some_of_many_rows_and_all_rows_are_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.repair.FIT_ROWS", 60)
    data, seen = table().data, []

    def fitted(x: np.ndarray, *given: object) -> np.ndarray:
        seen.append(len(x))
        return fit_soft(x, *given)  # type: ignore[arg-type]

    monkeypatch.setattr("models.repair.fit_soft", fitted)
    found = repair(data, np.random.default_rng(0))
    assert sorted(set(seen)) == [48, 60, 108, 120, 200, 260]  # the last two: simple methods
    wrong = data.given != table().true
    assert found.p_wrong[wrong].mean() > 0.6
    assert found.p_wrong[~wrong].mean() < 0.2
    assert (found.phi != 0).all()
    monkeypatch.setattr("models.examine.fit_soft", fitted)
    seen.clear()
    assert len(examine(data, np.random.default_rng(0)).p_wrong) == 200
    assert max(seen) == 120  # 60 and the trusted rows
    assert min(seen) > 60 + 40  # of them without a fold


def test_simple_methods_are_fits_on_all_rows_with_their_weights() -> None:
    data, K = table().data, 2
    weights = np.random.default_rng(0).integers(1, 4, 200).astype(float)
    fits = CrossFits(data._replace(weights=weights), np.random.default_rng(0))
    fit_simple(fits)
    x, targets = stacked(data.x, data.x_trusted), one_hot(np.append(data.given, data.trusted), K)
    for family, rows, omega in (
        ("train", slice(0, 200), weights),
        ("trusted", slice(200, 260), np.ones(60)),
        ("both", slice(0, 260), np.append(weights, np.ones(60))),
    ):
        candidates = [each for each in fits.final if each.family == family and each.trusted_weight == 1]
        expected = fit_soft(x[rows], targets[rows], min(candidates, key=fits.loss).C / 2, omega)
        np.testing.assert_allclose(simple_method(fits, family).weights, expected, atol=0.02)


def test_trusted_rows_that_cannot_be_cut_are_refused() -> None:
    data = table().data
    with pytest.raises(TooFewTrustedError, match="there are 9 trusted rows, expected 10 or more"):
        repair(data._replace(x_trusted=data.x_trusted[:9], trusted=data.trusted[:9]), np.random.default_rng(0))


def test_progress_counts_the_stages() -> None:
    seen: list[tuple[int, int]] = []
    repair(few(), np.random.default_rng(0), lambda done, total: seen.append((done, total)))
    assert seen == [(1, 5), (2, 5), (3, 5), (4, 5)]

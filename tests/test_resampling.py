from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse as sp

from influence import Fit, resampling
from influence.logistic import curvature, logistic_hessian
from influence.resampling import (
    gradient_norms,
    inclusion_probabilities,
    keep_by_class,
    optlr_sample,
    subsample,
    uids_linear,
    uids_sigmoid,
)
from models.logistic_regression import fit_logistic, logistic_losses
from tests.problems import C, sparse, wdbc

RNG = np.random.default_rng


def test_subsample_keeps_95_per_cent() -> None:
    assert subsample(1_000, RNG(0)).sum() == 950
    assert (subsample(1_000, RNG(0)) != subsample(1_000, RNG(1))).any()


def test_what_is_kept_is_a_mask() -> None:
    """Of whole numbers it would be indices."""
    labels = np.arange(40) % 2
    for kept in (subsample(40, RNG(0)), keep_by_class(np.ones(40), labels, RNG(0)), optlr_sample(np.ones(40), RNG(0)).kept):
        assert (kept.dtype, kept.shape) == (np.dtype(bool), (40,))


def test_uids_probabilities_are_the_published_ones() -> None:
    phi = np.array([-0.03, -0.001, 0.0, 0.01])
    np.testing.assert_allclose(uids_sigmoid(phi), 1 / (1 + np.exp(10 * phi / 0.04)), rtol=1e-12)
    np.testing.assert_allclose(uids_linear(phi), [1, 0.25, 0, 0], rtol=1e-12)
    assert uids_sigmoid(np.zeros(3)).tolist() == [0.5] * 3


@pytest.mark.parametrize("probabilities", [uids_sigmoid, uids_linear])
def test_uids_keeps_95_per_cent_of_each_class_or_of_what_it_can_of_it(probabilities: Callable[[np.ndarray], np.ndarray]) -> None:
    rng = RNG(3)
    phi, labels = rng.standard_normal(900), (np.arange(900) < 200).astype(int)
    drawn = probabilities(phi)
    kept = keep_by_class(drawn, labels, rng)
    for label in (0, 1):
        assert kept[labels == label].sum() == int(0.95 * (drawn[labels == label] > 0).sum())
    assert not kept[drawn == 0].any()


def test_samples_are_kept_as_often_as_drawing_them_again_and_again_keeps_them() -> None:
    """Three samples of one class, two of them kept: against the loop that the released procedure is."""
    probabilities, rng = np.array([0.1, 0.3, 0.9]), RNG(0)

    def loop() -> np.ndarray:
        kept = np.zeros(3, dtype=bool)
        while kept.sum() < 2:
            for i in rng.permutation(3):
                if kept.sum() < 2 and not kept[i]:
                    kept[i] = rng.random() < probabilities[i]
        return kept

    looped = np.mean([loop() for _ in range(20_000)], axis=0)
    drawn = np.mean([keep_by_class(probabilities, np.zeros(3), rng) for _ in range(20_000)], axis=0)
    np.testing.assert_allclose(drawn, looped, atol=0.02)


@pytest.mark.parametrize("seed", range(5))
def test_inclusion_probabilities_sum_to_what_is_expected_and_follow_the_scores(seed: int) -> None:
    scores = RNG(seed).lognormal(0, 2, 400)
    probabilities = inclusion_probabilities(scores, 380)
    assert probabilities.sum() == pytest.approx(380)
    below = probabilities < 1
    assert below.any()
    np.testing.assert_allclose(probabilities[below] / scores[below], (probabilities / scores)[below].mean(), rtol=1e-9)
    assert (scores[~below].min() >= scores[below].max()) or not (~below).any()


@pytest.mark.parametrize(("scores", "expected"), [([0, 0, 0], [0, 0, 0]), ([0, 1, 5], [0, 1, 1]), ([2, 2, 2], [0.95] * 3)])
def test_scores_at_the_edge(scores: list[float], expected: list[float]) -> None:
    np.testing.assert_allclose(inclusion_probabilities(np.array(scores, dtype=float), 2.85), expected)


@pytest.mark.parametrize("unit", [1e-9, 1e9])
def test_the_unit_of_the_scores_does_not_matter(unit: float) -> None:
    scores = RNG(0).lognormal(0, 2, 400)
    np.testing.assert_allclose(inclusion_probabilities(unit * scores, 380), inclusion_probabilities(scores, 380), rtol=1e-9)


def test_optlr_keeps_95_per_cent_each_sample_on_its_own() -> None:
    """The sum of 4,000 independent draws with p = 0.95 is within five standard deviations; of draws that go together it is not."""
    for seed in range(5):
        kept, weights = optlr_sample(np.full(4_000, 2.0), RNG(seed))
        assert abs(kept.sum() - 3_800) < 5 * np.sqrt(4_000 * 0.95 * 0.05)
        np.testing.assert_allclose(weights, np.full(kept.sum(), 1 / 0.95))


def test_a_sample_without_gradient_is_not_kept_whatever_is_drawn() -> None:
    class Lowest(np.random.Generator):
        def random(self, size: int) -> np.ndarray:  # type: ignore[override]
            return np.zeros(size)

    kept, weights = optlr_sample(np.array([0.0, 3.0, 1.0]), Lowest(np.random.PCG64(0)))
    assert kept.tolist() == [False, True, True]
    assert weights.tolist() == [1, 1]


def test_the_weights_make_the_loss_unbiased() -> None:
    problem, rng = wdbc(), RNG(0)
    w = fit_logistic(problem.x, problem.labels, C)
    losses = logistic_losses(problem.x @ w, problem.labels)
    scores = gradient_norms(Fit(problem.x, problem.labels, problem.x @ w), C, rng)
    estimates = []
    for _ in range(4_000):
        sample = optlr_sample(scores, rng)
        estimates.append(float(sample.weights @ losses[sample.kept]))
    error = np.mean(estimates) - losses.sum()
    assert abs(error) < 4 * np.std(estimates) / np.sqrt(4_000)
    assert np.std(estimates) > 0


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("rows", [7, 4_096])
def test_gradient_norms_are_those_of_each_sample(kind, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(resampling, "ROW_BLOCK", rows)
    problem = sparse()
    x, logits = kind(problem.x), problem.x @ RNG(0).standard_normal(80)
    hessian = logistic_hessian(problem.x, curvature(logits, C))
    slopes = 1 / (1 + np.exp(-logits)) - problem.labels
    loop = [np.linalg.norm(np.linalg.solve(hessian, g * row)) for g, row in zip(slopes, problem.x, strict=True)]
    np.testing.assert_allclose(gradient_norms(Fit(x, problem.labels, logits), C, RNG(0)), loop, rtol=1e-9)


def test_every_row_is_solved_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    solved: list[int] = []
    solve = scipy.linalg.cho_solve

    def counted(factor: Any, columns: np.ndarray, **options: Any) -> np.ndarray:
        solved.append(columns.shape[1])
        return solve(factor, columns, **options)

    monkeypatch.setattr(scipy.linalg, "cho_solve", counted)
    monkeypatch.setattr(resampling, "ROW_BLOCK", 100)
    problem = sparse()
    gradient_norms(Fit(problem.x, problem.labels, np.zeros(210)), C, RNG(0))
    assert solved == [100, 100, 10]


def test_with_too_many_features_for_a_factor_norms_are_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = sparse()
    fit = Fit(sp.csr_array(problem.x), problem.labels, problem.x @ RNG(0).standard_normal(80))
    exact = gradient_norms(fit, C, RNG(0))
    monkeypatch.setattr(resampling, "CHOLESKY_MAX", 80)
    np.testing.assert_array_equal(gradient_norms(fit, C, RNG(0)), exact)
    monkeypatch.setattr(resampling, "CHOLESKY_MAX", 79)
    assert np.abs(gradient_norms(fit, C, RNG(0)) - exact).max() > 0.01 * exact.max()  # by 32 probes, not 2,000
    monkeypatch.setattr(resampling, "PROBES", 2_000)
    used = exact > 0
    np.testing.assert_allclose(gradient_norms(fit, C, RNG(0))[used], exact[used], rtol=0.1)

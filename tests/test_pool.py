from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.special import log_softmax, softmax

from models import pool
from models.pool import TO_ONE, TO_PRIOR, TRAINING_WORTH, Noisy, pool_weights, posterior, suggestions

Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]


def test_a_posterior_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "SWEEPS", 1)
    found = posterior(np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]]), np.array([0, 0, 1]))
    # Row 0 of the counts: class 0 where 0 was given .9 + .4, where 1 was given .2; with .5 + .05 and .05 added 1.85 and .25.
    np.testing.assert_allclose(found.transition[0], [[1.85 / 2.1, 0.25 / 2.1], [0.75 / 2.1, 1.35 / 2.1]])
    first = 0.9 * 1.85 / (0.9 * 1.85 + 0.1 * 0.75)
    last = 0.2 * 0.25 / (0.2 * 0.25 + 0.8 * 1.35)
    np.testing.assert_allclose(found.labels[[0, 2], 0], [first, last])


def test_rows_of_labels_and_of_the_transition_sum_to_one() -> None:
    rng = np.random.default_rng(0)
    found = posterior(rng.dirichlet(np.ones(4), 50), rng.integers(3, size=50))  # the fourth class is never given
    np.testing.assert_allclose(found.labels.sum(axis=1), 1)
    np.testing.assert_allclose(found.transition.sum(axis=2), 1)
    assert (found.transition > 0).all()


def test_a_posterior_finds_the_transition_that_made_the_labels() -> None:
    rng = np.random.default_rng(1)
    true, T = rng.integers(3, size=20_000), np.array([[0.9, 0.1, 0.0], [0.0, 0.7, 0.3], [0.2, 0.2, 0.6]])
    given = (rng.random(20_000)[:, None] > T[true].cumsum(axis=1)).sum(axis=1)
    found = posterior(softmax(10.0 * np.eye(3)[true], axis=1), given)
    np.testing.assert_allclose(found.transition[0], T, atol=0.02)


def test_each_group_has_a_transition_near_the_shared_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    true, groups = rng.integers(2, size=(2, 20_000))
    given = np.where((groups == 1) & (rng.random(20_000) < 0.4), 1 - true, true)  # all of the wrong labels are in one group
    p = softmax(10.0 * np.eye(2)[true], axis=1)
    found = posterior(p, given, groups)
    np.testing.assert_allclose(found.transition[0], np.eye(2), atol=0.02)
    np.testing.assert_allclose(found.transition[1], [[0.6, 0.4], [0.4, 0.6]], atol=0.02)
    np.testing.assert_array_equal(found.to_given(given, groups)[7], found.transition[groups[7], :, given[7]])
    monkeypatch.setattr(pool, "SHARED_ROWS", 1e9)
    np.testing.assert_allclose(
        posterior(p, given, groups).transition, np.repeat(posterior(p, given).transition, 2, axis=0), atol=1e-3
    )


class Pool:
    """Three candidates' logits of 12 trusted and 15 training rows, at random."""

    rng = np.random.default_rng(3)
    logits, labels = 2 * rng.standard_normal((3, 12, 4)), rng.integers(4, size=12)
    prior = np.array([0.5, 0.3, 0.2])
    noisy = Noisy(2 * rng.standard_normal((3, 15, 4)), rng.dirichlet(np.ones(4), 15), rng.integers(0, 3, 15).astype(float))

    @classmethod
    def objective(cls, v: np.ndarray, noisy: bool) -> float:
        """What `pool_weights` minimises, by its equation, one row at a time."""
        b, t = softmax(np.log(cls.prior) + v[:-1]), np.exp(v[-1])
        value = -sum(log_softmax(t * b @ cls.logits[:, j])[label] for j, label in enumerate(cls.labels))
        if noisy:
            p = [softmax(t * b @ cls.noisy.logits[:, i]) for i in range(15)]
            logs = [np.log(p_i @ T_i) for p_i, T_i in zip(p, cls.noisy.to_given, strict=True)]
            value -= TRAINING_WORTH * np.average(logs, weights=cls.noisy.weights)
        return float(value + TO_PRIOR * b @ np.log(b / cls.prior) + TO_ONE / 2 * v[-1] ** 2)


@pytest.mark.parametrize("noisy", [False, True])
def test_value_and_slope_of_a_pool_are_those_of_its_equation(noisy: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Objective] = []
    minimize = pool.minimize

    def watched(f: Objective, v: np.ndarray, **options: Any) -> Any:
        seen.append(f)
        return minimize(f, v, **options)

    monkeypatch.setattr(pool, "minimize", watched)
    a = pool_weights(Pool.logits, Pool.labels, Pool.prior, Pool.noisy if noisy else None)
    for v in np.random.default_rng(4).standard_normal((3, 4)):
        value, slope = seen[0](v)
        assert value == pytest.approx(Pool.objective(v, noisy), rel=1e-12)
        np.testing.assert_allclose(slope, approx_fprime(v, Pool.objective, 1e-7, noisy), rtol=1e-4, atol=1e-4)
    at = np.append(np.log(a / a.sum() / Pool.prior), np.log(a.sum()))
    assert np.abs(approx_fprime(at, Pool.objective, 1e-6, noisy)).max() < 0.01


def test_of_many_rows_the_candidate_that_made_the_labels_has_all_the_weight() -> None:
    rng = np.random.default_rng(5)
    logits = 2 * rng.standard_normal((3, 3000, 4))
    labels = (logits[1] + rng.gumbel(size=(3000, 4))).argmax(axis=1)
    a = pool_weights(logits, labels, Pool.prior)
    np.testing.assert_allclose(a, [0, 1, 0], atol=0.05)


def test_without_rows_the_weights_are_the_prior() -> None:
    np.testing.assert_allclose(pool_weights(np.zeros((3, 0, 4)), np.zeros(0, dtype=int), Pool.prior), Pool.prior, atol=1e-6)


def test_candidates_that_are_too_sure_are_tempered() -> None:
    rng = np.random.default_rng(6)
    true = 1.5 * rng.standard_normal((2000, 3))
    labels = (true + rng.gumbel(size=(2000, 3))).argmax(axis=1)
    a = pool_weights(np.stack([3 * true, 3 * true]), labels, np.array([0.5, 0.5]))
    assert a.sum() == pytest.approx(1 / 3, abs=0.06)
    assert a[0] == pytest.approx(a[1], abs=1e-6)


def test_noisy_labels_count_behind_their_transition() -> None:
    """Labels are flipped in 8 of 10 rows: the candidate that says the opposite of them is the right one."""
    rng = np.random.default_rng(7)
    z = np.zeros((2, 4000, 2))
    z[0, :, 1] = 3 * rng.standard_normal(4000)
    z[1] = -z[0]
    true = (z[0] + rng.gumbel(size=(4000, 2))).argmax(axis=1)
    given = np.where(rng.random(4000) < 0.8, 1 - true, true)
    none, prior = (np.zeros((2, 0, 2)), np.zeros(0, dtype=int)), np.array([0.5, 0.5])
    behind = pool_weights(*none, prior, Noisy(z, np.array([[0.2, 0.8], [0.8, 0.2]])[given], np.ones(4000)))
    taken_at_their_word = pool_weights(*none, prior, Noisy(z, np.eye(2)[given], np.ones(4000)))
    assert behind[0] > 3 * behind[1]
    assert taken_at_their_word[1] > 1.5 * taken_at_their_word[0]


def test_a_label_is_suggested_where_it_is_likely_by_both() -> None:
    labels = np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.2, 0.8]])
    features = np.array([[0.8, 0.2], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7]])
    found = suggestions(labels, features, np.array([1, 1, 1, 0]))
    np.testing.assert_array_equal(found, [0, -1, -1, 1])


def test_labels_that_a_person_has_set_teach_how_labels_were_given() -> None:
    """All of class 0 were given 1: features alone do not tell, 20 looks do, though the rest is as before."""
    p, given = np.full((100, 2), 0.5), np.ones(100, dtype=int)
    known = np.where(np.arange(100) < 20, 0, -1)
    before, after = posterior(p, given), posterior(p, given, None, known)
    np.testing.assert_allclose(after.labels[:20], np.tile([1.0, 0.0], (20, 1)))
    assert after.labels[20:, 0].min() > before.labels[20:, 0].max()
    for groups in (None, np.zeros(100, dtype=int)):  # without any it is the same
        np.testing.assert_array_equal(posterior(p, given, groups, np.full(100, -1)).labels, posterior(p, given, groups).labels)


def test_rows_count_in_the_transition_by_their_weights() -> None:
    rng = np.random.default_rng(0)
    p, given, weights = rng.dirichlet(np.ones(3), 40), rng.integers(3, size=40), rng.integers(3, size=40)
    groups = rng.integers(3, size=40)
    rows = np.repeat(np.arange(40), weights)
    for some in (None, groups):
        found = posterior(p, given, some, weights=weights.astype(float))
        repeated = posterior(p[rows], given[rows], None if some is None else some[rows])
        np.testing.assert_allclose(found.transition, repeated.transition, rtol=1e-12)
        np.testing.assert_allclose(found.labels[rows], repeated.labels, rtol=1e-12)

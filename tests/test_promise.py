import numpy as np
import pytest
from scipy.special import expit

from models.promise import QUANTILE, benjamini_hochberg, count_wrong, p_values, row_noise


def test_p_values_by_hand() -> None:
    found = p_values(np.array([0.9, 0.5, 0.1, 0.3]), np.array([0.5, 0.2, 0.3]))
    np.testing.assert_allclose(found, [1 / 4, 2 / 4, 4 / 4, 3 / 4])


@pytest.mark.parametrize("m", [9, 30, 100])
def test_p_values_of_exchangeable_scores_are_uniform(m: int) -> None:
    rng = np.random.default_rng(m)
    repeats = 20_000
    p = np.array([p_values(s[:1], s[1:])[0] for s in rng.standard_normal((repeats, m + 1))])
    for u in (0.01, 0.05, 0.1, 0.25, 0.5, 0.9):
        below, error = (p <= u).mean(), np.sqrt(u * (1 - u) / repeats)
        assert below <= u + 3 * error
        assert below >= u - 1 / (m + 1) - 3 * error


def test_p_values_of_scores_that_tie_are_not_too_small() -> None:
    rng = np.random.default_rng(0)
    p = np.array([p_values(s[:1], s[1:])[0] for s in rng.integers(3, size=(20_000, 20))])
    for u in (0.1, 0.3, 0.6, 0.9):
        assert (p <= u).mean() <= u + 3 * np.sqrt(u * (1 - u) / len(p))


def slowly(p: np.ndarray, q: float) -> set[int]:
    """The definition: the k rows with the least p, for the largest k with p_(k) <= q k / n."""
    n, order = len(p), sorted(range(len(p)), key=lambda i: p[i])
    most = max((k for k in range(1, n + 1) if p[order[k - 1]] <= q * k / n), default=0)
    return set(order[:most])


@pytest.mark.parametrize("q", [0.05, 0.2, 0.5])
def test_benjamini_and_hochbergs_list_is_that_of_the_definition(q: float) -> None:
    rng = np.random.default_rng(1)
    for n in (1, 2, 10, 60):
        for power in (1, 3):
            p = np.round(rng.random(n) ** power, 2)
            assert {*np.flatnonzero(benjamini_hochberg(p, q)).tolist()} == slowly(p, q)


def test_of_the_listed_at_most_a_share_q_is_right() -> None:
    """60 wrong among 200, scores of the wrong ones shifted by 2.5; 99 trusted; over 400 draws."""
    rng = np.random.default_rng(2)
    shares, powers = [], []
    for _ in range(400):
        wrong = np.arange(200) < 60
        listed = benjamini_hochberg(p_values(rng.standard_normal(200) + 2.5 * wrong, rng.standard_normal(99)), 0.2)
        shares.append((listed & ~wrong).sum() / max(1, listed.sum()))
        powers.append(listed[wrong].mean())
    assert np.mean(shares) <= 0.2 + 2 * np.std(shares) / 20
    assert np.mean(powers) > 0.5


class Rows:
    """20,000 rows of two classes: P(true label | features), and given labels of which the classes are wrong in 10% and 40%."""

    rng = np.random.default_rng(3)
    z = 3 * rng.standard_normal(20_000)
    p = np.column_stack([expit(-z), expit(z)])
    true = (rng.random(20_000) < p[:, 1]).astype(int)
    given = np.where(rng.random(20_000) < np.array([0.1, 0.4])[true], 1 - true, true)
    wrong = (given != true).mean()
    by_given = np.full(20_000, 0.5)  # of a model that has learned nothing


def labels_by_class() -> np.ndarray:
    """q where the transition is known."""
    joint = Rows.p * np.array([[0.9, 0.1], [0.4, 0.6]])[:, Rows.given].T
    return joint / joint.sum(axis=1, keepdims=True)


def test_noise_that_depends_on_the_class_is_found() -> None:
    found = row_noise(Rows.p, Rows.given, Rows.by_given)
    assert found.mean() == pytest.approx(Rows.wrong, abs=0.01)
    np.testing.assert_allclose(found, 1 - labels_by_class()[np.arange(20_000), Rows.given], atol=0.05)


def test_noise_that_depends_on_the_row_is_found() -> None:
    """Three labels in ten are drawn by what has nothing to do with the true one, but with features that a model sees."""
    rng = np.random.default_rng(4)
    of_second = expit(6 * rng.standard_normal(20_000))
    given = np.where(rng.random(20_000) < 0.3, rng.random(20_000) < of_second, Rows.true).astype(int)
    found = row_noise(Rows.p, given, np.where(given == 1, of_second, 1 - of_second))
    assert found.mean() == pytest.approx((given != Rows.true).mean(), abs=0.01)


def test_wrong_labels_are_counted() -> None:
    found = count_wrong(Rows.p, labels_by_class(), Rows.given, Rows.by_given, np.full(100, 0.9))
    assert found.estimate == pytest.approx(20_000 * Rows.wrong, abs=200)
    assert found.low < 20_000 * Rows.wrong < found.high


def test_the_interval_is_by_the_errors_that_trusted_rows_show() -> None:
    held_out = np.ones(25), np.full(25, 0.8), np.full(100, 0.8)
    sure, few, many = (count_wrong(Rows.p, labels_by_class(), Rows.given, Rows.by_given, each) for each in held_out)
    for found, m in ((few, 25), (many, 100)):
        margin = 20_000 * QUANTILE * np.sqrt(0.2 * 0.8 / m)
        assert sure.low - found.low == pytest.approx(margin)
        assert found.high - sure.high == pytest.approx(margin)
        assert found.estimate == sure.estimate


def test_an_interval_ends_at_none_and_all() -> None:
    found = count_wrong(Rows.p, labels_by_class(), Rows.given, Rows.by_given, np.full(1, 0.5))
    assert (found.low, found.high) == (0.0, 20_000.0)

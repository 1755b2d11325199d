import numpy as np
import pytest
from scipy.special import softmax

from models.auto import likely, most_first
from models.examine import EVIDENCE, SCALES, UNSEEN, Folds, cautious, confidently_wrong, evidence, examine, shares_by_evidence
from models.pool import TO_ONE, posterior
from models.repair import RepairData
from models.soft_regression import fit_soft, one_hot
from tests.problems import wdbc


def test_suspects_are_listed_most_surely_wrong_first() -> None:
    p_wrong = np.array([0.2, 0.99, 0.7, 0.95])
    assert most_first(p_wrong, p_wrong > 0.5).tolist() == [1, 3, 2]


def test_a_label_gives_way_to_one_that_is_likely() -> None:
    q = np.array([[0.6, 0.3, 0.1], [0.4, 0.35, 0.25], [0.1, 0.5, 0.4]])
    assert likely(q, np.array([2, 2, 2])).tolist() == [0, 2, 1]


def test_who_is_confidently_wrong_by_hand() -> None:
    given = np.array([0, 0, 0, 1, 1, 1])
    p = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.2, 0.8], [0.75, 0.25], [0.55, 0.45]])
    # Mean self-confidence: of 0 (.9 + .7 + .2) / 3 = .6, of 1 (.8 + .25 + .45) / 3 = .5. Row 5 is likelier 0, but below .6.
    assert confidently_wrong(p, given).tolist() == [False, False, True, False, True, False]
    assert not confidently_wrong(np.eye(2)[given], given).any()


def test_evidence_is_the_likelihood_of_the_given_labels_behind_each_transition() -> None:
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((3, 200, 4)) * np.array([0.1, 2.0, 9.0])[:, None, None]
    given, weights = rng.integers(4, size=200), rng.integers(3, size=200).astype(float)
    logits[0] += np.eye(4)[given]

    def expected(each: np.ndarray) -> float:
        p = softmax(each, axis=1)
        T = posterior(p, given, weights=weights).transition[0]
        return EVIDENCE * sum(weights[i] * np.log(p[i] @ T[:, given[i]]) for i in range(200))

    for each in logits:
        assert evidence(each, given, weights) == pytest.approx(expected(each))
    penalised = [[expected(t * each) - TO_ONE / 2 * np.log(t) ** 2 for t in SCALES] for each in logits]
    best = np.argmax(penalised, axis=1)
    assert len(set(best)) > 1
    shares = np.exp(np.max(penalised, axis=1))
    np.testing.assert_allclose(shares_by_evidence(logits, given, weights), shares / shares.sum() * np.take(SCALES, best))


def test_logits_that_are_too_small_are_made_larger() -> None:
    """Of 2,000 labels a tenth is wrong, and the fit knows the right ones, but says so with a third of the logits."""
    rng = np.random.default_rng(0)
    true = rng.integers(3, size=2_000)
    given = np.where(rng.random(2_000) < 0.1, (true + 1) % 3, true)
    logits = 6.0 * np.eye(3)[np.where(rng.random(2_000) < 0.02, (true + 2) % 3, true)]
    assert shares_by_evidence(logits[None] / 3, given, np.ones(2_000))[0] >= 2.0


def test_the_model_allows_for_wrong_labels_that_are_not_seen() -> None:
    """Of two classes whose logits are all a, and no label seems wrong, the best factor has softmax(t a) = 1 - UNSEEN."""
    a = 8.0
    p = softmax(np.array([[a, 0.0], [0.0, a]]), axis=1)
    found = cautious(p, np.eye(2), np.zeros(2), np.ones(2))
    assert found * a == pytest.approx(np.log((1 - UNSEEN) / UNSEEN), abs=1e-3)
    # As many as are allowed for seem wrong; logits that are too small; a row without weight.
    assert cautious(p, np.eye(2), np.full(2, UNSEEN), np.ones(2)) == 1.0
    assert cautious(softmax(np.eye(2), axis=1), np.eye(2), np.zeros(2), np.ones(2)) == pytest.approx(1.0, abs=1e-4)
    rows = [p[0], [0.5, 0.5]], np.array([[1.0, 0.0], [0.0, 1.0]])
    assert cautious(np.array(rows[0]), rows[1], np.zeros(2), np.array([1.0, 0.0])) == pytest.approx(found, abs=1e-3)


def problem(trusted: int) -> RepairData:
    case = wdbc()
    return RepairData(case.x, case.labels, case.x_validation[:trusted], case.labels_validation[:trusted], 2)


def test_held_out_logits_are_of_fits_without_the_fold_and_with_the_trusted_rows() -> None:
    data = problem(trusted=4)
    folds = Folds(data, np.random.default_rng(0))
    weights = np.random.default_rng(1).random(len(data.given))
    logits = folds.held_out(one_hot(data.given, 2), 1.0, weights)
    for fold in (0, 3):
        others = folds.fold != fold
        x, labels = np.vstack([data.x[others], data.x_trusted]), np.append(data.given[others], data.trusted)
        W = fit_soft(x, one_hot(labels, 2), 0.5, np.append(weights[others], np.ones(4)))
        np.testing.assert_allclose(logits[~others], data.x[~others] @ W.T, atol=1e-9)


def test_no_row_is_examined_by_a_fit_that_has_seen_it() -> None:
    data = problem(trusted=0)
    other = data.given.copy()
    other[3] = 1 - other[3]
    before, after = (
        Folds(data, np.random.default_rng(0)).held_out(one_hot(labels, 2), 1.0, np.ones(len(other)))
        for labels in (data.given, other)
    )
    fold = Folds(data, np.random.default_rng(0)).fold
    own = fold == fold[3]
    np.testing.assert_array_equal(before[own], after[own])
    assert (before[~own] != after[~own]).any()


def test_an_examination_agrees_with_itself_and_counts_its_stages() -> None:
    data, seen = problem(trusted=0), []
    found = examine(data, np.random.default_rng(0), lambda done, total: seen.append((done, total)))
    rows = np.arange(len(data.given))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    np.testing.assert_array_equal(found.p_wrong, 1 - found.labels[rows, data.given])
    said = posterior(found.probabilities, data.given)
    np.testing.assert_allclose(found.labels, said.labels)
    again = examine(data, np.random.default_rng(0))
    assert found.weights.tobytes() == again.weights.tobytes()
    case = wdbc()
    accuracy = ((case.x_validation @ found.weights.T).argmax(axis=1) == case.labels_validation).mean()
    assert accuracy > 0.93  # with a third of the labels wrong


def test_the_plain_fit_beside_it_is_that_on_the_given_labels() -> None:
    data = wdbc()
    given, none = data.labels.astype(int), np.zeros((0, data.x.shape[1]))
    found = examine(RepairData(data.x, given, none, np.zeros(0, dtype=int), 2), np.random.default_rng(0))
    expected = fit_soft(data.x, one_hot(given, 2), found.C / 2, np.ones(len(given)))
    np.testing.assert_allclose(softmax(data.x @ found.plain.T, axis=1), softmax(data.x @ expected.T, axis=1), atol=0.02)

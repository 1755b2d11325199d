from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from influence import Fit, harmful, logistic_influence, relabel
from models.estimator import RDIAClassifier
from models.logistic_regression import fit_logistic
from tests.problems import C, wdbc


@parametrize_with_checks([RDIAClassifier(), RDIAClassifier(alpha=0.0, relabel="R")])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_it_keeps_to_the_conventions_of_scikit_learn(estimator: RDIAClassifier, check: Any) -> None:
    check(estimator)


def test_with_everything_given_it_is_the_functions_called_by_hand() -> None:
    problem = wdbc()
    trusted = problem.x_validation, problem.labels_validation
    found = RDIAClassifier(alpha=0.002, relabel="R", C=C).fit(problem.x, problem.labels, *trusted)
    w = fit_logistic(problem.x, problem.labels, C)
    phi = logistic_influence(Fit(problem.x, problem.labels, problem.x @ w), Fit(*trusted, trusted[0] @ w), C).phi
    chosen = harmful(phi, 0.002)
    np.testing.assert_array_equal(found.influence_, phi)
    np.testing.assert_array_equal(found.relabeled_, chosen)
    np.testing.assert_array_equal(found.labels_, relabel(problem.labels, chosen))
    np.testing.assert_array_equal(found.coef_[0], fit_logistic(problem.x, found.labels_, C))
    assert (found.alpha_, found.relabel_, found.curve_) == (0.002, "R", [])


def noisy_digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """1,000 training rows, 40% of their labels wrong, as words; 300 trusted rows; the true labels."""
    x, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    words = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
    given = np.where(rng.random(1000) < 0.4, (y[:1000] + rng.integers(1, 10, 1000)) % 10, y[:1000])
    return x[:1000] / 16, words[given], x[1000:1300] / 16, words[y[1000:1300]], words[y[:1000]]


def test_labels_of_words_are_mended_and_returned_as_words() -> None:
    x, y, x_val, y_val, truth = noisy_digits()
    found = RDIAClassifier(random_state=1).fit(x, y, x_val, y_val)
    assert np.mean(found.labels_ == truth) > np.mean(y == truth) + 0.1
    assert set(found.predict(x_val)) <= set(y_val)
    assert found.score(x_val, y_val) > RDIAClassifier(alpha=1e9, relabel="R").fit(x, y, x_val, y_val).score(x_val, y_val)
    np.testing.assert_allclose(found.predict_proba(x_val).sum(axis=1), 1)
    assert found.relabel_ in {"R", "best", "drop"}
    assert len(found.curve_) > 10


def test_sparse_rows_give_what_dense_ones_give() -> None:
    x, y, x_val, y_val, _ = noisy_digits()
    dense, sparse = (
        RDIAClassifier(alpha=0, relabel="best").fit(kind(x), y, kind(x_val), y_val) for kind in (np.asarray, sp.csr_array)
    )
    np.testing.assert_allclose(sparse.coef_, dense.coef_, atol=1e-5)
    np.testing.assert_array_equal(sparse.labels_, dense.labels_)
    np.testing.assert_array_equal(sparse.predict(sp.csr_array(x_val)), dense.predict(x_val))


def test_without_a_validation_set_it_takes_a_share_of_each_class() -> None:
    x, y, *_ = noisy_digits()
    found = RDIAClassifier(validation_fraction=0.2, random_state=3).fit(x, y)
    held = np.isnan(found.influence_)
    for word in np.unique(y):
        assert held[y == word].mean() == pytest.approx(0.2, abs=0.01)
    assert not found.relabeled_[held].any()
    np.testing.assert_array_equal(found.labels_[held], y[held])
    same, other = (RDIAClassifier(validation_fraction=0.2, random_state=seed).fit(x, y) for seed in (3, 4))
    np.testing.assert_array_equal(same.coef_, found.coef_)
    assert (np.isnan(other.influence_) != held).any()


def test_it_works_in_a_pipeline_a_clone_and_a_grid_search() -> None:
    x, y = load_wine(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), RDIAClassifier(random_state=0))
    search = GridSearchCV(pipeline, {"rdiaclassifier__C": [0.01, 1.0], "rdiaclassifier__relabel": ["R", "drop"]}, cv=3)
    search.fit(x, y)
    assert search.best_score_ > 0.9
    again = clone(search.best_estimator_).fit(
        x, y, rdiaclassifier__X_val=StandardScaler().fit_transform(x), rdiaclassifier__y_val=y
    )
    assert not np.isnan(again[-1].influence_).any()


X, Y = wdbc().x[:60], wdbc().labels[:60]


@pytest.mark.parametrize(
    ("parameters", "arguments", "message"),
    [
        ({"alpha": -1}, (X, Y), "alpha=-1, expected 'auto' or a number of 0 or more"),
        ({"relabel": "flip"}, (X, Y), "relabel='flip', expected 'R', 'best', 'drop' or 'auto'"),
        ({"C": 0}, (X, Y), "C=0, expected a number from 1e-9 to 1e9"),
        ({"validation_fraction": 1}, (X, Y), "validation_fraction=1"),
        ({"solver": "qr"}, (X, Y), "solver='qr', expected one of auto, cholesky, cg"),
        ({}, (X, np.zeros(60)), "y has one class"),
        ({}, (X, np.linspace(0, 1, 60)), "Unknown label type: continuous"),
        ({}, (X, Y, X[:, :-1], Y), "X has 29 features, but RDIAClassifier is expecting 30"),
        ({}, (X, Y, X, np.full(60, 7)), "y_val has the label 7, which does not occur in y"),
        ({}, (X, Y, X, None), "y_val none; expected equally many"),
        ({}, (X, Y, X, Y[:-1]), "X_val has 60 rows, y_val 59"),
        ({}, (X, Y, X[:1], Y[:1]), "1 validation row, expected 2 or more"),
        ({}, (X, Y, None, Y), "X_val is None; give both or neither"),
        ({"relabel": ["R"]}, (X, Y), "relabel=.*, expected 'R', 'best', 'drop' or 'auto'"),
        ({"alpha": np.zeros(2)}, (X, Y), "alpha=.*, expected 'auto' or a number of 0 or more"),
    ],
)
def test_what_cannot_be_used_is_named(parameters: dict[str, Any], arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RDIAClassifier(**parameters).fit(*arguments)

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.special import softmax
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from influence import Fit, harmful, logistic_influence, relabel
from models.estimator import RDIAClassifier
from models.logistic_regression import fit_logistic
from models.promise import benjamini_hochberg, p_values
from models.repair import RepairData, repair
from tests.problems import C, wdbc

BY_CHANCE = "folds are drawn by chance: a row of weight 2 is not two rows, which may be in two folds"
WITHOUT_WEIGHTS = "the paper's protocol has no sample weights, and says so"
WEIGHT_CHECKS = (
    "check_sample_weights_pandas_series",
    "check_sample_weights_not_an_array",
    "check_sample_weights_list",
    "check_all_zero_sample_weights_error",
    "check_sample_weights_shape",
    "check_sample_weights_not_overwritten",
    "check_classifiers_one_label_sample_weights",
)


def expected_failures(estimator: RDIAClassifier) -> dict[str, str]:
    chance = {f"check_sample_weight_equivalence_on_{kind}_data": BY_CHANCE for kind in ("dense", "sparse")}
    return chance | (dict.fromkeys(WEIGHT_CHECKS, WITHOUT_WEIGHTS) if estimator.protocol == "paper" else {})


@parametrize_with_checks(
    [RDIAClassifier(), RDIAClassifier(protocol="paper"), RDIAClassifier(protocol="paper", alpha=0.0, relabel="R")],
    expected_failed_checks=expected_failures,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_it_keeps_to_the_conventions_of_scikit_learn(estimator: RDIAClassifier, check: Any) -> None:
    check(estimator)


def test_with_everything_given_it_is_the_functions_called_by_hand() -> None:
    problem = wdbc()
    trusted = problem.x_validation, problem.labels_validation
    found = RDIAClassifier(protocol="paper", alpha=0.002, relabel="R", C=C).fit(problem.x, problem.labels, *trusted)
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
    found = RDIAClassifier(protocol="paper", random_state=1).fit(x, y, x_val, y_val)
    assert np.mean(found.labels_ == truth) > np.mean(y == truth) + 0.1
    assert set(found.predict(x_val)) <= set(y_val)
    assert found.score(x_val, y_val) > RDIAClassifier(protocol="paper", alpha=1e9, relabel="R").fit(x, y, x_val, y_val).score(
        x_val, y_val
    )
    np.testing.assert_allclose(found.predict_proba(x_val).sum(axis=1), 1)
    assert found.relabel_ in {"R", "best", "drop"}
    assert len(found.curve_) > 10
    np.testing.assert_array_equal(np.sort(found.suspects_), np.flatnonzero(found.relabeled_))
    assert (np.diff(found.influence_[found.suspects_]) <= 0).all()


def test_sparse_rows_give_what_dense_ones_give() -> None:
    x, y, x_val, y_val, _ = noisy_digits()
    dense, sparse = (
        RDIAClassifier(protocol="paper", alpha=0, relabel="best").fit(kind(x), y, kind(x_val), y_val)
        for kind in (np.asarray, sp.csr_array)
    )
    np.testing.assert_allclose(sparse.coef_, dense.coef_, atol=1e-5)
    np.testing.assert_array_equal(sparse.labels_, dense.labels_)
    np.testing.assert_array_equal(sparse.predict(sp.csr_array(x_val)), dense.predict(x_val))


def test_without_a_validation_set_it_takes_a_share_of_each_class() -> None:
    x, y, *_ = noisy_digits()
    found = RDIAClassifier(protocol="paper", validation_fraction=0.2, random_state=3).fit(x, y)
    held = np.isnan(found.influence_)
    for word in np.unique(y):
        assert held[y == word].mean() == pytest.approx(0.2, abs=0.01)
    assert not found.relabeled_[held].any()
    np.testing.assert_array_equal(found.labels_[held], y[held])
    same, other = (RDIAClassifier(protocol="paper", validation_fraction=0.2, random_state=seed).fit(x, y) for seed in (3, 4))
    np.testing.assert_array_equal(same.coef_, found.coef_)
    assert (np.isnan(other.influence_) != held).any()


def test_it_works_in_a_pipeline_a_clone_and_a_grid_search() -> None:
    x, y = load_wine(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), RDIAClassifier(protocol="paper", random_state=0))
    search = GridSearchCV(pipeline, {"rdiaclassifier__C": [0.01, 1.0], "rdiaclassifier__relabel": ["R", "drop"]}, cv=3)
    search.fit(x, y)
    assert search.best_score_ > 0.9
    x_val = StandardScaler().fit_transform(x + 1e-6)
    again = clone(search.best_estimator_).fit(x, y, rdiaclassifier__X_val=x_val, rdiaclassifier__y_val=y)
    assert not np.isnan(again[-1].influence_).any()


def scaled_table(rate: float, seed: int, load: Any = load_breast_cancer) -> tuple[np.ndarray, ...]:
    """Half of the rows, their given and true labels, and the other half with its labels; features are scaled."""
    x, y = load(return_X_y=True)
    rng, classes = np.random.default_rng(seed), y.max() + 1
    x, order, n = StandardScaler().fit_transform(x), rng.permutation(len(y)), min(300, len(y) // 2)
    train, test = order[:n], order[n:]
    given = np.where(rng.random(n) < rate, (y[train] + rng.integers(1, classes, n)) % classes, y[train])
    return x[train], given, y[train], x[test], y[test]


@cache
def with_trusted_rows() -> tuple[RDIAClassifier, np.ndarray, np.ndarray]:
    """Labels 30% of which are wrong, as words, repaired by 60 trusted rows; given and true words."""
    x, given, true, x_test, test = scaled_table(0.3, 0)
    words = np.array(["ill", "well"])
    found = RDIAClassifier(random_state=0, fdr=0.2, fit_intercept=False).fit(
        x[:150], words[given[:150]], x_test[:60], words[test[:60]]
    )
    return found, words[given[:150]], words[true[:150]]


def test_with_trusted_rows_it_is_the_repair() -> None:
    x, given, _, x_test, test = scaled_table(0.3, 0)
    found, *_ = with_trusted_rows()
    rng = np.random.default_rng(np.random.RandomState(0).randint(2**31))  # as random_state=0 gives it
    expected = repair(RepairData(x[:150], given[:150], x_test[:60], test[:60], 2), rng)
    np.testing.assert_array_equal(found.coef_, [expected.weights[1] - expected.weights[0]])
    np.testing.assert_array_equal(found.soft_labels_, expected.labels)
    np.testing.assert_array_equal(found.influence_, expected.phi)
    np.testing.assert_array_equal(found.p_wrong_, 1 - expected.labels[np.arange(150), given[:150]])
    listed = benjamini_hochberg(p_values(expected.scores, expected.calibration_scores), 0.2)
    np.testing.assert_array_equal(np.sort(found.suspects_), np.flatnonzero(listed))
    np.testing.assert_allclose(found.predict_proba(x_test), softmax(x_test @ expected.weights.T, axis=1), atol=1e-12)


def test_what_is_known_of_the_labels_is_right() -> None:
    found, given, true = with_trusted_rows()
    wrong = given != true
    assert (found.labels_ == true).mean() > 0.9 > (given == true).mean() + 0.1
    np.testing.assert_array_equal(found.relabeled_, found.labels_ != given)
    assert len(found.suspects_) > 0.5 * wrong.sum()
    assert wrong[found.suspects_].mean() > 0.7  # 0.8 in expectation, of about 50
    assert (np.diff(found.p_wrong_[found.suspects_]) <= 0).all()
    assert found.wrong_labels_.low < wrong.sum() < found.wrong_labels_.high
    assert found.wrong_labels_.estimate == pytest.approx(wrong.sum(), rel=0.3)


@pytest.mark.parametrize(
    ("intercept", "tables"),
    [(None, [load_breast_cancer, load_wine, load_iris]), (False, [load_breast_cancer, load_wine])],  # iris needs an intercept
)
def test_without_trusted_rows_it_is_no_worse_than_logistic_regression_and_with_noise_better(
    intercept: bool | None, tables: list[Any]
) -> None:
    settings = [(load, rate) for load in tables for rate in (0.0, 0.2, 0.4)]
    margins = []
    for load, rate in settings:
        for seed in range(4):
            x, given, _, x_test, test = scaled_table(rate, seed, load)
            plain = LogisticRegression(max_iter=1000, fit_intercept=intercept is None).fit(x, given).score(x_test, test)
            ours = RDIAClassifier(random_state=seed, fit_intercept=intercept).fit(x, given).score(x_test, test)
            margins.append(ours - plain)
    by_setting = np.reshape(margins, (len(settings), 4)).mean(axis=1)
    assert by_setting.min() > -0.01
    assert by_setting[[rate > 0 for _, rate in settings]].mean() > 0.04


def test_without_trusted_rows_every_row_is_examined() -> None:
    x, given, true, *_ = scaled_table(0.2, 0)
    found, wrong = RDIAClassifier(random_state=0).fit(x, given), given != true
    assert np.isnan(found.influence_).all()
    assert roc_auc_score(wrong, found.p_wrong_) > 0.95
    assert found.p_wrong_[~wrong].mean() < 0.15
    assert (found.labels_ == true).mean() > 0.93
    assert wrong[found.suspects_].mean() > 0.8
    assert found.wrong_labels_ == pytest.approx((wrong.sum(), np.nan, np.nan), rel=0.3, nan_ok=True)
    assert sorted(found.suspects_) == np.flatnonzero(found.p_wrong_ > 0.5).tolist()
    assert (np.diff(found.p_wrong_[found.suspects_]) <= 0).all()


def test_few_trusted_rows_are_fitted_with_a_warning() -> None:
    x, given, true, x_test, test = scaled_table(0.3, 0)
    with pytest.warns(UserWarning, match="the 4 trusted rows are fewer than 10: they are fitted, and nothing is judged by them"):
        found = RDIAClassifier(random_state=0).fit(x[:40], given[:40], x_test[:4], test[:4])
    alone = RDIAClassifier(random_state=0).fit(x[:40], given[:40])
    losses = [-np.log(model.predict_proba(x_test[:4])[np.arange(4), test[:4]]).mean() for model in (found, alone)]
    assert losses[0] < losses[1]
    assert found.labels_.shape == true[:40].shape


def test_a_class_without_trusted_rows_is_said() -> None:
    x, given, _, x_test, test = scaled_table(0.1, 0, load_iris)
    two = np.flatnonzero(test < 2)[:20]
    with pytest.warns(UserWarning, match="y_val has no label 2: the labels of such rows cannot be checked"):
        found = RDIAClassifier(random_state=0).fit(x, given, x_test[two], test[two])
    assert found.score(x_test, test) > 0.8


@pytest.mark.parametrize("protocol", ["paper", "auto"])
def test_trusted_rows_on_another_scale_or_among_the_training_rows_are_said(protocol: Any) -> None:
    x, given, _, x_test, test = scaled_table(0.1, 0)
    model = RDIAClassifier(random_state=0, protocol=protocol)
    with pytest.warns(UserWarning, match="have a mean norm of .*transform_input="):
        model.fit(x, given, 100 * x_test[:40], test[:40])
    both = np.vstack([x_test[:37], x[:3]])
    with pytest.warns(UserWarning, match="^3 of the 40 rows of X_val are rows of X too"):
        model.fit(x, given, both, np.append(test[:37], given[:3]))


def test_labels_of_any_kind_that_do_not_occur_are_named() -> None:
    given = pd.Series(np.where(np.arange(60) % 2, "yes", "no"))
    with pytest.raises(ValueError, match="y_val has the label 'maybe', which does not occur in y"):
        RDIAClassifier().fit(X, given, X[:3], pd.Series(["yes", "no", "maybe"]))


def test_sparse_rows_with_64_bit_indices_are_taken() -> None:
    x, given, _, x_test, _ = scaled_table(0.1, 0)
    wide = sp.csr_array(x)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    model = RDIAClassifier(protocol="paper", random_state=0)
    np.testing.assert_allclose(
        model.fit(wide, given).decision_function(x_test), model.fit(x, given).decision_function(x_test), rtol=1e-4, atol=1e-6
    )


def test_sample_weights_are_those_of_the_fits() -> None:
    """Rows with labels that are all wrong, at weight 0, leave the model to the others."""
    x, _, true, x_test, test = scaled_table(0.0, 0)
    spoilt, weights = np.where(np.arange(len(true)) < 180, 1 - true, true), np.where(np.arange(len(true)) < 180, 0.0, 1.0)
    assert RDIAClassifier(random_state=0).fit(x, spoilt).score(x_test, test) < 0.5
    assert RDIAClassifier(random_state=0).fit(x, spoilt, sample_weight=weights).score(x_test, test) > 0.9


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_an_intercept_is_the_weight_of_a_column_of_ones(kind: Any) -> None:
    x, given, _, x_test, _ = scaled_table(0.1, 0)
    with_ones = [np.column_stack([rows + 1, np.ones(len(rows))]) for rows in (x, x_test)]
    cases: list[dict[str, Any]] = [{}, {"protocol": "paper", "alpha": 0.0, "relabel": "R"}]
    for parameters in cases:
        found = RDIAClassifier(**parameters, random_state=0, fit_intercept=True).fit(kind(x + 1), given)
        expected = RDIAClassifier(**parameters, random_state=0, fit_intercept=False).fit(kind(with_ones[0]), given)
        np.testing.assert_array_equal(np.append(found.coef_, found.intercept_), expected.coef_[0])
        assert expected.intercept_.tolist() == [0]
        np.testing.assert_allclose(found.decision_function(x_test + 1), expected.decision_function(with_ones[1]), atol=1e-12)


def test_an_intercept_is_fitted_by_default_where_the_paper_has_none() -> None:
    x, given, *_ = scaled_table(0.1, 0)
    assert RDIAClassifier(random_state=0).fit(x, given).intercept_[0] != 0
    assert RDIAClassifier(protocol="paper", random_state=0).fit(x, given).intercept_.tolist() == [0]


def test_trusted_rows_go_through_a_pipeline_that_scales_them() -> None:
    x, given, _, x_test, test = scaled_table(0.2, 0)
    x, x_test = 5 * x + 3, 5 * x_test + 3
    scaler = StandardScaler().fit(x[:50])
    expected = RDIAClassifier(random_state=0).fit(scaler.transform(x[:50]), given[:50], scaler.transform(x_test[:20]), test[:20])
    with config_context(enable_metadata_routing=True):
        last = RDIAClassifier(random_state=0).set_fit_request(X_val=True, y_val=True)
        pipeline = make_pipeline(StandardScaler(), last, transform_input=["X_val"])
        pipeline.fit(x[:50], given[:50], X_val=x_test[:20], y_val=test[:20])
    np.testing.assert_array_equal(pipeline[-1].coef_, expected.coef_)


def test_a_grid_search_without_trusted_rows_chooses_an_intercept() -> None:
    x, given, *_ = scaled_table(0.1, 0, load_iris)
    search = GridSearchCV(RDIAClassifier(random_state=0), {"fit_intercept": [False, True]}, cv=3).fit(x, given)
    assert search.best_score_ > 0.75
    assert clone(search.best_estimator_).get_params() == search.best_estimator_.get_params()


X, Y = wdbc().x[:60], wdbc().labels[:60]
PAPER = {"protocol": "paper"}


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
        (PAPER, (X, Y, X[:1], Y[:1]), "1 validation row, expected 2 or more"),
        ({}, (X, Y, None, Y), "X_val is None; give both or neither"),
        ({"relabel": ["R"]}, (X, Y), "relabel=.*, expected 'R', 'best', 'drop' or 'auto'"),
        ({"alpha": np.zeros(2)}, (X, Y), "alpha=.*, expected 'auto' or a number of 0 or more"),
        ({"protocol": "best"}, (X, Y), "protocol='best', expected 'auto' or 'paper'"),
        ({"fdr": 0}, (X, Y), "fdr=0, expected a number between 0 and 1"),
        ({"alpha": 0.1}, (X, Y), "alpha=0.1 is for protocol='paper'; protocol='auto' chooses by itself"),
        ({"C": 1}, (X, Y), "C=1 is for protocol='paper'"),
        (PAPER, (X, Y, X, Y, np.ones(60)), "sample_weight is for protocol='auto', expected None"),
        ({}, (X, Y, None, None, np.ones(59)), "sample_weight has the shape .59,., expected .60,."),
        ({}, (X, Y, None, None, -np.ones(60)), "sample_weight has a value that is negative or not finite"),
        ({}, (X, Y, None, None, np.zeros(60)), "or is zero for all rows"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*X_val:UserWarning", "ignore:y_val has no label:UserWarning")
def test_what_cannot_be_used_is_named(parameters: dict[str, Any], arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RDIAClassifier(**parameters).fit(*arguments)

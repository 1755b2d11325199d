import numpy as np
import pytest
import scipy.sparse as sp

from influence import Fit, SoftmaxFit, SolverError, logistic_influence, relabel, softmax_influence
from models import logistic_regression as logistic
from models.estimator import RDIAClassifier
from models.linear import LinearModel
from models.logistic_regression import fit_logistic, gradient, logistic_losses, objective
from models.metrics import evaluate, share
from models.softmax_regression import fit_softmax
from tests.problems import C, digits, sparse, wdbc, weighted_fit

PROBLEMS = [wdbc, digits, sparse]


def test_sample_losses_are_the_logarithm_of_each_probability() -> None:
    logits, labels = np.array([-3.0, 0.0, 2.5, 2.5]), np.array([1, 0, 1, 0])
    loop = [-np.log(1 / (1 + np.exp(-z)) if y else 1 - 1 / (1 + np.exp(-z))) for z, y in zip(logits, labels, strict=True)]
    np.testing.assert_allclose(logistic_losses(logits, labels), loop, rtol=1e-12)


def test_sample_losses_are_finite_for_any_finite_logit() -> None:
    assert logistic_losses(np.array([1e300, -1e300]), np.array([0, 1])).tolist() == [1e300, 1e300]
    assert logistic_losses(np.array([1e300, -1e300]), np.array([1, 0])).tolist() == [0, 0]


@pytest.mark.parametrize("make", PROBLEMS)
def test_gradient_is_the_difference_of_objectives(make) -> None:  # type: ignore[no-untyped-def]
    problem = make()
    w, v = np.random.default_rng(1).standard_normal((2, problem.x.shape[1])) / 4
    ahead, behind = (objective(w + step * v, problem.x, problem.labels, C) for step in (1e-5, -1e-5))
    slope = gradient(w, problem.x, problem.labels, C) @ v
    assert slope == pytest.approx((ahead - behind) / 2e-5, rel=1e-6)


@pytest.mark.parametrize("make", PROBLEMS)
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_the_fit_is_where_the_written_objective_has_no_gradient(make, kind) -> None:  # type: ignore[no-untyped-def]
    problem = make()
    x = kind(problem.x)
    w = fit_logistic(x, problem.labels, C)
    at_zero = np.linalg.norm(gradient(np.zeros_like(w), x, problem.labels, C))
    assert np.linalg.norm(gradient(w, x, problem.labels, C)) <= 1e-7 * at_zero
    np.testing.assert_allclose(w, weighted_fit(problem.x, problem.labels, np.ones(len(x.sum(axis=1)))), atol=1e-6)


@pytest.mark.parametrize("make", PROBLEMS)
def test_samples_that_weigh_more_are_fitted_as_if_they_were_more(make) -> None:  # type: ignore[no-untyped-def]
    problem, rng = make(), np.random.default_rng(2)
    omega = rng.uniform(0.2, 5, len(problem.labels))
    w = fit_logistic(problem.x, problem.labels, C, omega)
    np.testing.assert_allclose(w, weighted_fit(problem.x, problem.labels, omega), atol=1e-6)
    twice = np.r_[problem.x, problem.x], np.r_[problem.labels, problem.labels]
    np.testing.assert_allclose(fit_logistic(problem.x, problem.labels, C, 2.0), fit_logistic(*twice, C), atol=1e-6)
    value = objective(w, problem.x, problem.labels, C, omega)
    assert value < objective(fit_logistic(problem.x, problem.labels, C), problem.x, problem.labels, C, omega)


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_rows_of_one_class_are_fitted_too(label, kind) -> None:  # type: ignore[no-untyped-def]
    x = wdbc().x[:40]
    labels = np.full(40, label)
    np.testing.assert_allclose(fit_logistic(kind(x), labels, C), weighted_fit(x, labels, np.ones(40)), atol=1e-6)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_no_rows_at_all_leave_the_penalty_alone(kind) -> None:  # type: ignore[no-untyped-def]
    assert fit_logistic(kind(np.empty((0, 3))), np.empty(0, dtype=int), C).tolist() == [0, 0, 0]


def test_newton_steps_finish_what_liblinear_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = wdbc()
    expected = fit_logistic(problem.x, problem.labels, C)
    monkeypatch.setattr(logistic, "_liblinear", lambda *_: expected + 0.05)
    np.testing.assert_allclose(fit_logistic(problem.x, problem.labels, C), expected, atol=1e-6)


def test_a_fit_that_does_not_converge_is_an_error_with_its_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = wdbc()
    monkeypatch.setattr(logistic, "_liblinear", lambda *_: np.full(30, 1.0))
    monkeypatch.setattr(logistic, "NEWTON_STEPS", 1)
    with pytest.raises(SolverError, match=r"gradient of .* expected .*; scale the features"):
        fit_logistic(problem.x, problem.labels, C)


def test_metrics_are_those_counted_by_hand() -> None:
    logits, labels = np.array([2.0, -1.0, 0.5, -0.2]), np.array([1, 0, 0, 1])
    metrics = evaluate(logits, labels)
    assert metrics.accuracy == 0.5
    assert metrics.auc == 0.75  # of the four pairs of a one and a zero, only (-0.2, 0.5) is in the wrong order
    assert metrics.log_loss == pytest.approx(logistic_losses(logits, labels).sum() / 4)


@pytest.mark.filterwarnings("ignore:.* rows of X_val are rows of X")
def test_a_logit_of_0_is_class_0_for_the_metrics_as_for_the_estimator() -> None:
    assert evaluate(np.zeros(3), np.array([0, 0, 1])).accuracy == pytest.approx(2 / 3)
    assert evaluate(np.array([5e-324, -5e-324]), np.array([1, 0])).accuracy == 1.0
    x = np.array([[1.0, 0], [-1, 0]] * 5)
    classifier = RDIAClassifier(protocol="paper", alpha=1e9, relabel="R").fit(x, [1, 0] * 5, x, [1, 0] * 5)
    assert classifier.predict([[0.0, 1.0]]).tolist() == [0]
    assert evaluate(classifier.decision_function([[0.0, 1.0]]), np.array([0])).accuracy == 1.0


def test_one_class_has_no_auc() -> None:
    assert evaluate(np.array([1.0, -1.0]), np.array([1, 1])).auc is None


def test_a_share_of_nothing_is_none() -> None:
    part, whole = np.array([True, True, False]), np.array([True, False, True])
    assert share(part, whole) == 0.5
    assert share(part, np.zeros(3, dtype=bool)) is None


def test_many_classes_are_judged_by_their_largest_logit() -> None:
    logits, labels = np.array([[2.0, 1, 0], [0, 1, 2], [0, 3, 1], [1, 0, 0]]), np.array([0, 2, 0, 0])
    found = evaluate(logits, labels)
    loop = [-np.log(np.exp(z[y]) / np.exp(z).sum()) for z, y in zip(logits, labels, strict=True)]
    assert found == (pytest.approx(np.mean(loop)), 0.75, None)


def test_the_two_linear_models_have_one_interface() -> None:
    """Two classes: softmax regression with half the weight is logistic regression, and its best label is the flip."""
    problem = wdbc()
    two = LinearModel(2, C)
    w = two.fit(problem.x, problem.labels)
    scores = two.influence(problem.x, problem.labels, problem.x_validation, problem.labels_validation, w)
    halves = np.array([-w, w]) / 2
    fits = (
        SoftmaxFit(problem.x, problem.labels, problem.x @ halves.T),
        SoftmaxFit(problem.x_validation, problem.labels_validation, problem.x_validation @ halves.T),
    )
    many = softmax_influence(*fits, C / 2)  # its Phi has C / 2 where the other has C, in the scale and nowhere else
    np.testing.assert_allclose(2 * many.phi, scores.phi, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(2 * many.eta, scores.eta, rtol=1e-5, atol=1e-9)
    assert (scores.best == np.where(scores.eta < 0, 1 - problem.labels, problem.labels)).all()
    chosen = scores.phi > 0
    assert (scores.best[chosen] != problem.labels[chosen]).all()
    np.testing.assert_array_equal(
        two.fit(problem.x, problem.labels, chosen), fit_logistic(problem.x, relabel(problem.labels, chosen), C)
    )


# --- Labels and matrices of other kinds


OTHER_LABELS = {"-1 and 1": [-1, 1, 1, -1], "1 and 2": [1, 2, 2, 1], "fractions": [0, 0.5, 1, 1], "words": ["a", "b", "b", "a"]}


@pytest.mark.parametrize("given", OTHER_LABELS.values(), ids=OTHER_LABELS)
def test_labels_that_are_not_counted_from_0_are_refused_by_every_function(given: list[object]) -> None:
    """The numbers would be wrong, and nothing would tell."""
    x, right, wrong, logits = np.eye(4), np.array([0, 1, 1, 0]), np.array(given), np.zeros(4)
    good, bad = (Fit(x, labels, logits) for labels in (right, wrong))
    many, other = (SoftmaxFit(x, labels, np.zeros((4, 2))) for labels in (right, wrong))
    calls = [
        lambda: fit_logistic(x, wrong, C),
        lambda: fit_softmax(x, wrong, 2, C),
        lambda: logistic_influence(bad, good, C),
        lambda: logistic_influence(good, bad, C),
        lambda: softmax_influence(other, many, C),
        lambda: softmax_influence(many, other, C),
        lambda: relabel(wrong, logits > 0),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"^labels have the values .*, expected 0 to 1; numpy\.unique\(y, return_inverse"):
            call()


@pytest.mark.parametrize("dtype", [bool, float, np.uint8])
def test_labels_of_0_and_1_may_be_of_any_type(dtype: type) -> None:
    problem = wdbc()
    for fit in (lambda y: fit_logistic(problem.x, y, C), lambda y: fit_softmax(problem.x, y, 2, C)):
        np.testing.assert_allclose(fit(problem.labels.astype(dtype)), fit(problem.labels.astype(int)), rtol=1e-6)


def test_sparse_rows_with_64_bit_indices_are_fitted() -> None:
    """scikit-learn's loader of LIBSVM files gives them."""
    problem = sparse()
    wide = sp.csr_array(problem.x)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    np.testing.assert_allclose(fit_logistic(wide, problem.labels, C), fit_logistic(problem.x, problem.labels, C), atol=1e-6)

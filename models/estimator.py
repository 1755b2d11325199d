"""RDIA as an estimator of scikit-learn's."""

from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from data.matrix import Features
from influence.logistic import SOLVERS, Solver
from influence.relabel import harmful
from models.choose import LEAST_ROWS, settle
from models.linear import LinearModel
from models.model import MODES, refit

Relabeling = Literal["R", "best", "drop", "auto"]


class RDIAClassifier(ClassifierMixin, BaseEstimator):
    """Linear classifier that finds the training labels that do harm, and relabels or drops them (Kong et al. 2022).

    Logistic regression for two classes, softmax regression for more; L2 penalty, no intercept, no scaling: put a StandardScaler
    before it. Influences are on a validation set whose labels are trusted: `X_val` and `y_val` of `fit`; without them a part of
    the training set is held out, which is then neither examined nor fitted.

    Parameters:
        alpha: samples with Phi above it are changed; "auto" (default) chooses it on half of the validation set.
        relabel: "R", "best" (the label k with the least eta_i(k)), "drop", or "auto" (default), chosen as alpha is.
        C: weight of the losses against the penalty.
        solver: preconditioner of two-class influence, "auto", "cholesky" or "cg".
        validation_fraction: share of each class that is held out for validation where `fit` gets no `X_val`.
        random_state: seed of that split, and of the halves of "auto".

    Attributes:
        classes_: (K,). coef_: (1, d) or (K, d).
        influence_: (n,) Phi of each row of X, in the unit of `influence.logistic_influence`; nan for rows taken for validation.
        relabeled_: (n,) bool, the rows that were changed. labels_: (n,) labels after it; dropped rows have their best label.
        alpha_, relabel_: as given or chosen. curve_: the candidates they were chosen from.
    """

    def __init__(
        self,
        alpha: float | Literal["auto"] = "auto",
        relabel: Relabeling = "auto",
        C: float = 0.1,
        solver: Solver = "auto",
        validation_fraction: float = 0.3,
        random_state: Any = None,
    ) -> None:
        self.alpha = alpha
        self.relabel = relabel
        self.C = C
        self.solver = solver
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    def fit(self, X: Features, y: Any, X_val: Features | None = None, y_val: Any = None) -> "RDIAClassifier":
        """Fit, find the harmful samples, change them, fit again.

        X: (n, d) dense or sparse, y: (n,) labels of any kind, X_val: (m, d) and y_val: (m,) trusted. Raises `ValueError` for
        parameters and data that cannot be used, `influence.SolverError` where a fit or solve does not get to its tolerance.
        """
        self._check_parameters()
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=np.float64)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y has one class, {self.classes_[0].item()!r}, expected 2 or more")
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31))
        if X_val is None and y_val is None:
            rows, held = self._split(labels, rng)
            validation = X[held], labels[held]
        else:
            rows, validation = np.arange(len(labels)), self._trusted(X_val, y_val)
        self._fit(X[rows], labels[rows], validation, rng)
        self.influence_ = _spread(self._scores.phi, rows, np.full(len(labels), np.nan))
        self.relabeled_ = _spread(self._chosen, rows, np.zeros(len(labels), dtype=bool))
        changed = np.where(self._chosen, self._scores.best, labels[rows])
        self.labels_ = self.classes_[_spread(changed, rows, labels.copy())]
        del self._scores, self._chosen
        return self

    def _fit(self, X: Features, labels: np.ndarray, validation: tuple[Features, np.ndarray], rng: np.random.Generator) -> None:
        model = LinearModel(len(self.classes_), self.C, self.solver)
        weights = model.fit(X, labels)
        alpha = None if self.alpha == "auto" else float(self.alpha)
        self.alpha_, self.relabel_, self.curve_ = settle(model, (X, labels), validation, weights, alpha, self.relabel, rng)
        self._scores = model.influence(X, labels, *validation, weights)
        self._chosen = harmful(self._scores.phi, self.alpha_)
        if self._chosen.any():
            weights = refit(model, X, labels, self._scores, self._chosen, self.relabel_)
        self.coef_ = np.atleast_2d(weights)

    def _check_parameters(self) -> None:
        share = self.validation_fraction
        expected = {
            "alpha": (
                "'auto' or a number of 0 or more",
                self.alpha == "auto" if isinstance(self.alpha, str) else _is_number(self.alpha) and self.alpha >= 0,
            ),
            "relabel": ("'R', 'best', 'drop' or 'auto'", isinstance(self.relabel, str) and self.relabel in {*MODES, "auto"}),
            "C": ("a number from 1e-9 to 1e9", _is_number(self.C) and 1e-9 <= self.C <= 1e9),
            "solver": (f"one of {', '.join(SOLVERS)}", isinstance(self.solver, str) and self.solver in SOLVERS),
            "validation_fraction": ("a number between 0 and 1", _is_number(share) and 0 < share < 1),
        }
        for name, (what, holds) in expected.items():
            if not holds:
                raise ValueError(f"{name}={getattr(self, name)!r}, expected {what}")

    def _split(self, labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Rows to train on, and rows held out: the share of each class, and at least one of a class with two or more rows."""
        held = np.zeros(len(labels), dtype=bool)
        for label in np.unique(labels):
            rows = rng.permutation(np.flatnonzero(labels == label))
            count = max(1, round(self.validation_fraction * len(rows)))
            held[rows[: min(len(rows) - 1, count)]] = True
        if held.sum() < LEAST_ROWS:
            raise ValueError(
                f"n_samples = {len(labels)} leave {held.sum()} for validation, expected {LEAST_ROWS} or more; give X_val and y_val"
            )
        return np.flatnonzero(~held), np.flatnonzero(held)

    def _trusted(self, X_val: Features | None, y_val: Any) -> tuple[Features, np.ndarray]:
        if X_val is None:
            raise ValueError(f"y_val has {len(y_val)} labels, X_val is None; give both or neither")
        X_val = validate_data(self, X_val, reset=False, accept_sparse="csr", dtype=np.float64)
        if y_val is None or len(y_val) != X_val.shape[0]:
            raise ValueError(
                f"X_val has {X_val.shape[0]} rows, y_val {'none' if y_val is None else len(y_val)}; expected equally many"
            )
        given = column_or_1d(y_val, warn=True)
        strange = given[~np.isin(given, self.classes_)]
        if len(strange):
            raise ValueError(f"y_val has the label {strange[0].item()!r}, which does not occur in y; expected labels of y")
        return X_val, np.searchsorted(self.classes_, given)

    def decision_function(self, X: Features) -> np.ndarray:
        """Logits, (n,) for two classes, above 0 for the second; (n, K) for more."""
        check_is_fitted(self)
        logits = validate_data(self, X, reset=False, accept_sparse="csr", dtype=np.float64) @ self.coef_.T
        return logits if len(self.classes_) > 2 else logits[:, 0]

    def predict_proba(self, X: Features) -> np.ndarray:
        """Probability of each class, (n, K)."""
        logits = self.decision_function(X)
        return softmax(logits, axis=1) if logits.ndim == 2 else np.column_stack([expit(-logits), expit(logits)])

    def predict(self, X: Features) -> np.ndarray:
        """The likeliest class, (n,)."""
        logits = self.decision_function(X)
        return self.classes_[logits.argmax(axis=1) if logits.ndim == 2 else (logits > 0).astype(int)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _spread(values: np.ndarray, rows: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """`whole`, changed in place, with `values` at `rows`."""
    whole[rows] = values
    return whole


def _is_number(value: object) -> bool:
    return isinstance(value, Real | Integral) and not isinstance(value, bool) and bool(np.isfinite(float(value)))

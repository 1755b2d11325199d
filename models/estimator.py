"""RDIA and its repair as an estimator of scikit-learn's."""

import warnings
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from data.matrix import Features, apart, rows_among, short_indices
from influence.logistic import SOLVERS, Solver
from influence.relabel import harmful
from models.auto import learned, most_first
from models.choose import LEAST_ROWS, settle
from models.linear import LinearModel
from models.model import MODES, Scores, refit
from models.repair import RepairData

Relabeling = Literal["R", "best", "drop", "auto"]
Protocol = Literal["auto", "paper"]
LabelledRows = tuple[Features, np.ndarray]  # and their labels, integers
OF_PAPER = {"alpha": "auto", "relabel": "auto", "C": 0.1, "solver": "auto", "validation_fraction": 0.3}  # parameters, and defaults


class RDIAClassifier(ClassifierMixin, BaseEstimator):
    """Linear classifier that finds wrong training labels, and is fitted to what their true labels probably are.

    Logistic regression for two classes, softmax regression for more; L2 penalty, no scaling: put a StandardScaler before it. Rows
    with labels that are trusted are `X_val` and `y_val` of `fit`. By the protocol "auto" everything is chosen by cross-fitting
    over them (`models.repair`); without them, or with fewer than 10, every row is examined by cross-fitting over the given labels
    alone (`models.examine`). By "paper" it is RDIA of Kong et al. (2022): influences on the trusted rows' loss, one relabeling,
    one fit; without trusted rows a part of the training set is held out, which is then neither examined nor fitted.

    Parameters:
        protocol: "auto" (default) or "paper".
        fit_intercept: whether a column of ones is added to X, whose weights are penalised as the others are; None (default): by
            "auto" yes, by "paper" no.
        fdr: of the rows in `suspects_`, by "auto" with 10 trusted rows or more, the largest share that has a right label, in
            expectation, if the trusted rows are as the training rows are. With fewer it is not used: nothing can be promised.
        random_state: seed of folds and splits.
        alpha, relabel, C, solver, validation_fraction: of the protocol "paper" alone. Samples with Phi above alpha are changed;
            "auto" chooses it on half of the validation set. relabel is "R", "best" (the label k with the least eta_i(k)), "drop",
            or "auto". C: weight of the losses against the penalty. solver: preconditioner of two-class influence, "auto",
            "cholesky" or "cg". validation_fraction: share of each class that is held out where `fit` gets no `X_val`.

    Attributes:
        classes_: (K,). coef_: (1, d) or (K, d). intercept_: (1,) or (K,), zeros if none is fitted.
        influence_: (n,) Phi of each row of X; nan without trusted rows, and for rows taken for validation. By "paper" in the
            unit of `influence.logistic_influence`; by "auto" its sign and order count, as C is chosen, and is half as large there
            for two classes.
        labels_: (n,) labels after the repair: by "auto" the likeliest where its probability is a half or more, else the given one;
            by "paper" dropped rows have their best label. relabeled_: (n,) bool, the rows that were changed.
        suspects_: rows, most surely wrong first: by "auto" listed at the level `fdr`, without trusted rows those that are more
            likely wrong than right; by "paper" those above alpha.
        By "auto": soft_labels_: (n, K) P(true label | features, given label). p_wrong_: (n,) that the given label is wrong.
            wrong_labels_: how many are, (estimate, low, high); without trusted rows low and high are nan.
        By "paper": alpha_, relabel_: as given or chosen. curve_: the candidates they were chosen from.
    """

    def __init__(
        self,
        alpha: float | Literal["auto"] = "auto",
        relabel: Relabeling = "auto",
        C: float = 0.1,
        solver: Solver = "auto",
        validation_fraction: float = 0.3,
        random_state: Any = None,
        protocol: Protocol = "auto",
        fit_intercept: bool | None = None,
        fdr: float = 0.1,
    ) -> None:
        self.alpha = alpha
        self.relabel = relabel
        self.C = C
        self.solver = solver
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.protocol = protocol
        self.fit_intercept = fit_intercept
        self.fdr = fdr

    def fit(
        self, X: Features, y: Any, X_val: Features | None = None, y_val: Any = None, sample_weight: Any = None
    ) -> "RDIAClassifier":
        """Fit, find the wrong or harmful labels, repair them, fit again.

        X: (n, d) dense or sparse, y: (n,) labels of any kind, X_val: (m, d) and y_val: (m,) trusted. sample_weight: (n,), 0 or
        more, of the training rows in every fit, by the protocol "auto". Raises `ValueError` for parameters and data that cannot be
        used, `influence.SolverError` where a fit or solve does not get to its tolerance.
        """
        self._check_parameters()
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=np.float64)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y has one class, {_shown(self.classes_[0])}, expected 2 or more")
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31))
        trusted = None if X_val is None and y_val is None else self._trusted(X_val, y_val)
        if trusted:
            _compare(X, trusted[0])
        if self.protocol == "auto":
            self._fit_auto(X, labels, trusted, _weights(sample_weight, len(labels)), rng)
        elif sample_weight is not None:
            raise ValueError("sample_weight is for protocol='auto', expected None with protocol='paper'")
        else:
            self._fit_paper(X, labels, trusted, rng)
        return self

    def _fit_auto(
        self, X: Features, labels: np.ndarray, trusted: LabelledRows | None, weights: np.ndarray | None, rng: np.random.Generator
    ) -> None:
        X_val, labels_val = trusted or (X[:0], labels[:0])
        data = RepairData(self._columns(X), labels, self._columns(X_val), labels_val, len(self.classes_), weights)
        found = learned(data, self.fdr, rng)
        self._take(found.weights if len(self.classes_) > 2 else found.weights[1] - found.weights[0])
        self.influence_, self.soft_labels_, self.p_wrong_ = found.influence, found.soft_labels, found.p_wrong
        self.suspects_, self.wrong_labels_ = found.suspects, found.wrong_labels
        self.labels_, self.relabeled_ = self.classes_[found.labels], found.labels != labels

    def _fit_paper(self, X: Features, labels: np.ndarray, trusted: LabelledRows | None, rng: np.random.Generator) -> None:
        if trusted is None:
            rows, held = self._split(labels, rng)
            trusted = X[held], labels[held]
        else:
            rows = np.arange(len(labels))
        scores, chosen = self._relabel(self._columns(X[rows]), labels[rows], (self._columns(trusted[0]), trusted[1]), rng)
        self.influence_ = _spread(scores.phi, rows, np.full(len(labels), np.nan))
        self.relabeled_ = _spread(chosen, rows, np.zeros(len(labels), dtype=bool))
        self.suspects_ = most_first(self.influence_, self.relabeled_)
        self.labels_ = self.classes_[_spread(np.where(chosen, scores.best, labels[rows]), rows, labels.copy())]

    def _relabel(
        self, X: Features, labels: np.ndarray, validation: LabelledRows, rng: np.random.Generator
    ) -> tuple[Scores, np.ndarray]:
        """Fit, choose, relabel, fit again: the scores, and the rows that were changed, (n,) bool."""
        model = LinearModel(len(self.classes_), self.C, self.solver)
        weights = model.fit(X, labels)
        alpha = None if self.alpha == "auto" else float(self.alpha)
        self.alpha_, self.relabel_, self.curve_ = settle(model, (X, labels), validation, weights, alpha, self.relabel, rng)
        scores = model.influence(X, labels, *validation, weights)
        chosen = harmful(scores.phi, self.alpha_)
        if chosen.any():
            weights = refit(model, X, labels, scores, chosen, self.relabel_)
        self._take(weights)
        return scores, chosen

    def _has_intercept(self) -> bool:
        return self.protocol == "auto" if self.fit_intercept is None else bool(self.fit_intercept)

    def _columns(self, X: Features) -> Features:
        """X, with the column of ones if there is to be an intercept."""
        X = short_indices(X)
        if not self._has_intercept():
            return X
        ones = np.ones((X.shape[0], 1))
        return sp.csr_array(sp.hstack([X, ones])) if sp.issparse(X) else np.hstack([X, ones])

    def _take(self, weights: np.ndarray) -> None:
        """Keep weights (d,) or (K, d), of which the last column is the intercept if there is one."""
        weights = np.atleast_2d(weights)
        self.coef_ = weights[:, :-1] if self._has_intercept() else weights
        self.intercept_ = weights[:, -1] if self._has_intercept() else np.zeros(len(weights))

    def _check_parameters(self) -> None:
        share = self.validation_fraction
        expected = {
            "protocol": ("'auto' or 'paper'", isinstance(self.protocol, str) and self.protocol in {"auto", "paper"}),
            "fdr": ("a number between 0 and 1", _is_number(self.fdr) and 0 < self.fdr < 1),
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
        unused = [name for name, default in OF_PAPER.items() if self.protocol == "auto" and getattr(self, name) != default]
        if unused:
            raise ValueError(f"{unused[0]}={getattr(self, unused[0])!r} is for protocol='paper'; protocol='auto' chooses by itself")

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
            raise ValueError(f"y_val has the label {_shown(strange[0])}, which does not occur in y; expected labels of y")
        absent = np.setdiff1d(self.classes_, given)
        if len(absent):
            some = ", ".join(map(_shown, absent[:5]))
            warnings.warn(f"y_val has no label {some}: the labels of such rows cannot be checked; add trusted rows", stacklevel=3)
        return X_val, np.searchsorted(self.classes_, given)

    def decision_function(self, X: Features) -> np.ndarray:
        """Logits, (n,) for two classes, above 0 for the second; (n, K) for more."""
        check_is_fitted(self)
        logits = validate_data(self, X, reset=False, accept_sparse="csr", dtype=np.float64) @ self.coef_.T + self.intercept_
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


def _weights(sample_weight: Any, n: int) -> np.ndarray | None:
    """Sample weights, (n,), 0 or more; None where none are given."""
    if sample_weight is None:
        return None
    weights = np.full(n, float(sample_weight)) if _is_number(sample_weight) else np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != (n,):
        raise ValueError(f"sample_weight has the shape {weights.shape}, expected ({n},)")
    if not np.isfinite(weights).all() or weights.min() < 0 or not weights.any():
        raise ValueError("sample_weight has a value that is negative or not finite, or is zero for all rows; expected 0 or more")
    return weights


def _compare(X: Features, X_val: Features) -> None:
    """Warn of trusted rows on another scale than the training rows, and of those that are among them."""
    scales = apart(X_val, X)
    if scales:
        warnings.warn(
            f"the rows of X_val have {scales.name} of {scales.of_rows:.3g}, those of X {scales.of_others:.3g}: are both scaled"
            " alike? In a Pipeline give transform_input=['X_val'] and pass X_val to its fit",
            stacklevel=3,
        )
    both = int(rows_among(X_val, X).sum())
    if both:
        warnings.warn(f"{both} of the {X_val.shape[0]} rows of X_val are rows of X too: give X without them", stacklevel=3)


def _shown(label: Any) -> str:
    """A label, of numpy or of Python."""
    return repr(label.item() if isinstance(label, np.generic) else label)


def _is_number(value: object) -> bool:
    return isinstance(value, Real | Integral) and not isinstance(value, bool) and bool(np.isfinite(float(value)))

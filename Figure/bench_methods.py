"""The methods of the bench beside `Repaired`: each from training and trusted rows to a linear model of all classes."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import log_softmax

from data.matrix import short_indices
from influence.logistic import Matrix
from influence.relabel import harmful
from influence.resampling import keep_by_class, uids_sigmoid
from influence.softmax import SoftmaxFit, softmax_influence
from models.choose import settle
from models.linear import LinearModel
from models.model import refit
from models.repair import FOLDS, GRID, PHI_RTOL, RepairData, balanced_folds
from models.soft_regression import fit_soft, one_hot, stacked

PAPER_C, PAPER_ALPHA = 0.1, 0.0002  # of the authors' commands
TEN = 10.0  # weight of a trusted row in `Trusted x10`
OTHERS = (
    "ERM", "Trusted", "ERM + Trusted", "Trusted x10", "Agree", "Dropout", "Dropout + Trusted", "UIDS", "RDIA, paper", "Auto",
    "CleanLearning", "CleanLearning + Trusted",
)  # fmt: skip


class Fitted(NamedTuple):
    """A fitted method."""

    weights: np.ndarray  # (K, d)
    seconds: float  # of CPU, what it shares with others included
    C: float


class Cleaned(NamedTuple):
    """What CleanLearning makes of noisy labels."""

    fitted: Fitted
    issues: np.ndarray  # (n,) bool, labels that it calls wrong


class FoldRows(NamedTuple):
    """What a fold leaves."""

    fold: int  # FOLDS: nothing is left out
    x: Matrix  # trusted rows
    labels: np.ndarray


class Others:
    """The methods, each with the C that has the least log-loss on the trusted rows, held out in five folds."""

    def __init__(self, data: RepairData, rng: np.random.Generator) -> None:
        self.data, self.rng = data, rng
        self.targets = one_hot(data.given, data.classes)
        fold = balanced_folds(data.trusted, FOLDS, rng)
        self.out = [np.flatnonzero(fold == f) for f in range(FOLDS)]
        kept = [np.flatnonzero(fold != f) for f in range(FOLDS + 1)]
        self.rows = [FoldRows(f, data.x_trusted[rows], data.trusted[rows]) for f, rows in enumerate(kept)]
        self.seconds: dict[str, float] = {}  # of what several methods share
        self._erm: dict[float, np.ndarray] = {}
        self._phi: dict[tuple[float, int], np.ndarray] = {}
        self._agree: list[np.ndarray] = []

    def fit(self, x: Matrix, labels: np.ndarray, C: float, weights: np.ndarray, start: np.ndarray | None) -> np.ndarray:
        """(K, d)."""
        return fit_soft(x, one_hot(labels, self.data.classes), self.data.penalty(C), weights, start)

    def with_trusted(self, rows: FoldRows, C: float, keep: np.ndarray, weight: float, start: np.ndarray | None) -> np.ndarray:
        """A fit on the training rows that are kept, (n,) bool, and on trusted rows with a weight."""
        labels = np.concatenate([self.data.given[keep], rows.labels])
        weights = np.concatenate([np.ones(keep.sum()), np.full(len(rows.labels), weight)])
        return self.fit(stacked(self.data.x[keep], rows.x), labels, C, weights, start)

    def erm(self, C: float) -> np.ndarray:
        """The fit on all training rows as given."""
        if C not in self._erm:
            before = time.process_time()
            start = self._erm[max(self._erm)] if self._erm else None
            self._erm[C] = self.fit(self.data.x, self.data.given, C, np.ones(len(self.data.given)), start)
            self._count("erm", before)
        return self._erm[C]

    def phi(self, C: float, rows: FoldRows) -> np.ndarray:
        """Phi of the ERM fit on the loss of trusted rows, (n,)."""
        if (C, rows.fold) not in self._phi:
            W, before = self.erm(C), time.process_time()
            train = SoftmaxFit(self.data.x, self.data.given, self.data.x @ W.T)
            trusted = SoftmaxFit(rows.x, rows.labels, rows.x @ W.T)
            self._phi[C, rows.fold] = softmax_influence(train, trusted, self.data.penalty(C), PHI_RTOL).phi
            self._count("phi", before)
        return self._phi[C, rows.fold]

    def agreeing(self, rows: FoldRows) -> np.ndarray:
        """Training rows whose label a model of the trusted rows alone gives, (n,) bool."""
        if not self._agree:
            before = time.process_time()
            C = self.chosen(self.trusted).C
            models = [self.trusted(rows, C, None) for rows in self.rows]
            self._agree = [(self.data.x @ W.T).argmax(axis=1) == self.data.given for W in models]
            self._count("agree", before)
        return self._agree[rows.fold]

    def _count(self, name: str, before: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - before

    def trusted(self, rows: FoldRows, C: float, start: np.ndarray | None) -> np.ndarray:
        """Trusted rows alone."""
        return self.fit(rows.x, rows.labels, C, np.ones(len(rows.labels)), start)

    def kept(self, keep: np.ndarray, C: float) -> np.ndarray:
        """The training rows that are kept, alone."""
        return self.fit(self.data.x[keep], self.data.given[keep], C, np.ones(keep.sum()), self.erm(C))

    def everything(self, weight: float) -> "Way":
        """All training rows, and trusted rows with a weight."""
        keep = np.ones(len(self.data.given), dtype=bool)
        return lambda rows, C, start: self.with_trusted(rows, C, keep, weight, start)

    def uids(self, rows: FoldRows, C: float, _: np.ndarray | None) -> np.ndarray:
        """UIDS with its sigmoid."""
        return self.kept(keep_by_class(uids_sigmoid(self.phi(C, rows)), self.data.given, self.rng), C)

    def ways(self) -> dict[str, "Way"]:
        """The methods of which C is chosen."""
        return {
            "ERM": lambda _, C, __: self.erm(C),
            "Trusted": self.trusted,
            "ERM + Trusted": self.everything(1.0),
            "Trusted x10": self.everything(TEN),
            "Agree": lambda rows, C, start: self.with_trusted(rows, C, self.agreeing(rows), 1.0, start),
            "Dropout": lambda rows, C, _: self.kept(self.phi(C, rows) <= 0, C),
            "Dropout + Trusted": lambda rows, C, _: self.with_trusted(rows, C, self.phi(C, rows) <= 0, 1.0, self.erm(C)),
            "UIDS": self.uids,
        }

    def chosen(self, way: "Way") -> Fitted:
        """The fit on all trusted rows with the best C."""
        before, losses, last = time.process_time(), np.zeros(len(GRID)), []
        for rows in self.rows:
            W = None
            for place, C in enumerate(GRID):
                W = way(rows, C, W)
                if rows.fold < FOLDS:
                    out = self.out[rows.fold]
                    losses[place] += log_losses(self.data.x_trusted[out] @ W.T, self.data.trusted[out]).sum()
                else:
                    last.append(W)
        place = int(losses.argmin())
        return Fitted(last[place], time.process_time() - before, GRID[place])

    def paper(self) -> Fitted:
        """RDIA by the authors' flags: C 0.1, alpha 0.0002, R; without the trusted rows in the fit."""
        before, (x, given, x_trusted, trusted, classes) = time.process_time(), self.data[:5]
        model = LinearModel(classes, PAPER_C)
        weights = model.fit(x, given)
        scores = model.influence(x, given, x_trusted, trusted, weights)
        weights = refit(model, x, given, scores, harmful(scores.phi, PAPER_ALPHA), "R")
        return Fitted(per_class(weights), time.process_time() - before, PAPER_C)

    def auto(self, C: float) -> Fitted:
        """`--alpha auto --relabel auto`, at ERM's C."""
        before, (x, given, x_trusted, trusted, classes) = time.process_time(), self.data[:5]
        model = LinearModel(classes, C)
        weights = model.fit(x, given)
        choice = settle(model, (x, given), (x_trusted, trusted), weights, None, "auto", self.rng)
        scores = model.influence(x, given, x_trusted, trusted, weights)
        chosen = harmful(scores.phi, choice.alpha)
        if chosen.any():
            weights = refit(model, x, given, scores, chosen, choice.relabel)
        return Fitted(per_class(weights), time.process_time() - before, C)

    def all(self) -> Iterator[tuple[str, Fitted]]:
        """Every method with its name; CleanLearning only where cleanlab is installed."""
        found: dict[str, Fitted] = {}
        for name, way in self.ways().items():
            shared = sum(self.seconds.values())
            made = self.chosen(way)
            own = made.seconds - (sum(self.seconds.values()) - shared)
            found[name] = made._replace(seconds=own + sum(self.seconds.get(part, 0.0) for part in SHARED.get(name, ())))
            yield name, found[name]
        yield "RDIA, paper", self.paper()
        auto = self.auto(found["ERM"].C)
        yield "Auto", auto._replace(seconds=auto.seconds + found["ERM"].seconds)
        if has_cleanlab():
            data, seed = self.data, int(self.rng.integers(2**31))
            both = stacked(data.x, data.x_trusted), np.concatenate([data.given, data.trusted])
            for name, (x, labels), simple in (
                ("CleanLearning", (data.x, data.given), found["ERM"]),
                ("CleanLearning + Trusted", both, found["ERM + Trusted"]),
            ):
                cleaned = clean_learning(x, labels, data.classes, simple.C, seed)
                if cleaned:
                    yield name, cleaned.fitted._replace(seconds=cleaned.fitted.seconds + simple.seconds)


Way = Callable[[FoldRows, float, np.ndarray | None], np.ndarray]  # trusted rows, C, where to start -> weights
SHARED: dict[str, Sequence[str]] = {
    "ERM": ("erm",),
    "Agree": ("agree",),
    **dict.fromkeys(("Dropout", "Dropout + Trusted", "UIDS"), ("erm", "phi")),
}


def log_losses(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Cross-entropy of each row, (n,), nats. logits: (n, K)."""
    return -log_softmax(logits, axis=1)[np.arange(len(labels)), labels]


def per_class(weights: np.ndarray) -> np.ndarray:
    """Weights of every class, (K, d), of a `LinearModel`, which for two classes has one vector."""
    return weights if weights.ndim == 2 else np.stack([np.zeros_like(weights), weights])


def has_cleanlab() -> bool:
    """Whether cleanlab, which only the bench uses, is installed."""
    from importlib.util import find_spec

    return find_spec("cleanlab") is not None


def clean_learning(x: Matrix, labels: np.ndarray, classes: int, C: float, seed: int) -> Cleaned | None:
    """cleanlab's CleanLearning about the same regression: five-fold probabilities, label issues, a fit on the others.

    None where it raises: it cannot do with a class that one of its folds lacks.
    """
    from cleanlab.classification import CleanLearning
    from sklearn.linear_model import LogisticRegression

    before = time.process_time()
    simple = LogisticRegression(C=C, fit_intercept=False, max_iter=1_000, tol=1e-3)
    cleaner = CleanLearning(simple, seed=seed, cv_n_folds=FOLDS, find_label_issues_kwargs={"n_jobs": 1})
    try:
        cleaner.fit(short_indices(x), labels)
    except ValueError:
        return None
    clf: Any = cleaner.clf
    found = clf.coef_ if len(clf.classes_) > 2 else per_class(clf.coef_[0])
    weights = np.zeros((classes, x.shape[1]))
    weights[clf.classes_] = found
    return Cleaned(Fitted(weights, time.process_time() - before, C), cleaner.get_label_issues()["is_label_issue"].to_numpy())

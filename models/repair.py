"""Repair of wrong labels by cross-fitting over trusted rows: candidates, their pool, and fits on the labels that it is sure of.

Two-way folds: fit (f, h) is made on the trusted rows without fold f (f = F: on all of them) and the training rows without part h.
It scores trusted rows of fold f and training rows of part h, so that no row is ever scored by a fit that has seen it. The pool of a
fold is weighted by trusted rows of the other folds alone. Its labels still have an indirect effect: the fits that score the other
folds were made on them, and C is chosen by all trusted rows.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import scipy.sparse as sp
from scipy.special import log_softmax, softmax

from data.telling import Progress, silent
from influence.logistic import Matrix
from influence.rows import AnyRows, in_memory, rows_here
from influence.softmax import SoftmaxFit, softmax_influence
from models.axes import principal_axes, short_products
from models.pool import TRAINING_WORTH, Noisy, Posterior, pool_weights, posterior
from models.promise import Estimate, benjamini_hochberg, count_wrong, p_values, within_drawn
from models.soft_regression import fit_soft, one_hot, stacked

GRID = (0.01, 0.1, 1.0, 10.0, 100.0)  # values of C
FOLDS = 5  # of the trusted rows
SMALL = 1_000  # training rows up to which they are cut into 4 parts, else into 2: half of a small set fits worse
FIT_ROWS = 50_000  # training rows that a fit takes at most, at random: more take longer and change little; all rows are scored
TRUSTED_WEIGHTS = (1.0, 10.0)  # of a trusted row beside a training row
ROUNDS = 3  # of fits on the labels that a pool is sure of
SURE = 0.8  # probability from which a pool is sure of a label
SURE_SHARE = 0.7  # of the pool's prior, for the fits on those labels
PER_TENFOLD = 0.3  # factor of the prior for each tenfold of C away from the chosen one
POOL_ROWS = 300  # training rows in the pool's likelihood
PHI_RTOL = 1e-3  # of the solve for Phi, of which the sign and the order are used
LEAST_TRUSTED = 10
CHANCE = 0.01  # probability from which a class may be missing among the trusted rows by chance
BY_TRUSTED = ("trusted", "agree")  # families that know no class without trusted rows
SIMPLE_FAMILIES = {"ERM": "train", "Trusted": "trusted", "ERM + Trusted": "both"}  # methods that are families

Key = tuple[int, int]  # (f, h)
FoundAlong = TypeVar("FoundAlong")


class TooFewTrustedError(ValueError):
    """Trusted rows that cannot be cut into folds."""


class CandidateFit(NamedTuple):
    """A way to fit, at one C."""

    family: str
    C: float
    trusted_weight: float = 1.0  # of a trusted row beside a training row


class RepairData(NamedTuple):
    """Training rows with their given labels, and trusted rows."""

    x: AnyRows  # (n, d)
    given: np.ndarray  # (n,)
    x_trusted: Matrix  # (m, d)
    trusted: np.ndarray  # (m,)
    classes: int
    weights: np.ndarray | None = None  # (n,) of the training rows in every fit, 0 or more; None: 1 each
    checked: np.ndarray | None = None  # (n,) bool, rows whose label in `given` is that of a person who looked; None: none
    before: np.ndarray | None = None  # (n,) the labels as they were before that; None: the same

    def row_weights(self) -> np.ndarray:
        """(n,)."""
        return np.ones(len(self.given)) if self.weights is None else self.weights

    def confirmed(self) -> np.ndarray:
        """Training rows whose given label is known to be right, (n,) bool."""
        return np.zeros(len(self.given), dtype=bool) if self.checked is None else self.checked

    def drawn(self) -> np.ndarray:
        """Training rows that are trusted rows now (`trusting`), as they were drawn at random, (n,) bool."""
        return self.confirmed() & (self.row_weights() == 0)

    def posterior(self, probabilities: np.ndarray, groups: np.ndarray | None = None) -> Posterior:
        """What a classifier of the true label, p (n, K), and the given labels say together, and the labels of a person."""
        if self.checked is None or self.before is None:
            return posterior(probabilities, self.given, groups, weights=self.weights)
        return posterior(probabilities, self.before, groups, np.where(self.checked, self.given, -1), self.weights)

    def with_confirmed(self, labels: np.ndarray) -> np.ndarray:
        """Soft labels (n, K), those that a person has checked as given."""
        return np.where(self.confirmed()[:, None], one_hot(self.given, self.classes), labels)

    def trusting(self, rows: np.ndarray) -> "RepairData":
        """These training rows (indices), whose labels a person has checked, as trusted rows too; as training rows they weigh 0."""
        weights = self.row_weights().copy()
        weights[rows] = 0.0
        x_trusted = stacked(self.x[rows], self.x_trusted) if len(self.trusted) else self.x[rows]
        return self._replace(x_trusted=x_trusted, trusted=np.append(self.given[rows], self.trusted), weights=weights)

    def penalty(self, C: float) -> float:
        """C of softmax regression that makes it, for two classes, logistic regression with that C: its penalty counts w twice."""
        return C / 2 if self.classes == 2 else C


class FoldPool(NamedTuple):
    """What a pool says, made without the trusted rows of one fold."""

    weights: np.ndarray  # a (M,)
    probabilities: np.ndarray  # (n, K) of the training rows' true labels by features alone, held out
    labels: np.ndarray  # q (n, K) of the true label by the given one too, with one transition
    posterior: Posterior  # with a transition for each class that a fit on the given labels says


class FittedMethod(NamedTuple):
    """A fitted model, and its held-out logits of the trusted rows."""

    weights: np.ndarray  # (K, d)
    held_out: np.ndarray  # (m, K)


class Repaired(NamedTuple):
    """The repaired model and labels, and scores; no row is scored by a fit that has seen it."""

    weights: np.ndarray  # (K, d)
    labels: np.ndarray  # q (n, K): P(true label | features, given label)
    probabilities: np.ndarray  # (n, K) of the true label by features alone
    p_wrong: np.ndarray  # (n,) 1 - q of the given label
    phi: np.ndarray  # (n,) for the trusted rows' loss, of the fit on the given labels
    self_confidence: np.ndarray  # (n,) probability of the given label by the training rows alone
    trusted_confidence: np.ndarray  # (n,) the same by the trusted rows alone
    held_out: np.ndarray  # (m, K) probabilities of the trusted rows
    scores: np.ndarray  # (n,) p_wrong, each by a pool made without one fold, as for the trusted rows; -inf for checked rows
    calibration_scores: np.ndarray  # (m,) the same of the trusted rows' labels
    methods: dict[str, FittedMethod]  # "Repaired", and what a user would do otherwise, each at its best C

    def suspects(self, q: float) -> np.ndarray:
        """Labels listed as wrong, of which in expectation at most a share q is right, (n,) bool."""
        return benjamini_hochberg(p_values(self.scores, self.calibration_scores), q)

    def wrong_labels(self, data: RepairData) -> Estimate:
        """How many given labels are wrong, but for those that a person has checked."""
        some, held_out = ~data.confirmed(), self.held_out[np.arange(len(data.trusted)), data.trusted]
        if not some.any():
            return Estimate(0.0, 0.0, 0.0)
        found = count_wrong(self.probabilities[some], self.labels[some], data.given[some], self.self_confidence[some], held_out)
        drawn = data.drawn()
        if data.before is None or not drawn.any():
            return found
        n, changed = (~drawn).sum(), data.given != data.before
        mended = changed[~drawn].sum()  # wrong labels that a person changed, beside those that were drawn
        rate = within_drawn(Estimate(*((bound + mended) / n for bound in found)), int(changed[drawn].sum()), int(drawn.sum()))
        return Estimate(*(max(0.0, bound * n - mended) for bound in rate))


def balanced_folds(labels: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """The fold of each row, (n,), balanced within each label."""
    order = np.lexsort((rng.random(len(labels)), labels))
    fold = np.empty(len(labels), dtype=np.int64)
    fold[order] = (np.arange(len(labels)) + rng.integers(count)) % count
    return fold


def fit_rows(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """At most `FIT_ROWS` of the rows, in their order."""
    return rows if len(rows) <= FIT_ROWS else np.sort(rng.permutation(rows)[:FIT_ROWS])


def unknown_classes(data: RepairData) -> np.ndarray:
    """Classes that the trusted rows leave out, and not by chance: so many rows are given them that some would be expected there.

    Of a class that is rare, or given in error, few trusted rows have none.
    """
    weights = data.row_weights()
    shares = np.bincount(data.given, weights, data.classes) / weights.sum()
    by_chance = (1.0 - shares) ** len(data.trusted)
    return np.setdiff1d(np.flatnonzero(by_chance < CHANCE), data.trusted)


def can_judge(trusted: np.ndarray) -> bool:
    """Whether trusted labels (m,) can be cut into folds, and tell one class from another."""
    return len(trusted) >= LEAST_TRUSTED and len(np.unique(trusted)) > 1


class CrossFits:
    """The two-way folds, and the held-out logits of every candidate that is fitted."""

    def __init__(self, data: RepairData, rng: np.random.Generator) -> None:
        n, m, K = len(data.given), len(data.trusted), data.classes
        self.data, self.parts = data, 4 if n <= SMALL else 2
        self.fold, self.part = balanced_folds(data.trusted, FOLDS, rng), balanced_folds(data.given, self.parts, rng)
        self.calibration_part = rng.integers(self.parts, size=m)  # whose fits alone score a trusted row as training rows are scored
        self.train = [fit_rows(np.flatnonzero(self.part != h), rng) for h in range(self.parts)]
        self.own = [np.flatnonzero(self.part == h) for h in range(self.parts)]
        self.kept = [np.flatnonzero(self.fold != f) for f in range(FOLDS + 1)]
        self.some = np.arange(n) if in_memory(data.x) else fit_rows(np.arange(n), rng)  # of the simple methods
        self.x_train, self.x_some = [rows_here(data.x, rows) for rows in self.train], rows_here(data.x, self.some)
        self.x_own = [data.x[rows] for rows in self.own]
        self.x_kept = [data.x_trusted[rows] for rows in self.kept]
        self.targets, self.targets_trusted = one_hot(data.given, K), one_hot(data.trusted, K)
        self.weights = data.row_weights()
        self.unchecked = np.isin(data.given, unknown_classes(data))  # (n,) bool
        self.as_given = self.unchecked | data.confirmed()  # (n,) bool, whose label no fit leaves out or changes
        self.final: dict[CandidateFit, np.ndarray] = {}  # (K, d) with all trusted rows, the mean over the parts
        self.trusted_logits: dict[CandidateFit, np.ndarray] = {}  # (m, K), the mean over the parts
        self.calibration_logits: dict[CandidateFit, np.ndarray] = {}  # (m, K), by one part
        self.train_logits: dict[CandidateFit, np.ndarray] = {}  # (F + 1, n, K) float32
        self._shape = (n, m, K)

    def pairs(self) -> Iterator[Key]:
        """All (f, h)."""
        return ((f, h) for f in range(FOLDS + 1) for h in range(self.parts))

    def put(self, candidate: CandidateFit, key: Key, W: np.ndarray) -> None:
        """Keep what a fit says of the rows that it has not seen."""
        (f, h), (n, m, K) = key, self._shape
        if candidate not in self.final:
            self.final[candidate] = np.zeros_like(W)
            self.trusted_logits[candidate], self.calibration_logits[candidate] = np.zeros((2, m, K))
            self.train_logits[candidate] = np.zeros((FOLDS + 1, n, K), dtype=np.float32)
        self.train_logits[candidate][f, self.own[h]] = self.x_own[h] @ W.T
        if f == FOLDS:
            self.final[candidate] += W / self.parts
            return
        rows = np.flatnonzero(self.fold == f)
        logits = self.data.x_trusted[rows] @ W.T
        self.trusted_logits[candidate][rows] += logits / self.parts
        mine = self.calibration_part[rows] == h
        self.calibration_logits[candidate][rows[mine]] = logits[mine]

    def forget(self, family: str) -> None:
        """Remove the candidates of a family: they are fitted again."""
        for candidate in [candidate for candidate in self.final if candidate.family == family]:
            for kept in (self.final, self.trusted_logits, self.calibration_logits, self.train_logits):
                del kept[candidate]

    def fit_both(
        self, candidate: CandidateFit, key: Key, targets: np.ndarray, start: np.ndarray, keep: np.ndarray | None = None
    ) -> np.ndarray:
        """A fit on training rows with soft labels (n, K), some of them left out (`keep` (n,) bool), and trusted rows."""
        f, h = key
        rows, trusted = self.train[h], self.kept[f]
        weights = self.weights[rows] * np.where(self.data.confirmed()[rows], candidate.trusted_weight, 1.0)
        if keep is not None:
            weights *= keep[rows]
        weights = np.append(weights, np.full(len(trusted), candidate.trusted_weight))
        both = np.vstack([targets[rows], self.targets_trusted[trusted]])
        W = fit_soft(stacked(self.x_train[h], self.x_kept[f]), both, self.data.penalty(candidate.C), weights, start)
        self.put(candidate, key, W)
        return W

    def loss(self, candidate: CandidateFit) -> float:
        """Summed held-out log-loss of the trusted rows, plus `TRAINING_WORTH` times the mean one of the given labels."""
        trusted = -log_softmax(self.trusted_logits[candidate], axis=1)[np.arange(len(self.data.trusted)), self.data.trusted]
        noisy = -log_softmax(self.train_logits[candidate][FOLDS], axis=1)[np.arange(len(self.data.given)), self.data.given]
        return float(trusted.sum() + TRAINING_WORTH * np.average(noisy, weights=self.weights))

    def best(self, families: Sequence[str]) -> CandidateFit:
        """The candidate of these families with the least loss."""
        return min((candidate for candidate in self.final if candidate.family in families), key=self.loss)


Starts = dict[tuple[float, int], np.ndarray]  # (C, h) -> weights of the fit on the given labels
SureStarts = dict[tuple[float, Key], np.ndarray]  # (C, (f, h)) -> weights of the last round's fit on sure labels


def fit_simple(fits: CrossFits) -> Starts:
    """The candidates that everyone has: training rows alone, trusted rows alone, both with trusted rows once or ten times."""
    starts: Starts = {}
    for h in range(fits.parts):
        W = None
        for C in GRID:
            W = fit_soft(fits.x_train[h], fits.targets[fits.train[h]], fits.data.penalty(C), fits.weights[fits.train[h]], W)
            starts[C, h] = W
            for f in range(FOLDS + 1):
                fits.put(CandidateFit("train", C), (f, h), W)
    for f in range(FOLDS + 1):
        W = None
        for C in GRID:
            W = fit_soft(fits.x_kept[f], fits.targets_trusted[fits.kept[f]], fits.data.penalty(C), np.ones(len(fits.kept[f])), W)
            for h in range(fits.parts):
                fits.put(CandidateFit("trusted", C), (f, h), W)
    fit_around_best(fits, starts)
    return starts


def fit_around_best(fits: CrossFits, starts: Starts) -> None:
    """Both parts, at the C that is best for the training rows alone and at those beside it, until the best has one on each side.

    A fit at a C far above the best one takes ten times as long, and a pool gives it next to no weight.
    """
    place = GRID.index(fits.best(["train"]).C)
    todo = {place - 1, place, place + 1} & set(range(len(GRID)))
    fitted: set[int] = set()
    while todo:
        for C in (GRID[place] for place in sorted(todo)):
            for key in fits.pairs():
                W = starts[C, key[1]]
                for weight in TRUSTED_WEIGHTS:
                    W = fits.fit_both(CandidateFit("both", C, weight), key, fits.targets, W)
        fitted |= todo
        best = GRID.index(fits.best(["both"]).C)
        todo = {best - 1, best + 1} & set(range(len(GRID))) - fitted


def solution_of(fits: CrossFits, h: int, C: float, W: np.ndarray) -> np.ndarray:
    """H^-1 C grad l of the trusted rows' loss l, (K, d), at the fit W on the training rows without part h.

    A row of weight s is one whose features are sqrt(s) times as large, at the same logits: the curvature is that of the fit.
    """
    x, root = fits.x_train[h], np.sqrt(fits.weights[fits.train[h]])
    train = SoftmaxFit(times_rows(x, root), fits.data.given[fits.train[h]], x @ W.T)
    trusted = SoftmaxFit(fits.data.x_trusted, fits.data.trusted, fits.data.x_trusted @ W.T)
    return softmax_influence(train, trusted, fits.data.penalty(C), PHI_RTOL).solution.vector.reshape(W.shape)


def times_rows(x: Matrix, factors: np.ndarray) -> Matrix:
    """Each row times its factor. x: (n, d), factors: (n,)."""
    return sp.csr_array(sp.diags_array(factors) @ x) if sp.issparse(x) else x * factors[:, None]


def fit_agreeing(fits: CrossFits, near: Sequence[float], starts: Starts, trusted: CandidateFit) -> None:
    """Both parts, but of the training rows only those to which a fit on the trusted rows gives their label."""
    for key in fits.pairs():
        agree = fits.as_given | (fits.train_logits[trusted][key[0]].argmax(axis=1) == fits.data.given)
        for C in near:
            fits.fit_both(CandidateFit("agree", C), key, fits.targets, starts[C, key[1]], agree)


def fit_sure(fits: CrossFits, near: Sequence[float], views: Sequence[FoldPool], starts: Starts, last: SureStarts) -> None:
    """Both parts, but of the training rows only those of whose label the fold's pool is sure, with that label.

    last: of the round before, empty in the first one; becomes this round's.
    """
    for key in fits.pairs():
        q = views[key[0]].labels
        labels = np.where(fits.as_given, fits.data.given, q.argmax(axis=1))
        targets, sure = one_hot(labels, fits.data.classes), fits.as_given | (q.max(axis=1) >= SURE)
        for C in near:
            start = last.get((C, key), starts[C, key[1]])
            last[C, key] = fits.fit_both(CandidateFit("sure", C), key, targets, start, sure)


def pool(fits: CrossFits, C: float, rng: np.random.Generator) -> list[FoldPool]:
    """The pool for each fold, made without its trusted rows, and for f = F with all. C: about which the prior is.

    Of `unknown_classes` the trusted rows say nothing: what is made by them alone is then not in the pool, and they are scored
    among the classes that they have.
    """
    data, alone = fits.data, fits.best(["train"])
    used = np.array([not (fits.unchecked.any() and candidate.family in BY_TRUSTED) for candidate in fits.final])
    candidates = [candidate for candidate, is_used in zip(fits.final, used, strict=True) if is_used]
    prior, seen = prior_of(candidates, C), np.setdiff1d(np.arange(data.classes), unknown_classes(data))
    some = rng.permutation(np.flatnonzero(~data.confirmed() & (fits.weights > 0)))[:POOL_ROWS]
    logits, labels = np.array([fits.trusted_logits[each][:, seen] for each in candidates]), np.searchsorted(seen, data.trusted)
    groups = fits.train_logits[alone][FOLDS].argmax(axis=1)
    views = []
    for f in range(FOLDS + 1):
        rows, train = fits.kept[f], np.array([fits.train_logits[candidate][f] for candidate in candidates])
        first = pool_weights(logits[:, rows], labels[rows], prior)
        said = data.posterior(softmax(np.tensordot(first, train, 1), axis=1), groups)
        noisy = Noisy(train[:, some].astype(np.float64), said.to_given(data.given, groups)[some], fits.weights[some])
        weights = pool_weights(logits[:, rows], labels[rows], prior, noisy if len(some) else None)
        p = softmax(np.tensordot(weights, train, 1), axis=1)
        every = np.zeros(len(used))
        every[used] = weights
        views.append(FoldPool(every, p, data.posterior(p).labels, data.posterior(p, groups)))
    return views


def prior_of(candidates: Sequence[CandidateFit], C: float) -> np.ndarray:
    """Uniform over families and weights, `SURE_SHARE` for the fits on sure labels once they are there; about C. (M,)"""
    families = [(candidate.family, candidate.trusted_weight) for candidate in candidates]
    prior = np.array([1.0 / families.count(family) for family in families])
    sure = np.array([candidate.family == "sure" for candidate in candidates])
    if sure.any():
        prior = np.where(sure, SURE_SHARE / sure.sum(), (1.0 - SURE_SHARE) * prior / prior[~sure].sum())
    prior *= PER_TENFOLD ** np.abs(np.log10([candidate.C / C for candidate in candidates]))
    return prior / prior.sum()


def repair(data: RepairData, rng: np.random.Generator, progress: Progress = silent) -> Repaired:
    """Repair the labels of training rows and the model, by trusted rows. Raises `TooFewTrustedError`, `SolverError`.

    progress: called with how many of the stages are done, and their number.
    """
    if len(data.trusted) < LEAST_TRUSTED:
        raise TooFewTrustedError(f"there are {len(data.trusted)} trusted rows, expected {LEAST_TRUSTED} or more")
    found, back = along_axes(data, lambda turned: _repair(turned, rng, progress))
    if back is None:
        return found
    methods = {name: method._replace(weights=method.weights @ back) for name, method in found.methods.items()}
    return found._replace(weights=found.weights @ back, methods=methods)


def along_axes(data: RepairData, fit: Callable[[RepairData], FoundAlong]) -> tuple[FoundAlong, np.ndarray | None]:
    """What `fit` finds on features along their principal axes, and the matrix (r, d) that turns its weights back, if they pay."""
    axes = principal_axes(data.x, data.x_trusted)
    with short_products(data.x):
        if axes is None:
            return fit(data), None
        return fit(data._replace(x=data.x @ axes, x_trusted=data.x_trusted @ axes)), axes.T


def _repair(data: RepairData, rng: np.random.Generator, progress: Progress) -> Repaired:
    """`repair`, on features as they are."""
    fits = CrossFits(data, rng)
    starts = fit_simple(fits)
    chosen = fits.best(["both"])
    place = GRID.index(chosen.C)
    near = GRID[max(0, place - 1) : place + 2]
    fit_agreeing(fits, near, starts, fits.best(["trusted"]))
    last: SureStarts = {}
    for done in range(ROUNDS):
        progress(1 + done, 2 + ROUNDS)
        views = pool(fits, chosen.C, rng)
        fits.forget("sure")
        fit_sure(fits, near, views, starts, last)
    progress(1 + ROUNDS, 2 + ROUNDS)
    return repaired(fits, pool(fits, chosen.C, rng), phi_of(fits, starts, chosen.C), rng)


def phi_of(fits: CrossFits, starts: Starts, C: float) -> np.ndarray:
    """Phi of each training row by the fit on the given labels of the other parts, (n,), held out."""
    phi = np.zeros(len(fits.data.given))
    for h in range(fits.parts):
        W, x, own = starts[C, h], fits.x_own[h], fits.own[h]
        solution = solution_of(fits, h, C, W)
        slope = softmax(x @ W.T, axis=1) - fits.targets[own]
        phi[own] = -fits.data.penalty(C) * (slope * (x @ solution.T)).sum(axis=1)
    return phi


def repaired(fits: CrossFits, views: list[FoldPool], phi: np.ndarray, rng: np.random.Generator) -> Repaired:
    """The result, from the last pools."""
    data, candidates, last, alone = fits.data, list(fits.final), views[FOLDS], fits.best(["train"])
    rows, places = np.arange(len(data.given)), np.arange(len(data.trusted))
    fold = rng.integers(FOLDS, size=len(rows))  # a training row's score, too, is by a pool made without one fold
    scores = np.array([view.posterior.labels[rows, data.given] for view in views])[fold, rows]
    held_out, calibration = np.zeros((2, len(places), data.classes))
    for f, view in enumerate(views[:FOLDS]):
        mine = np.flatnonzero(fits.fold == f)
        held_out[mine] = softmax(pooled(view.weights, fits.trusted_logits, mine), axis=1)
        to_given = view.posterior.to_given(data.trusted[mine], fits.calibration_logits[alone][mine].argmax(axis=1))
        joint = softmax(pooled(view.weights, fits.calibration_logits, mine), axis=1) * to_given
        calibration[mine] = joint / joint.sum(axis=1, keepdims=True)

    def confidence(family: str) -> np.ndarray:
        logits = fits.train_logits[fits.best([family])][FOLDS].astype(float)
        return softmax(logits, axis=1)[rows, data.given]

    weights = np.tensordot(last.weights, np.array([fits.final[candidate] for candidate in candidates]), 1)
    labels = data.with_confirmed(last.posterior.labels)
    log_held_out = np.log(np.maximum(held_out, np.finfo(float).tiny))
    return Repaired(
        weights=weights,
        labels=labels,
        probabilities=last.probabilities,
        p_wrong=1.0 - labels[rows, data.given],
        phi=phi,
        self_confidence=confidence("train"),
        trusted_confidence=confidence("trusted"),
        held_out=held_out,
        scores=np.where(data.confirmed(), -np.inf, 1.0 - scores),
        calibration_scores=1.0 - calibration[places, data.trusted],
        methods={name: simple_method(fits, family) for name, family in SIMPLE_FAMILIES.items()}
        | {"Repaired": FittedMethod(weights, log_held_out)},
    )


def simple_method(fits: CrossFits, family: str) -> FittedMethod:
    """A candidate of a family at its best C, on all training rows, or `FIT_ROWS` if they are not in memory.

    C was chosen by fits on parts of them. Of "both" each trusted row counts once.
    """
    data, some = fits.data, fits.some
    chosen = min((each for each in fits.final if each.family == family and each.trusted_weight == 1.0), key=fits.loss)
    training = (fits.x_some, fits.targets[some], fits.weights[some])
    trusted = (data.x_trusted, fits.targets_trusted, np.ones(len(data.trusted)))
    both = (stacked(fits.x_some, data.x_trusted), np.vstack([training[1], trusted[1]]), np.append(training[2], trusted[2]))
    x, targets, weights = {"train": training, "trusted": trusted, "both": both}[family]
    W = fit_soft(x, targets, fits.data.penalty(chosen.C), weights, fits.final[chosen])
    return FittedMethod(W, fits.trusted_logits[chosen])


def pooled(weights: np.ndarray, logits: dict[CandidateFit, np.ndarray], rows: np.ndarray) -> np.ndarray:
    """sum_m a_m z_m of some rows, (rows, K)."""
    return np.tensordot(weights, np.array([each[rows] for each in logits.values()]), 1)

"""Every training row examined without trusted rows: by cross-fitting over the given labels alone."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from data.telling import Progress, silent
from influence.rows import rows_here
from models.pool import TO_ONE, posterior
from models.promise import Estimate
from models.repair import FOLDS, GRID, RepairData, along_axes, balanced_folds, fit_rows
from models.soft_regression import fit_soft, one_hot, stacked

EXAMINE_ROUNDS = 3  # of fits: without what confident learning calls wrong, then on soft labels
LARGER = 100.0  # fits on better labels take up to so many times the C of the fit on the given ones
EVIDENCE = 0.25  # power of the held-out likelihood by which they are pooled; chosen, with LARGER, on 22 tables with synthetic noise
LEAST_POOLED = 0.01  # of a fit in the pool; others are left out
# Share of wrong labels that the model allows for: given labels do not show those that features predict. On nine sets with made
# noise that are not in the bench, 0.05 to 0.1 is best; on right labels more costs more.
UNSEEN = 0.05
SCALES = (1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0)  # factors of a fit's logits: of small C, and on soft labels, they are too small
MORE_LIKELY = 0.5  # probability of being wrong above which a label is a suspect
NO_FOLD = -1


class Examined(NamedTuple):
    """The model and labels after an examination; no row is scored by a fit that has seen it."""

    weights: np.ndarray  # (K, d), shrunk where few labels seem wrong (`cautious`)
    plain: np.ndarray  # (K, d) of the fit on the given labels
    labels: np.ndarray  # q (n, K): P(true label | features, given label)
    probabilities: np.ndarray  # (n, K) of the true label by features alone
    p_wrong: np.ndarray  # (n,) 1 - q of the given label
    self_confidence: np.ndarray  # (n,) probability of the given label by fits on the given labels of other rows
    C: float  # of the fits on the given labels, by their held-out loss

    def suspects(self, _level: float) -> np.ndarray:
        """Labels that are more likely wrong than right, (n,) bool: without trusted rows no level can be promised."""
        return self.p_wrong > MORE_LIKELY

    def wrong_labels(self, _data: RepairData) -> Estimate:
        """How many given labels are wrong, but for those that a person has checked; without an interval."""
        return Estimate(float(self.p_wrong.sum()), np.nan, np.nan)


class Folds:
    """Fits on all folds but one, with the few trusted rows that there may be."""

    def __init__(self, data: RepairData, rng: np.random.Generator) -> None:
        self.data = data
        self.fold = balanced_folds(data.given, min(FOLDS, len(data.given)), rng)
        self.own = [np.flatnonzero(self.fold == fold) for fold in range(self.fold.max() + 1)]
        self.x_own = [data.x[rows] for rows in self.own]
        self.some = fit_rows(np.arange(len(data.given)), rng)  # in the fits
        self.x_some = rows_here(data.x, self.some)
        self.targets_trusted = one_hot(data.trusted, data.classes)
        self.weights = data.row_weights()
        self.starts: dict[tuple[float, int], np.ndarray | None] = {}

    def fit(
        self, targets: np.ndarray, C: float, weights: np.ndarray, start: np.ndarray | None, without: int = NO_FOLD
    ) -> np.ndarray:
        """Weights (K, d) of a fit with targets (n, K) and weights (n,) on all folds but one, and on the trusted rows."""
        taken = np.flatnonzero(self.fold[self.some] != without)
        x, t, s = self.x_some[taken], targets[self.some[taken]], weights[self.some[taken]]
        if len(self.data.trusted):
            x, t = stacked(x, self.data.x_trusted), np.vstack([t, self.targets_trusted])
            s = np.append(s, np.ones(len(self.data.trusted)))
        return fit_soft(x, t, self.data.penalty(C), s, start)

    def held_out(self, targets: np.ndarray, C: float, weights: np.ndarray) -> np.ndarray:
        """Logits of every row by the fit without its fold, (n, K)."""
        logits = np.zeros(targets.shape)
        for fold, own in enumerate(self.own):
            before = self.starts.get((C, fold), self.starts.get((C / 10, fold)))
            W = self.starts[C, fold] = self.fit(targets, C, weights, before, fold)
            logits[own] = self.x_own[fold] @ W.T
        return logits


def examine(data: RepairData, rng: np.random.Generator, progress: Progress = silent) -> Examined:
    """Examine the given labels and fit a model to what is learned of them. Trusted rows, as few as there may be, are in every fit.

    progress: called with how many of the stages are done, and their number.
    """
    found, back = along_axes(data, lambda turned: _examine(turned, rng, progress))
    return found if back is None else found._replace(weights=found.weights @ back, plain=found.plain @ back)


def _examine(data: RepairData, rng: np.random.Generator, progress: Progress) -> Examined:
    """`examine`, on features as they are.

    The shares of the pool are those of the first round. In later ones a row's given label is in the soft labels of the others, so
    that fits of large C, which follow these most closely, would seem better than they are.
    """
    folds, given, rows = Folds(data, rng), data.given, np.arange(len(data.given))
    targets = one_hot(given, data.classes)
    by_C = {C: folds.held_out(targets, C, folds.weights) for C in GRID}
    progress(1, 1 + EXAMINE_ROUNDS)
    C = min(GRID, key=lambda C: -np.average(log_softmax(by_C[C], axis=1)[rows, given], weights=folds.weights))
    alone = softmax(by_C[C], axis=1)
    kept = folds.weights * (data.confirmed() | ~confidently_wrong(alone, given))
    logits = {each: folds.held_out(targets, each, kept) for each in GRID if each <= LARGER * C}
    found = shares_by_evidence(np.array(list(logits.values())), given, folds.weights)
    shares = {each: share for each, share in zip(logits, found, strict=True) if share >= LEAST_POOLED}
    for done in range(EXAMINE_ROUNDS):
        if done:
            logits = {each: folds.held_out(targets, each, folds.weights) for each in shares}
        p = softmax(sum(share * logits[each] for each, share in shares.items()), axis=1)
        targets = data.with_confirmed(data.posterior(p).labels)
        progress(2 + done, 1 + EXAMINE_ROUNDS)
    fitted = {each: folds.fit(targets, each, folds.weights, folds.starts[each, 0]) for each in shares}
    W = sum(share * fitted[each] for each, share in shares.items())
    p_wrong = 1.0 - targets[rows, given]
    plain = folds.fit(one_hot(given, data.classes), C, folds.weights, fitted.get(C))
    return Examined(cautious(p, targets, p_wrong, folds.weights) * W, plain, targets, p, p_wrong, alone[rows, given], C)


def cautious(p: np.ndarray, labels: np.ndarray, p_wrong: np.ndarray, weights: np.ndarray) -> float:
    """The factor of the logits, at most 1, that suits the labels if `UNSEEN` of the given ones are wrong: 1 where as many seem so.

    argmin_t - sum_ik s_i r_ik ln softmax(t ln p_i)_k, r = (1 - u) q + u (1 - q) / (K - 1), where u is what is missing to `UNSEEN`.
    p: (n, K), held out. labels: q (n, K). p_wrong: (n,). weights: s (n,).
    """
    u = UNSEEN - float(np.average(p_wrong, weights=weights))
    if u <= 0.0:
        return 1.0
    log_p = np.log(np.maximum(p, np.finfo(float).tiny))
    r = weights[:, None] * ((1.0 - u) * labels + u * (1.0 - labels) / (p.shape[1] - 1))
    loss = minimize_scalar(lambda t: -float(np.vdot(r, log_softmax(t * log_p, axis=1))), bounds=(0.0, 1.0), method="bounded")
    return float(loss.x)


def confidently_wrong(p: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Rows that confident learning calls wrong, (n,) bool (Northcutt et al. 2021).

    The likeliest class is not the given one, and some other class is above its own mean self-confidence. p: (n, K), held out.
    """
    bar = np.array([p[given == k, k].mean() if (given == k).any() else 1.0 for k in range(p.shape[1])])
    sure = np.where(p >= bar - 1e-6, p, -1.0)
    return (sure.max(axis=1) > 0) & (sure.argmax(axis=1) != given) & (p.argmax(axis=1) != given)


def shares_by_evidence(logits: np.ndarray, given: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """t_m a_m of the fits, (M,): the shares a_m in their pool, by `evidence` at the factor t_m of the logits that is best for each.

    As in `pool_weights`, ln t has the inverse variance `TO_ONE`: less suits made noise better, and real noise worse.
    logits: (M, n, K), held out. given: (n,). weights: (n,).
    """
    penalty = TO_ONE / 2 * np.log(SCALES) ** 2
    found = np.array([[evidence(t * z, given, weights) for t in SCALES] for z in logits]) - penalty  # (M, scales)
    return softmax(found.max(axis=1)) * np.array(SCALES)[found.argmax(axis=1)]


def evidence(logits: np.ndarray, given: np.ndarray, weights: np.ndarray) -> float:
    """Log-likelihood of the given labels behind the fit's transition, times `EVIDENCE`. logits: (n, K), held out."""
    p = softmax(logits, axis=1)
    to_given = (p * posterior(p, given, weights=weights).transition[0][:, given].T).sum(axis=1)
    return EVIDENCE * float(weights @ np.log(to_given))

"""L2-regularised softmax regression without an intercept: K classes, some of the samples relabeled by R."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from influence.logistic import Matrix
from influence.softmax import label_slope, relabeled_probabilities, softmax_hvp, softmax_preconditioner, transposed
from influence.solvers import SolverError, conjugate_gradient
from models.logistic_regression import largest_feature

SOFTMAX_TOLERANCE = 1e-7  # of |grad J(W)| / |grad J(0)|
ROUGH = 1e-4  # of the same, by L-BFGS; Newton steps go on from there
ROUNDS, ROUND = 50, 50  # of L-BFGS, which has a preconditioner made where it begins and so many iterations, or a Newton step
HISTORY = 20  # pairs that L-BFGS remembers
STEP_RTOL = 1e-3


class Problem(NamedTuple):
    """J(W) = 1/2 |W|^2 + C (sum of l_i over the samples + sum of -ln(1 - phi_m) over those that R has relabeled)."""

    x: Matrix  # (n, d)
    labels: np.ndarray  # (n,) integers below K; of a relabeled sample the label as it was given
    classes: int
    C: float
    relabeled: np.ndarray  # (n,) bool

    def objective(self, weights: np.ndarray) -> float:
        """J. weights: (K, d)."""
        logits = self.x @ weights.T
        return float(0.5 * (weights**2).sum() + self.C * self.losses(logits).sum())

    def gradient(self, weights: np.ndarray) -> np.ndarray:
        """grad J, (K, d)."""
        return weights + self.C * transposed(self.x, self.slope(self.x @ weights.T))

    def losses(self, logits: np.ndarray) -> np.ndarray:
        """The loss of each sample, in nats, (n,). logits: (n, K)."""
        return np.where(self.relabeled, softmax_relabeled_losses(logits, self.labels), softmax_losses(logits, self.labels))

    def slope(self, logits: np.ndarray) -> np.ndarray:
        """Their derivatives in the logits, (n, K): p - e_y, and p - q of the relabeled."""
        slope, rows = label_slope(logits, self.labels), self.relabeled
        slope[rows] = softmax(logits[rows], axis=1) - relabeled_probabilities(logits[rows], self.labels[rows])
        return slope

    def hvp(self, logits: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """v -> H v, (K d,) to (K d,), where the logits are those."""
        others = relabeled_probabilities(logits, self.labels) * self.relabeled[:, None] if self.relabeled.any() else None
        return softmax_hvp(self.x, softmax(logits, axis=1), self.C, others)


def softmax_losses(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Cross-entropy l_i = -ln phi_{y_i}, in nats, (n,). logits: (n, K), labels: (n,) integers below K."""
    return logsumexp(logits, axis=1) - logits[np.arange(len(labels)), labels]


def softmax_relabeled_losses(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """-ln(1 - phi_m), the cross-entropy of a sample that R has relabeled (Kong et al. 2022), in nats, (n,)."""
    rows, others = np.arange(len(labels)), logits.copy()
    others[rows, labels] = -np.inf
    return np.logaddexp(0.0, logits[rows, labels] - logsumexp(others, axis=1))


def fit_softmax(
    x: Matrix, labels: np.ndarray, classes: int, C: float, relabeled: np.ndarray | None = None, start: np.ndarray | None = None
) -> np.ndarray:
    """A W, (K, d), with |grad J(W)| <= 1e-7 |grad J(0)|: the minimum if nothing is relabeled, else one near `start`.

    With relabeled samples J is not convex: -ln(1 - phi_m) = logsumexp(all) - logsumexp(without m). x: (n, d), labels: (n,) integers
    below `classes`, relabeled: (n,) bool, start: (K, d), zeros if None. By L-BFGS in the variables of a preconditioner, then Newton
    steps where the curvature is positive. Raises `SolverError` if the inequality cannot be reached.
    """
    largest_feature(x)
    problem = Problem(x, labels, classes, C, np.zeros(len(labels), dtype=bool) if relabeled is None else relabeled)
    weights = np.zeros((classes, x.shape[1])) if start is None else start
    size = float(np.linalg.norm(problem.gradient(np.zeros_like(weights))))
    for _ in range(ROUNDS):
        slope = problem.gradient(weights)
        steepness, step = np.linalg.norm(slope), None
        if steepness <= SOFTMAX_TOLERANCE * size:
            return weights
        near = steepness <= ROUGH * size
        if near:
            step = _newton_step(problem, weights, slope)
        weights = _descend(problem, weights, (SOFTMAX_TOLERANCE if near else ROUGH) * size) if step is None else weights - step
    raise SolverError(
        f"softmax regression is at a gradient of {steepness:.3g}, expected {SOFTMAX_TOLERANCE * size:.3g}; scale the features"
        " to a like size, or choose a smaller --C"
    )


def _newton_step(problem: Problem, weights: np.ndarray, slope: np.ndarray) -> np.ndarray | None:
    """H^-1 grad J, (K, d); None where R's curvature, which is negative, outweighs the rest: there J is to be descended."""
    logits = problem.x @ weights.T
    precondition = softmax_preconditioner(problem.x, softmax(logits, axis=1), problem.C).solve
    try:
        return conjugate_gradient(problem.hvp(logits), slope.ravel(), precondition, STEP_RTOL).vector.reshape(weights.shape)
    except SolverError:
        return None


def _descend(problem: Problem, weights: np.ndarray, bound: float) -> np.ndarray:
    """A round of L-BFGS from `weights`, ended early where the gradient is within `bound`."""
    parts = softmax_preconditioner(problem.x, softmax(problem.x @ weights.T, axis=1), problem.C)
    norms: list[float] = []

    def value_and_slope(v: np.ndarray) -> tuple[float, np.ndarray]:
        moved = weights + parts.to(v).reshape(weights.shape)
        logits = problem.x @ moved.T
        slope = moved + problem.C * transposed(problem.x, problem.slope(logits))
        norms.append(float(np.linalg.norm(slope)))
        value = 0.5 * (moved**2).sum() + problem.C * problem.losses(logits).sum()
        return float(value), parts.back(slope.ravel())

    def stop_when_within(_: np.ndarray) -> None:
        if norms[-1] <= bound:
            raise StopIteration

    options = {"maxiter": ROUND, "maxcor": HISTORY, "ftol": 0.0, "gtol": 0.0}
    zero = np.zeros(weights.size)
    found = minimize(value_and_slope, zero, jac=True, method="L-BFGS-B", callback=stop_when_within, options=options)
    return weights + parts.to(found.x).reshape(weights.shape)

"""L2-regularised softmax regression without an intercept: K classes, some of the samples relabeled by R."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

from influence.logistic import Matrix
from influence.relabel import check_labels
from influence.rows import AnyRows, Rows, RowVector, as_row_vector, in_blocks, in_memory, total
from influence.softmax import (
    Preconditioner,
    by_columns,
    label_slope,
    logsumexp,
    relabeled_probabilities,
    softmax,
    softmax_curved,
    softmax_hvp,
    softmax_preconditioner,
    transposed,
)
from influence.softmax_blocks import block_preconditioner
from influence.solvers import Product, SolverError
from models.logistic_regression import largest_feature

SOFTMAX_TOLERANCE = 1e-7  # of |grad J(W)| / |grad J(0)|
SOFTMAX_STEPS = 100
FAR_STEP_RTOL = 0.3  # of a Newton step far from the minimum, where a better one is not worth its time
SPARE = 0.1  # of the bound: as far below it as the last step aims
STEP_ITERATIONS = 1_000  # in one step
REMADE = 3  # a preconditioner is made anew after so many times the iterations that it is worth
LEAST_DESCENT = 1e-4  # of J, over what its slope promises; a step is halved until it brings that
SHORTEST_SOFTMAX_STEP = 2.0**-30  # of a step
LOSS_ROUNDING = 1e-12  # of J, in a sum over the samples


class FitPoint(NamedTuple):
    """Weights, and what J is there."""

    weights: np.ndarray  # (K, d)
    logits: Any  # (n, K); None of rows in blocks
    value: float  # J
    slope: np.ndarray  # grad J, (K, d)


class Smooth(Protocol):
    """A function J of weights (K, d), through the logits that they give."""

    def at(self, weights: np.ndarray) -> FitPoint:
        """Everything of one point."""

    def hvp(self, point: FitPoint) -> Product:
        """v -> H v, (K, d) or (K d,), at a point."""


class BlockProblem(NamedTuple):
    """`Problem` with rows in blocks, of which only sums leave their place: a block's logits are computed where they are needed."""

    x: Rows  # (n, d)
    labels: RowVector  # (n,)
    classes: int
    C: float
    relabeled: RowVector  # (n,) bool

    def at(self, weights: np.ndarray) -> FitPoint:
        """J and its gradient at weights (K, d)."""
        loss, slope = total(self.x, block_slope, self.labels, self.relabeled, shared=(weights,))
        return FitPoint(weights, None, float(0.5 * (weights**2).sum() + self.C * loss), weights + self.C * slope)

    def hvp(self, point: FitPoint) -> Product:
        """v -> H v, (K, d), at a point."""
        return lambda v: v + self.C * total(self.x, block_curved, self.labels, self.relabeled, shared=(point.weights, v))


def block_slope(x: Matrix, labels: np.ndarray, relabeled: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The summed loss of a block and its gradient, (K, d)."""
    problem, logits = Problem(x, labels, len(weights), 1.0, relabeled), x @ weights.T
    return problem.losses(logits).sum(), transposed(x, problem.slope(logits))


def block_curved(x: Matrix, labels: np.ndarray, relabeled: np.ndarray, weights: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The Hessian of a block's summed loss times a matrix (K, d)."""
    problem, logits = Problem(x, labels, len(weights), 1.0, relabeled), x @ weights.T
    return softmax_curved(x, softmax(logits), matrix, problem.others(logits))


class DescentStep(NamedTuple):
    """A direction in which J falls from a point, backwards."""

    matrix: np.ndarray  # (K, d)
    iterations: int  # that it took


class Problem(NamedTuple):
    """J(W) = 1/2 |W|^2 + C (sum of l_i over the samples + sum of -ln(1 - phi_m) over those that R has relabeled)."""

    x: Matrix  # (n, d)
    labels: np.ndarray  # (n,) integers below K; of a relabeled sample the label as it was given
    classes: int
    C: float
    relabeled: np.ndarray  # (n,) bool

    def at(self, weights: np.ndarray) -> FitPoint:
        """Everything of one point, by two products with X. weights: (K, d)."""
        logits = self.x @ weights.T
        value = float(0.5 * (weights**2).sum() + self.C * self.losses(logits).sum())
        return FitPoint(weights, logits, value, weights + self.C * transposed(self.x, self.slope(logits)))

    def objective(self, weights: np.ndarray) -> float:
        """J. weights: (K, d)."""
        return self.at(weights).value

    def gradient(self, weights: np.ndarray) -> np.ndarray:
        """grad J, (K, d)."""
        return self.at(weights).slope

    def losses(self, logits: np.ndarray) -> np.ndarray:
        """The loss of each sample, in nats, (n,). logits: (n, K)."""
        losses, rows = softmax_losses(logits, self.labels), self.relabeled
        losses[rows] = softmax_relabeled_losses(logits[rows], self.labels[rows])
        return losses

    def slope(self, logits: np.ndarray) -> np.ndarray:
        """Their derivatives in the logits, (n, K): p - e_y, and p - q of the relabeled."""
        slope, rows = label_slope(logits, self.labels), self.relabeled
        slope[rows] = softmax(logits[rows]) - relabeled_probabilities(logits[rows], self.labels[rows])
        return slope

    def hvp(self, point: FitPoint) -> Product:
        """v -> H v, (K, d) or (K d,), at a point."""
        return softmax_hvp(self.x, softmax(point.logits), self.C, self.others(point.logits))

    def others(self, logits: np.ndarray) -> np.ndarray | None:
        """q of `relabeled_probabilities` for the relabeled samples and 0 for the others, (n, K); None if there are none."""
        return relabeled_probabilities(logits, self.labels) * self.relabeled[:, None] if self.relabeled.any() else None


def softmax_losses(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Cross-entropy l_i = -ln phi_{y_i}, in nats, (n,). logits: (n, K), labels: (n,) integers below K."""
    return logsumexp(logits) - logits[np.arange(len(labels)), labels]


def softmax_relabeled_losses(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """-ln(1 - phi_m), the cross-entropy of a sample that R has relabeled (Kong et al. 2022), in nats, (n,)."""
    rows, others = np.arange(len(labels)), logits.copy()
    others[rows, labels] = -np.inf
    return np.logaddexp(0.0, logits[rows, labels] - logsumexp(others))


@np.errstate(over="ignore", invalid="ignore")  # what is not finite brings no step that helps
def fit_softmax(
    x: AnyRows, labels: np.ndarray, classes: int, C: float, relabeled: np.ndarray | None = None, start: np.ndarray | None = None
) -> np.ndarray:
    """A W, (K, d), with |grad J(W)| <= 1e-7 |grad J(0)|: the minimum if nothing is relabeled, else one near `start`.

    With relabeled samples J is not convex: -ln(1 - phi_m) = logsumexp(all) - logsumexp(without m). x: (n, d), labels: (n,) integers
    below `classes`, relabeled: (n,) bool, start: (K, d), zeros if None. Raises `SolverError` if the inequality cannot be reached.
    """
    check_labels(labels, classes)
    labels = labels.astype(np.int64, copy=False)
    changed = np.zeros(len(labels), dtype=bool) if relabeled is None else relabeled
    problem = _problem(x, labels, classes, C, changed)
    zero = problem.at(np.zeros((x.shape[1], classes)).T)
    size = float(np.linalg.norm(zero.slope))
    begin = zero if start is None else problem.at(np.asfortranarray(start))
    found = minimised(problem, begin, size, SOFTMAX_TOLERANCE, lambda at: _preconditioner(problem, at))
    left = float(np.linalg.norm(found.slope))
    if left <= SOFTMAX_TOLERANCE * size:
        return np.ascontiguousarray(found.weights)
    raise SolverError(
        f"softmax regression is at a gradient of {left:.3g}, expected {SOFTMAX_TOLERANCE * size:.3g}; scale the features"
        " to similar ranges, or choose a smaller --C"
    )


def _problem(x: AnyRows, labels: np.ndarray, classes: int, C: float, relabeled: np.ndarray) -> Problem | BlockProblem:
    """The problem of a fit, in memory or in blocks."""
    if in_memory(x):
        largest_feature(x)
        return Problem(x, labels, classes, C, relabeled)
    rows = in_blocks(x)
    return BlockProblem(rows, as_row_vector(rows, labels), classes, C, as_row_vector(rows, relabeled))


def _preconditioner(problem: Problem | BlockProblem, point: FitPoint) -> Preconditioner:
    """A matrix near the Hessian at a point."""
    if isinstance(problem, BlockProblem):
        return block_preconditioner(problem.x, point.weights, problem.C)
    return softmax_preconditioner(problem.x, softmax(point.logits), problem.C)


def minimised(
    problem: Smooth, point: FitPoint, size: float, tolerance: float, preconditioner: Callable[[FitPoint], Preconditioner]
) -> FitPoint:
    """The first point with |grad J| <= tolerance size, or where no step makes J fall or there were too many of them.

    By Newton steps, each as good as is worth its time (Dembo, Eisenstat and Steihaug 1982). size: |grad J| at zero.
    """
    parts, spent = None, 0
    for _ in range(SOFTMAX_STEPS):
        left = float(np.linalg.norm(point.slope)) / (size or 1.0)
        if left <= tolerance:
            break
        if parts is None or spent >= REMADE * parts.worth:
            parts, spent = preconditioner(point), 0
        rtol = max(min(FAR_STEP_RTOL, np.sqrt(left)), SPARE * tolerance / left)
        step = _newton_step(problem.hvp(point), point.slope, parts.solve, rtol)
        spent += step.iterations
        moved = _moved(problem, point, step.matrix)
        if moved is None:
            break
        point = moved
    return point


def _newton_step(product: Product, slope: np.ndarray, precondition: Product, rtol: float) -> DescentStep:
    """Nearly H^-1 grad J, by conjugate gradients that end where R's curvature, which is negative, outweighs the rest."""
    classes = len(slope)
    product, precondition = by_columns(product, classes), by_columns(precondition, classes)
    residual = slope.T.flatten()
    solution, direction, rho, bound = np.zeros_like(residual), np.zeros_like(residual), 1.0, rtol * np.linalg.norm(residual)
    for iteration in range(1, STEP_ITERATIONS + 1):
        preconditioned = precondition(residual)
        rho, previous = float(residual @ preconditioned), rho
        direction *= rho / previous
        direction += preconditioned
        image = product(direction)
        curvature = float(direction @ image)
        if not curvature > 0:
            solution = solution if iteration > 1 else direction
            break
        solution += rho / curvature * direction
        residual -= rho / curvature * image
        if np.linalg.norm(residual) <= bound:
            break
    return DescentStep(solution.reshape(-1, classes).T, iteration)


def _moved(problem: Smooth, point: FitPoint, step: np.ndarray) -> FitPoint | None:
    """The point after the step, or after the first of its halves that makes J fall; None if none does.

    Where J's rounding hides its fall, the slopes have to tell (Hager and Zhang 2005).
    """
    size, promised = 1.0, float((point.slope * step).sum())
    while size > SHORTEST_SOFTMAX_STEP:
        moved = problem.at(point.weights - size * step)
        if moved.value <= point.value - LEAST_DESCENT * size * promised:
            return moved
        level = moved.value <= point.value + LOSS_ROUNDING * abs(point.value)
        if level and -(moved.slope * step).sum() <= (1 - 2 * LEAST_DESCENT) * promised:
            return moved
        size /= 2
    return None

"""Solvers of H u = v that are given H as a function, and return only when a stated inequality holds."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

RTOL = 1e-8  # of |v - H u| / |v|
SCALE = "scale the features to similar ranges"  # what to do where conjugate gradients fail
STALLED = 0.5  # a restart that does not bring the true residual below this share of it is the last
Product = Callable[[np.ndarray], np.ndarray]


NOT_POSITIVE = (
    "conjugate gradients met curvature {curvature:.3g} after {iteration} iterations, expected a number above 0: the Hessian is not"
    " positive definite, or the features are too large; "
)


class SolverError(Exception):
    """An iteration that cannot reach its inequality: the message names the residual, the number of iterations and a remedy."""


class Solution(NamedTuple):
    """u with |v - H u| <= rtol |v|."""

    vector: np.ndarray  # (d,)
    residual: float  # |v - H u| / |v|, computed from u; 0 where v = 0
    iterations: int


def conjugate_gradient(
    product: Product,
    vector: np.ndarray,
    preconditioner: Product,
    rtol: float = RTOL,
    max_iterations: int | None = None,
    remedy: str = SCALE,
) -> Solution:
    """Solve H u = v for a symmetric positive definite H by preconditioned conjugate gradients (Hestenes and Stiefel 1952).

    product: u -> H u. vector: v (d,). preconditioner: r -> M^-1 r for a positive definite M near H. max_iterations: 10 d, at least
    100, if None. remedy: what an error says to do. Where the recurrence's residual passes the test, the true one, v - H u, decides;
    where rounding has driven the two apart, the iteration starts again from u, until that no longer helps. Raises `SolverError` on
    negative curvature (H is not positive definite), a value that is not finite, or no convergence.
    """
    size = float(np.linalg.norm(vector))
    limit = max(100, 10 * len(vector)) if max_iterations is None else max_iterations
    solution, residual = np.zeros_like(vector, dtype=float), vector.astype(float)
    direction, rho, before = np.zeros_like(solution), 1.0, np.inf  # before: the true residual at the last restart
    for iteration in range(limit + 1):
        if np.linalg.norm(residual) <= rtol * size < np.inf:  # |v| may overflow where v does not
            residual = vector - product(solution)
            reached = float(np.linalg.norm(residual))
            if reached <= rtol * size:
                return Solution(solution, reached / (size or 1.0), iteration)
            if not reached < STALLED * before:
                raise SolverError(_too_far(reached / size, iteration, rtol, "rounding allows no less; ") + remedy)
            direction, before = np.zeros_like(solution), reached
        if iteration == limit:
            break
        preconditioned = preconditioner(residual)
        rho, previous = float(residual @ preconditioned), rho
        direction = preconditioned + rho / previous * direction
        image = product(direction)
        curvature = float(direction @ image)
        if not (rho > 0 and 0 < curvature < np.inf):  # an infinite rho makes the curvature infinite or NaN
            raise SolverError(NOT_POSITIVE.format(curvature=curvature, iteration=iteration) + remedy)
        solution = solution + rho / curvature * direction
        residual = residual - rho / curvature * image
    raise SolverError(_too_far(float(np.linalg.norm(residual)) / size, limit, rtol) + remedy)


def _too_far(residual: float, iterations: int, rtol: float, why: str = "") -> str:
    return (
        f"conjugate gradients are at a relative residual of {residual:.3g} after {iterations} iterations, expected {rtol:.3g} or"
        f" less; {why}"
    )

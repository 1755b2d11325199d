"""Solvers of H u = v that are given H as a function, and return only when a stated inequality holds."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

RTOL = 1e-8  # of |v - H u| / |v|
Product = Callable[[np.ndarray], np.ndarray]


SCALE = "scale the features to a like size"  # what to do where conjugate gradients fail
STALLED = 0.5  # of the true residual: a restart that brings it down by less than that is the last


class SolverError(Exception):
    """An iteration that cannot reach its inequality: the message has the residual, the count and a remedy."""


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

    product: u -> H u. vector: v (d,). preconditioner: r -> M^-1 r for a positive definite M near H.
    The recurrence's residual starts the test, the true one, v - H u, decides it; where rounding has driven the two apart the
    iteration starts anew from u, and ends where that no longer helps. max_iterations: 10 d, and no fewer than 100, if None.
    remedy: what an error says to do.

    Raises `SolverError` on negative curvature (H is not positive definite), a value that is not finite, or no convergence.
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
                raise SolverError(
                    f"conjugate gradients stay at a relative residual of {reached / size:.3g} after {iteration} iterations,"
                    f" expected {rtol:.3g}: rounding is larger than that; {remedy}"
                )
            direction, before = np.zeros_like(solution), reached
        if iteration == limit:
            break
        preconditioned = preconditioner(residual)
        rho, previous = float(residual @ preconditioned), rho
        direction = preconditioned + rho / previous * direction
        image = product(direction)
        curvature = float(direction @ image)
        if not (rho > 0 and 0 < curvature < np.inf):  # an endless rho makes the curvature endless or NaN
            raise _not_positive_definite(curvature, iteration, remedy)
        step = rho / curvature
        solution = solution + step * direction
        residual = residual - step * image
    raise SolverError(
        f"conjugate gradients are at a relative residual of {np.linalg.norm(residual) / size:.3g} after {limit} iterations,"
        f" expected {rtol:.3g}; {remedy}"
    )


def _not_positive_definite(curvature: float, iteration: int, remedy: str) -> SolverError:
    return SolverError(
        f"conjugate gradients met curvature {curvature:.3g} after {iteration} iterations, expected a number above 0:"
        f" the Hessian is not positive definite, or the features are too large; {remedy}"
    )

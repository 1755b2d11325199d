"""LiSSA: H^-1 v from products with samples of H alone (Agarwal et al. 2017; for influence Koh and Liang 2017)."""

import itertools
from collections.abc import Iterator

import numpy as np

from influence.solvers import Product, Solution, SolverError

MARGIN = 2.0  # scale / H's largest eigenvalue: a sample of H has a larger one
PASSES = 512  # over the samples, at most
DIVERGED = 10.0  # relative residual at which to give up; u = 0 has 1


def lissa(
    product: Product,
    sampled: Iterator[Product],
    vector: np.ndarray,
    largest: float,
    steps: int,
    rtol: float,
    remedy: str,
    effect: Product | None = None,
) -> Solution:
    """Solve H u = v by u <- u + (v - H_t u) / scale, with H_t samples of H and scale twice H's largest eigenvalue.

    The answer is the mean of the iterates since the last test, which comes after 1, 2, 4, ... passes and takes one product with
    H itself. product: u -> H u. sampled: products with random matrices whose expectation is H. vector: v (d,). steps: samples
    a pass. remedy: what an error says to do. effect: what u is for, E(u); a small residual does not bound its error. Returns with
    |v - H u| <= rtol |v| and, of an effect, |E(u) - E(u')| <= rtol |E(u)|, u' the mean at the test before; else raises
    `SolverError`, also where the iteration diverges.
    """
    scale, size = MARGIN * largest, float(np.linalg.norm(vector))
    current, residual, change, before = np.zeros_like(vector, dtype=float), 1.0, 0.0, None
    for passes in _doubling():
        total, count = np.zeros_like(current), steps * max(1, passes // 2)
        for sample in itertools.islice(sampled, count):
            current += (vector - sample(current)) / scale
            total += current
        mean = total / count
        residual = float(np.linalg.norm(vector - product(mean))) / (size or 1.0)
        if effect is not None:
            now = effect(mean)
            change = np.inf if before is None else float(np.linalg.norm(now - before)) / (float(np.linalg.norm(now)) or 1.0)
            before = now
        if residual <= rtol and change <= rtol:
            return Solution(mean, residual, passes * steps)
        if not residual < DIVERGED:
            raise SolverError(f"LiSSA diverges, to a relative residual of {residual:.3g} after {passes} passes; {remedy}")
    changing = f", its effect still changes by {change:.3g}" if change > rtol else ""
    raise SolverError(
        f"LiSSA is at a relative residual of {residual:.3g} after {PASSES} passes{changing}, expected {rtol:.3g}; {remedy}"
    )


def _doubling() -> Iterator[int]:
    """1, 2, 4, ... `PASSES`."""
    passes = 1
    while passes <= PASSES:
        yield passes
        passes *= 2

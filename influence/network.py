"""Influence in a network trained with cross-entropy, by the Gauss-Newton matrix: one solve for all samples and labels.

torch. The network is taken as it evaluates (batch norm by its running statistics, no dropout), so that nothing depends on how the
data is batched. With J_i the derivative of sample i's logits in the parameters and B_i = diag(p_i) - p_i p_i^T,

    H = sum_i J_i^T B_i J_i + damping I

is the Hessian of the summed training loss without the network's own curvature, positive definite with any damping.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, jvp, vjp
from torch.nn.functional import one_hot

from influence.softmax import LabelInfluence, along_labels
from influence.solvers import Product, Solution, SolverError, conjugate_gradient

DAMPING = 1e-3  # of the largest eigenvalue of the Gauss-Newton matrix, where none is given
POWER_ITERATIONS = 20
RTOL = 1e-4  # float32 networks: what their products can be solved to
BATCH = 1_000


Logits: TypeAlias = Callable[[dict[str, Tensor]], Tensor]  # parameters -> logits (n, K)


class Labelled(NamedTuple):
    """Samples and their labels, on the network's device."""

    x: Tensor  # (n, ...)
    labels: Tensor  # (n,) integers below K


class NetworkInfluence(NamedTuple):
    """What each training sample and label does to the summed validation loss."""

    scores: LabelInfluence  # to first order the loss changes by -phi when a sample is removed, by eta when R relabels it
    damping: float
    largest: float  # estimate of the largest eigenvalue of the Gauss-Newton matrix


def network_influence(
    network: nn.Module,
    train: Labelled,
    validation: Labelled,
    damping: float | None = None,
    rtol: float = RTOL,
    batch: int = BATCH,
) -> NetworkInfluence:
    """Influence of every training sample and of every label on the summed validation loss (Koh and Liang 2017; Kong et al. 2022).

        u = H^-1 sum_{j in Q} grad l_j,   Phi_i = - grad l_i^T u,   eta_i(k) = (J_i u)_k - (J_i u)_{y_i}

    damping: in the unit of H's eigenvalues, 1e-3 of the largest if None. Raises `SolverError` where the solve does not get to
    `rtol`. The network is not changed.
    """
    mode, parts = network.training, Parameters(network)
    network.eval()
    try:
        gauss_newton = gauss_newton_product(parts, train.x, batch)
        largest = largest_eigenvalue(gauss_newton, parts.size)
        added = DAMPING * largest if damping is None else damping
        target = loss_gradient(parts, validation, batch)
        solution = _solve(lambda vector: gauss_newton(vector) + added * vector, target, rtol)
        direction = parts.split(solution.vector)
        rows = [_along(parts.logits(x), parts, direction) for x in train.x.split(batch)]
    finally:
        network.train(mode)
    logits, along = (torch.cat(column).double().cpu().numpy() for column in zip(*rows, strict=True))
    return NetworkInfluence(along_labels(along, logits, train.labels.cpu().numpy(), solution), added, largest)


def _solve(product: Product, target: np.ndarray, rtol: float) -> Solution:
    try:
        return conjugate_gradient(product, target, lambda residual: residual, rtol)
    except SolverError as error:
        raise SolverError(f"{error}; a larger damping makes it easier") from error


class Parameters:
    """A network's trainable parameters as one float64 vector, and its logits as a function of them."""

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self.values = {name: value.detach() for name, value in network.named_parameters() if value.requires_grad}
        self.size = sum(value.numel() for value in self.values.values())

    def split(self, vector: np.ndarray) -> dict[str, Tensor]:
        """The vector (size,) in the parameters' shapes, on their device."""
        first = next(iter(self.values.values()))
        whole = torch.from_numpy(vector).to(first.device, first.dtype)
        pieces = whole.split([value.numel() for value in self.values.values()])
        return {name: piece.view_as(value) for (name, value), piece in zip(self.values.items(), pieces, strict=True)}

    @staticmethod
    def join(values: dict[str, Tensor]) -> np.ndarray:
        """The other way."""
        return torch.cat([value.reshape(-1) for value in values.values()]).double().cpu().numpy()

    def logits(self, x: Tensor) -> Logits:
        """parameters -> logits (n, K) of the samples x (n, ...)."""
        return lambda values: functional_call(self._network, values, (x,))


def gauss_newton_product(parts: Parameters, x: Tensor, batch: int = BATCH) -> Product:
    """v -> sum_i J_i^T B_i J_i v, (size,) to (size,): one forward-mode and one reverse-mode product a batch of samples."""

    def product(vector: np.ndarray) -> np.ndarray:
        direction, total = parts.split(vector), np.zeros(parts.size)
        for rows in x.split(batch):
            function = parts.logits(rows)
            logits, along = _along(function, parts, direction)
            p = logits.softmax(1)
            pulled = p * (along - (p * along).sum(1, keepdim=True))
            total += _pulled(function, parts, pulled)
        return total

    return product


def loss_gradient(parts: Parameters, data: Labelled, batch: int = BATCH) -> np.ndarray:
    """sum_i grad l_i, (size,)."""
    total = np.zeros(parts.size)
    for x, labels in zip(data.x.split(batch), data.labels.split(batch), strict=True):
        function = parts.logits(x)
        with torch.no_grad():
            logits = function(parts.values)
        slope = logits.softmax(1) - one_hot(labels, logits.shape[1]).to(logits)
        total += _pulled(function, parts, slope)
    return total


def _along(function: Logits, parts: Parameters, direction: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Logits and their derivative in a direction of the parameters, (b, K) both."""
    logits, along = jvp(function, (parts.values,), (direction,))[:2]
    return logits, along


def _pulled(function: Logits, parts: Parameters, slope: Tensor) -> np.ndarray:
    """sum_i J_i^T s_i, (size,). slope: s (b, K)."""
    pull = vjp(function, parts.values)[1]
    return parts.join(pull(slope)[0])


def largest_eigenvalue(product: Product, size: int) -> float:
    """The largest eigenvalue of a positive semidefinite product, from below, by power iterations from a fixed start."""
    vector = np.random.default_rng(0).standard_normal(size)
    value = 0.0
    for _ in range(POWER_ITERATIONS):
        vector = product(vector / np.linalg.norm(vector))
        value = float(np.linalg.norm(vector))
        if not value:
            break
    return value

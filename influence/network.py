"""Influence in a network trained with cross-entropy: one solve for all samples and labels (Koh and Liang 2017).

In torch. The network is in evaluation mode (batch norm by its running statistics, no dropout), so that nothing depends on how the
data is batched. With J_i the derivative of sample i's logits in the parameters and B_i = diag(p_i) - p_i p_i^T, the curvature is

    gauss-newton:  H = sum_i J_i^T B_i J_i + damping I           positive definite: second derivatives of the logits are left out
    hessian:       H = sum_i d^2 l_i / d theta^2 + damping I     of the summed loss and a penalty; positive definite at a minimum
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NamedTuple, TypeAlias, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jvp, vjp
from torch.nn.functional import cross_entropy, one_hot

from influence.lissa import lissa
from influence.softmax import LabelInfluence, along_labels
from influence.solvers import Product, Solution, SolverError, conjugate_gradient

DAMPINGS = (0.1, 0.03, 0.01, 0.003, 0.001)  # over the largest eigenvalue of the curvature, as `chosen_damping` tries them
LEAST_CHOOSING, CHOOSING_ROWS = 20, 1_000  # validation rows, with fewer the first is taken; and training rows in H, at most
CHOOSING_RTOL = 1e-3  # of the solves for it, of which the order of Phi is used
POWER_ITERATIONS, POWER_ROWS = 20, 4_096  # on at most that many samples: they determine the largest eigenvalue well
BATCH = 1_000

Curvature = Literal["gauss-newton", "hessian"]
CURVATURES: tuple[Curvature, ...] = ("gauss-newton", "hessian")
NetworkSolver = Literal["cg", "lissa"]
NETWORK_SOLVERS: tuple[NetworkSolver, ...] = ("cg", "lissa")
# |v - H u| / |v|: as small as the rounding of float32 products (cg) and the sampling noise (lissa) allow.
RTOLS: dict[NetworkSolver, float] = {"cg": 1e-4, "lissa": 0.1}

Logits: TypeAlias = Callable[[dict[str, Tensor]], Tensor]  # parameters -> logits (n, K)


class LabelledTensors(NamedTuple):
    """Samples and their labels, on the network's device."""

    x: Tensor  # (n, ...)
    labels: Tensor  # (n,) integers below K

    def batches(self, size: int) -> Iterator["LabelledTensors"]:
        """The samples in order, `size` at a time."""
        return map(LabelledTensors, self.x.split(size), self.labels.split(size))


class NetworkInfluence(NamedTuple):
    """What each training sample and label does to the summed validation loss."""

    scores: LabelInfluence  # to first order the loss changes by -phi when a sample is removed, by eta when R relabels it
    damping: float
    largest: float  # estimate of the largest eigenvalue of the curvature, without damping


def network_influence(
    network: nn.Module,
    train: LabelledTensors,
    validation: LabelledTensors,
    damping: float | None = None,
    rtol: float | None = None,
    batch: int = BATCH,
    curvature: Curvature = "gauss-newton",
    solver: NetworkSolver = "cg",
    seed: int = 0,
) -> NetworkInfluence:
    """Influence of every training sample and of every label on the summed validation loss (Koh and Liang 2017; Kong et al. 2022).

        u = H^-1 sum_{j in Q} grad l_j,   Phi_i = - grad l_i^T u,   eta_i(k) = (J_i u)_k - (J_i u)_{y_i}

    damping: in the unit of H's eigenvalues, `chosen_damping` if None. rtol: of the solve, `RTOLS` of the solver if None.
    batch: samples at a time; it changes LiSSA's draws and no other result. seed: of those draws. The network is not changed.
    Its layers must support forward-mode derivatives in torch; LSTM and TransformerEncoderLayer do not. Raises `ValueError` for
    arguments that cannot be used, `SolverError` where the solve does not get to `rtol`.
    """
    modes, parts = {module: module.training for module in network.modules()}, Parameters(network)
    network.eval()
    try:
        check(network, train, validation)
        allowed = damping is None or 0 < damping < np.inf
        if curvature not in CURVATURES or solver not in NETWORK_SOLVERS or batch < 1 or not allowed:
            raise ValueError(
                f"{curvature=}, {solver=}, {batch=}, {damping=}: expected a curvature of {CURVATURES}, a solver of"
                f" {NETWORK_SOLVERS}, a batch of 1 or more and a damping above 0 (or None)"
            )
        few = thinned(train, POWER_ROWS)
        largest = largest_eigenvalue(curvature_product(parts, few, batch, curvature), parts.size) * len(train.x) / len(few.x)
        added = chosen_damping(parts, train, validation, batch, curvature) * largest if damping is None else damping
        target = summed_gradient(parts, validation, batch)
        problem = Damped(parts, train, batch, curvature, added)
        solution = problem.solve(target, solver, RTOLS[solver] if rtol is None else rtol, largest + added, seed)
        logits, along = parts.along(train.x, solution.vector, batch)
    finally:
        for module, mode in modes.items():
            module.training = mode
    return NetworkInfluence(along_labels(along, logits, train.labels.cpu().numpy(), solution), added, largest)


def check(network: nn.Module, train: LabelledTensors, validation: LabelledTensors) -> None:
    """Raise `ValueError` for a network or data that `network_influence` cannot use."""
    if not any(value.requires_grad for value in network.parameters()):
        raise ValueError("network: no parameter is trainable, expected one or more with requires_grad")
    with torch.no_grad():
        classes = network(train.x[:1]).shape[-1] if len(train.x) else 0
    for name, (x, labels) in (("train", train), ("validation", validation)):
        if not len(x) or len(x) != len(labels):
            raise ValueError(f"{name}: has {len(x)} samples and {len(labels)} labels, expected equally many, and at least one")
        if labels.dtype != torch.int64:
            raise ValueError(f"{name}: has labels of {labels.dtype}, expected torch.int64")
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= max(2, classes):
            raise ValueError(f"{name}: has labels from {low} to {high}, expected 0 to {classes - 1}, for {classes} logits")
    if classes < 2:
        raise ValueError(f"network: gives {classes} logits a sample, expected one for each of 2 or more classes")


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
        """The inverse of `split`: values in the parameters' shapes as one vector (size,)."""
        return torch.cat([value.reshape(-1) for value in values.values()]).double().cpu().numpy()

    def logits(self, x: Tensor) -> Logits:
        """parameters -> logits (n, K) of the samples x (n, ...)."""
        return lambda values: functional_call(self._network, values, (x,))

    def along(self, x: Tensor, vector: np.ndarray, batch: int) -> tuple[np.ndarray, np.ndarray]:
        """Logits of the samples x (n, ...), and their derivatives along the vector (size,), (n, K) each, float64."""
        direction = self.split(vector)
        rows = [jvp(self.logits(some), (self.values,), (direction,))[:2] for some in x.split(batch)]
        logits, along = (torch.cat(column).double().cpu().numpy() for column in zip(*rows, strict=True))
        return logits, along


class Damped(NamedTuple):
    """H = curvature + damping I, and its inverse by one of two solvers."""

    parts: Parameters
    train: LabelledTensors
    batch: int
    curvature: Curvature
    damping: float

    def solve(self, target: np.ndarray, solver: NetworkSolver, rtol: float, scale: float, seed: int) -> Solution:
        """u with |v - H u| <= rtol |v|; by LiSSA also with a Phi that no longer changes. scale: H's largest eigenvalue.

        Raises `SolverError`.
        """
        product, remedy = self._product(self.train), f"scale the features, or give a larger --damping than {self.damping:.3g}"
        if solver == "cg":
            return conjugate_gradient(product, target, lambda residual: residual, rtol, remedy=remedy)
        return lissa(product, self._sampled(seed), target, scale, self._batches(), rtol, remedy, self._phi)

    def _phi(self, vector: np.ndarray) -> np.ndarray:
        """Phi of some training samples, by u = vector."""
        few, direction = thinned(self.train, POWER_ROWS), self.parts.split(vector)
        rows = [(jvp(self.parts.logits(x), (self.parts.values,), (direction,))[:2], y) for x, y in few.batches(self.batch)]
        slopes = [(logits.softmax(1) - one_hot(y, logits.shape[1])) * along for (logits, along), y in rows]
        return -torch.cat(slopes).sum(1).double().cpu().numpy()

    def separation(self, own: LabelledTensors, other: LabelledTensors) -> float:
        """Area under the ROC curve of Phi of the other rows' wrong labels over their right ones, by u of the own rows."""
        from sklearn.metrics import roc_auc_score

        solution = self.solve(summed_gradient(self.parts, own, self.batch), "cg", CHOOSING_RTOL, 0.0, 0)
        logits, along = self.parts.along(other.x, solution.vector, self.batch)
        labels = other.labels.cpu().numpy()
        scores = along_labels(along, logits, labels, solution)
        phi = scores.phi[:, None] + scores.eta_labels  # of every label
        wrong = ~np.eye(phi.shape[1], dtype=bool)[labels]
        return float(roc_auc_score(wrong.ravel(), phi.ravel()))

    def _batches(self) -> int:
        return -(-len(self.train.labels) // self.batch)

    def _product(self, data: LabelledTensors, weight: float = 1.0) -> Product:
        undamped = curvature_product(self.parts, data, self.batch, self.curvature)
        return lambda vector: weight * undamped(vector) + self.damping * vector

    def _sampled(self, seed: int) -> Iterator[Product]:
        """Products with H estimated from one random batch each: the batches are independent, and the expectation is H."""
        rng, n = np.random.default_rng(seed), len(self.train.labels)
        size = min(self.batch, n)
        while True:
            rows = torch.from_numpy(rng.choice(n, size, replace=False, shuffle=False)).to(self.train.labels.device)
            yield self._product(LabelledTensors(self.train.x[rows], self.train.labels[rows]), n / size)


def chosen_damping(
    parts: Parameters, train: LabelledTensors, validation: LabelledTensors, batch: int, curvature: Curvature
) -> float:
    """The damping, over H's largest eigenvalue, with which Phi tells right labels from wrong ones best, on held-out rows.

    One half of the validation rows gives u, and each label of the other half's rows its Phi; the first of these labels is right.
    What counts is the area under the ROC curve, the mean over both halves. It is tried from the largest damping on until it falls.
    """
    best, separation = DAMPINGS[0], 0.0
    if len(validation.labels) < LEAST_CHOOSING:
        return best
    few = thinned(train, CHOOSING_ROWS)
    largest = largest_eigenvalue(curvature_product(parts, few, batch, curvature), parts.size)
    halves = [LabelledTensors(validation.x[start::2], validation.labels[start::2]) for start in (0, 1)]
    for share in DAMPINGS:
        damped = Damped(parts, few, batch, curvature, share * largest)
        try:
            found = np.mean([damped.separation(own, other) for own, other in (halves, halves[::-1])])
        except SolverError:  # H is not positive definite, or nearly so
            break
        if found <= separation:
            break
        best, separation = share, float(found)
    return best


def thinned(data: LabelledTensors, most: int) -> LabelledTensors:
    """Every k-th sample, with the least k that leaves at most so many."""
    step = -(-len(data.labels) // most)
    return LabelledTensors(data.x[::step], data.labels[::step])


def curvature_product(
    parts: Parameters, data: LabelledTensors, batch: int = BATCH, curvature: Curvature = "gauss-newton"
) -> Product:
    """v -> H v without the damping, (size,) to (size,)."""
    of_batch = gauss_newton_of_batch if curvature == "gauss-newton" else hessian_of_batch

    def product(vector: np.ndarray) -> np.ndarray:
        direction = parts.split(vector)
        return _summed(parts, (of_batch(parts, part, direction) for part in data.batches(batch)))

    return product


def gauss_newton_of_batch(parts: Parameters, data: LabelledTensors, direction: dict[str, Tensor]) -> dict[str, Tensor]:
    """sum_i J_i^T B_i J_i v over a batch: the logits' derivative along v and their pull back, from one pass."""
    both = vjp(lambda values: jvp(parts.logits(data.x), (values,), (direction,)), parts.values, has_aux=True)
    logits, pull, along = cast("tuple[Tensor, Callable[[Tensor], Any], Tensor]", both)
    p = logits.softmax(1)
    return pull(p * (along - (p * along).sum(1, keepdim=True)))[0]


def hessian_of_batch(parts: Parameters, data: LabelledTensors, direction: dict[str, Tensor]) -> dict[str, Tensor]:
    """sum_i (d^2 l_i / d theta^2) v over a batch: the gradient's derivative along v."""

    def loss(values: dict[str, Tensor]) -> Tensor:
        return cross_entropy(parts.logits(data.x)(values), data.labels, reduction="sum")

    return jvp(grad(loss), (parts.values,), (direction,))[1]


def summed_gradient(parts: Parameters, data: LabelledTensors, batch: int = BATCH) -> np.ndarray:
    """sum_i grad l_i, (size,)."""
    return _summed(parts, (_gradient_of_batch(parts, part) for part in data.batches(batch)))


def _gradient_of_batch(parts: Parameters, data: LabelledTensors) -> dict[str, Tensor]:
    logits, pull = vjp(parts.logits(data.x), parts.values)[:2]
    return pull(logits.softmax(1) - one_hot(data.labels, logits.shape[1]).to(logits))[0]


def _summed(parts: Parameters, pieces: Iterable[dict[str, Tensor]]) -> np.ndarray:
    total = np.zeros(parts.size)
    for piece in pieces:
        total += parts.join(piece)
    return total


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

"""Networks for RDIA: trained on the labels as given, on R's loss or on changed labels; and the influence of every label."""

import math
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from influence.logistic import Matrix
from influence.network import LabelledTensors, NetworkSolver, network_influence
from models.architectures import DOWNSAMPLED, build
from models.logistic_regression import largest_feature
from models.model import Scores
from models.progress import ProgressBar
from models.robust_loss import relabeled_losses
from models.settings import Network
from models.training import BETAS, EVALUATION_BATCH

LARGEST_ROWS = 2**34  # bytes of all rows together


class Fitting(NamedTuple):
    """How a network is fitted: Adam, at a rate that falls linearly to 0."""

    n_epoch: int = 10
    least_steps: int = 300  # small data sets get as many epochs as this many steps take
    lr: float = 1e-3
    batch_size: int = 128


class NetworkModel(NamedTuple):
    """A network for pictures of one shape, fitted from the same start and in the same order whatever the labels."""

    classes: int
    # Of one picture, (h, w), (h, w, channels) or (channels, h, w), channels 1 or 3; (d,) if the rows are not pictures.
    shape: tuple[int, ...]
    network: Network
    start_seed: int
    order_seed: int  # also of LiSSA's draws
    device: torch.device
    solver: NetworkSolver = "cg"
    damping: float | None = None  # None: by the curvature's largest eigenvalue
    fitting: Fitting = Fitting()
    quiet: bool = True

    def inputs(self, x: Matrix) -> Tensor:
        """(n, channels, height, width) float32 on the device. Raises `SolverError` for features that are too large."""
        largest_feature(x)
        dense = (x.toarray() if sp.issparse(x) else x).astype(np.float32)
        return channels_first(torch.from_numpy(dense), self.shape).to(self.device)

    def start(self, x: Tensor) -> nn.Module:
        """The network before it is fitted, from `start_seed`. x: as `inputs` returns it."""
        _, channels, height, width = x.shape
        return build(self.network, (channels, height, width), self.classes, self.start_seed).to(self.device)

    def fit(self, x: Tensor, labels: np.ndarray, relabeled: np.ndarray | None = None) -> nn.Module:
        """A network trained on the mean loss: cross-entropy, or -ln(1 - phi_m) for the relabeled samples."""
        network = self.start(x)
        given = torch.from_numpy(labels).to(self.device)
        changed = None if relabeled is None else torch.from_numpy(relabeled).to(self.device)
        return fit_network(network, x, given, changed, self.fitting, self.order_seed, self.quiet)

    def logits(self, x: Tensor, weights: nn.Module) -> np.ndarray:
        """Logits, (n,) for two classes, (n, K) for more, float64."""
        with torch.no_grad():
            logits = torch.cat([weights(rows) for rows in x.split(EVALUATION_BATCH)]).double().cpu().numpy()
        return logits[:, 1] - logits[:, 0] if self.classes == 2 else logits

    def influence(
        self, x: Tensor, labels: np.ndarray, x_validation: Tensor, labels_validation: np.ndarray, weights: nn.Module
    ) -> Scores:
        """Influence of every training sample and label on the summed validation loss. Raises `SolverError`."""
        train, validation = (
            LabelledTensors(rows, torch.from_numpy(given).to(self.device))
            for rows, given in ((x, labels), (x_validation, labels_validation))
        )
        found = network_influence(weights, train, validation, self.damping, solver=self.solver, seed=self.order_seed)
        scores, best = found.scores, found.scores.eta_labels.argmin(axis=1)
        least = scores.eta_labels.min(axis=1)
        return Scores(scores.phi, scores.eta, best, least, scores.solution.residual, found.damping, found.largest)


def unsuited(network: Network, shape: tuple[int, ...], rows: int) -> str | None:
    """Why a network cannot be used for so many rows of that shape, in words; None if it can."""
    if network == "cnn" and (len(shape) < 2 or sorted(shape)[-2] < DOWNSAMPLED):
        return f"needs pictures of {DOWNSAMPLED} by {DOWNSAMPLED} or more, these rows are {' by '.join(map(str, shape))}; use mlp"
    size = 4 * rows * math.prod(shape)
    if size > LARGEST_ROWS:
        return f"needs dense rows, here {size / 2**30:.0f} GiB, expected {LARGEST_ROWS / 2**30:.0f} GiB or less; use linear"
    return None


def channels_first(rows: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Rows as pictures, (n, channels, height, width); rows that are not pictures as (n, 1, 1, d). shape: as in `NetworkModel`."""
    pictures = rows.view(len(rows), *(1,) * (3 - len(shape)), *shape)
    return pictures.permute(0, 3, 1, 2).contiguous() if len(shape) == 3 and shape[-1] in {1, 3} else pictures


def fit_network(
    network: nn.Module,
    x: Tensor,
    labels: Tensor,
    relabeled: Tensor | None,
    fitting: Fitting,
    order_seed: int,
    quiet: bool = True,
) -> nn.Module:
    """Train `network` in place, and return it in evaluation mode; without samples it stays as it is.

    x: (n, ...), labels: (n,), relabeled: (n,) bool, samples that are trained on -ln(1 - phi_m). Batches are drawn without
    replacement, the last partial one of an epoch is dropped.
    """
    size = min(fitting.batch_size, max(1, len(labels)))
    batches = len(labels) // size
    epochs = max(fitting.n_epoch, -(-fitting.least_steps // max(1, batches)))
    optimizer = torch.optim.Adam(network.parameters(), fitting.lr, BETAS, fused=True)
    order = torch.Generator().manual_seed(order_seed)
    network.train()
    with ProgressBar(epochs, "epoch", quiet) as bar:
        for epoch in range(epochs):
            optimizer.param_groups[0]["lr"] = fitting.lr * (1 - epoch / epochs)
            for batch in torch.randperm(len(labels), generator=order).to(x.device).split(size)[:batches]:
                optimizer.zero_grad(set_to_none=True)
                changed = None if relabeled is None else relabeled[batch]
                losses = training_losses(network(x.index_select(0, batch)), labels.index_select(0, batch), changed)
                losses.mean().backward()
                optimizer.step()
            bar.update()
    return network.eval()


def training_losses(logits: Tensor, labels: Tensor, relabeled: Tensor | None) -> Tensor:
    """Cross-entropy, and -ln(1 - phi_m) of the relabeled, in nats, (n,). logits: (n, K), labels: (n,), relabeled: (n,) bool."""
    losses = cross_entropy(logits, labels, reduction="none")
    return losses if relabeled is None else torch.where(relabeled, relabeled_losses(logits, labels), losses)

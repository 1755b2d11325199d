"""The objective of RDIA-LS as a function of logits; finite for any finite logits."""

import math

from torch import Tensor
from torch.nn.functional import cross_entropy, softplus

from models.settings import Objective

LINEAR = 40.0  # above it softplus(x) = x in float64
SMALLEST = 1e-7  # Released: 1 - p_y is clamped to this from below before the logarithm


def relabeled_losses(logits: Tensor, labels: Tensor) -> Tensor:
    """-ln(1 - phi_m), the cross-entropy of a sample that R has relabeled (Kong et al. 2022), in nats, (n,).

    That is logsumexp(all logits) - logsumexp(logits without m) = softplus(z_m - logsumexp(logits without m)), which loses no
    digits where the two are close. logits: (n, K), labels: (n,) the given labels m.
    """
    given = labels.unsqueeze(1)
    others = logits.scatter(1, given, -math.inf).logsumexp(1)
    return softplus(logits.gather(1, given).squeeze(1) - others, threshold=LINEAR)


def clean_loss(logits: Tensor, labels: Tensor, objective: Objective) -> Tensor:
    """Mean cross-entropy of the clean samples, a scalar; 0 where there are none. logits: (n, K), labels: (n,).

    Released: probabilities go into a cross-entropy that takes its own softmax again.
    """
    scores = logits.softmax(1) if objective == "released" else logits
    return cross_entropy(scores, labels, reduction="sum") / max(1, len(labels))


def relabeled_loss(logits: Tensor, labels: Tensor, batch: int, objective: Objective) -> Tensor:
    """Mean of `relabeled_losses`, clamped at -ln 1e-7, a scalar; 0 where there are none.

    Released: the mean is divided by the batch size once more.
    """
    total = relabeled_losses(logits, labels).clamp(max=-math.log(SMALLEST)).sum()
    return total / (max(1, len(labels)) * (batch if objective == "released" else 1))


def rdia_ls_loss(logits: Tensor, labels: Tensor, clean: Tensor, relabeled: Tensor, gamma: float, objective: Objective) -> Tensor:
    """gamma * clean term + (1 - gamma) * relabeled term, a scalar (method: Kong et al. 2022, section on deep models).

    logits: (B, K) and labels: (B,) of a batch; clean, relabeled: places in it; gamma: in [0, 1], weight of the clean term.
    """
    kept = clean_loss(logits[clean], labels[clean], objective)
    changed = relabeled_loss(logits[relabeled], labels[relabeled], len(labels), objective)
    return gamma * kept + (1 - gamma) * changed

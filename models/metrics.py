"""What a classifier of two classes is judged by."""

from typing import NamedTuple

import numpy as np

from models.logistic import sample_losses


class Metrics(NamedTuple):
    """Over the rows of one part."""

    log_loss: float  # mean cross-entropy, nats
    accuracy: float  # share of rows whose logit has the sign of their label; a logit of 0 counts as label 1
    auc: float | None  # area under the ROC curve; None where all rows are of one class


def evaluate(logits: np.ndarray, labels: np.ndarray) -> Metrics:
    """Metrics of logits (n,) against labels (n,) 0 or 1."""
    from sklearn.metrics import roc_auc_score

    both = 0 < labels.sum() < len(labels)
    return Metrics(
        log_loss=float(sample_losses(logits, labels).mean()),
        accuracy=float(np.mean((logits >= 0) == (labels == 1))),
        auc=float(roc_auc_score(labels, logits)) if both else None,
    )


def share(part: np.ndarray, whole: np.ndarray) -> float | None:
    """Share of the samples in `whole` (n,) bool that are in `part` (n,) bool; None where `whole` is empty."""
    return float((part & whole).sum() / whole.sum()) if whole.any() else None

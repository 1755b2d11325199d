"""Log-loss, accuracy and AUC of a classifier."""

from typing import NamedTuple

import numpy as np

from models.logistic_regression import logistic_losses
from models.softmax_regression import softmax_losses


class Metrics(NamedTuple):
    """How well a classifier does on some rows."""

    log_loss: float  # mean cross-entropy, nats
    accuracy: float  # share of rows whose label has the largest logit, the first of equals; of two classes a logit of 0 is label 0
    auc: float | None  # area under the ROC curve; None for rows of one class, and for more than two classes


def evaluate(logits: np.ndarray, labels: np.ndarray) -> Metrics:
    """Metrics of logits, (n,) for two classes and (n, K) for more, against labels (n,) integers."""
    if logits.ndim == 2:
        losses = softmax_losses(logits, labels)
        return Metrics(float(losses.mean()), float(np.mean(logits.argmax(axis=1) == labels)), None)
    from sklearn.metrics import roc_auc_score

    both = 0 < labels.sum() < len(labels)
    return Metrics(
        log_loss=float(logistic_losses(logits, labels).mean()),
        accuracy=float(np.mean((logits > 0) == (labels == 1))),
        auc=float(roc_auc_score(labels, logits)) if both else None,
    )


def share(part: np.ndarray, whole: np.ndarray) -> float | None:
    """Share of the samples in `whole` (n,) bool that are in `part` (n,) bool; None where `whole` is empty."""
    return float((part & whole).sum() / whole.sum()) if whole.any() else None

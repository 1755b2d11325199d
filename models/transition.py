"""Label noise as a matrix T_ij = P(given label j | true class i), applied after the network's softmax."""

import torch
from torch import Tensor, nn

ANCHOR = 0.97  # quantile of phi_i whose sample represents class i, as the largest may be an outlier (Patrini et al. 2017)
SMALLEST_ENTRY = 1e-7  # least entry of T, so that its logarithm is finite


def forward_losses(logits: Tensor, log_transition: Tensor, labels: Tensor) -> Tensor:
    """-ln sum_i phi_i T_iy, the cross-entropy of the labels as given, in nats, (n,): forward correction (Patrini et al. 2017).

    With the true T its expectation is least where phi is the classifier of the true labels. logits: (n, K), log_transition:
    ln T (K, K), labels: (n,) y.
    """
    return -(logits.log_softmax(1) + log_transition[:, labels].T).logsumexp(1)


def anchor_transition(probabilities: Tensor) -> Tensor:
    """T_i = phi(x^i), (K, K), x^i the sample at the 97% quantile of phi_i (Patrini et al. 2017). probabilities: (n, K)."""
    place = max(1, int(ANCHOR * len(probabilities)))
    return probabilities[probabilities.kthvalue(place, dim=0).indices]


def confusion_transition(probabilities: Tensor, labels: Tensor) -> Tensor:
    """T_ij = sum_t phi_i(x_t) [y_t = j] / sum_t phi_i(x_t), (K, K): where learning T starts (Goldberger and Ben-Reuven 2017).

    probabilities: (n, K), labels: (n,).
    """
    sums = torch.zeros_like(probabilities[:1]).repeat(probabilities.shape[1], 1)
    sums = sums.index_add(0, labels, probabilities).T  # (K, K)
    return sums / sums.sum(1, keepdim=True).clamp(min=SMALLEST_ENTRY)


class Transition(nn.Module):
    """ln T, each row a log-softmax of scores, which are learned (S-model) or stay as they were set (forward correction)."""

    def __init__(self, classes: int, learned: bool) -> None:
        super().__init__()
        self.learned = learned
        self.scores = nn.Parameter(torch.zeros(classes, classes), requires_grad=learned)

    def forward(self, _: Tensor) -> Tensor:  # the same for every picture: (K, K)
        return self.scores.log_softmax(1)

    @torch.no_grad()
    def estimate(self, probabilities: Tensor, labels: Tensor) -> None:
        """Set T from a network trained on the labels as given. probabilities: (n, K) of the training set, labels: (n,)."""
        found = confusion_transition(probabilities, labels) if self.learned else anchor_transition(probabilities)
        self.scores.copy_(found.clamp(min=SMALLEST_ENTRY).log())

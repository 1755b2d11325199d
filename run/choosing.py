"""What the trusted rows choose before RDIA-LS trains: candidate runs, each kept in the result directory as it ends."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.telling import Progress
from models.by_trusted import RATE_SHARES, TRUSTED_GAMMAS, Trusted, TrustedLoss, chosen_by_trusted, loss_on_trusted
from models.settings import Settings, with_rate
from models.training import State, Tensors, predict, train
from run.records import Record, append_line, read_lines

CANDIDATE_LINES = "candidates.jsonl"  # in the result directory: a line for each candidate that has been trained


class Choosing(NamedTuple):
    """What candidates are trained on, and where they are kept."""

    data: Tensors
    trusted: Trusted
    started: Callable[[], State]  # the state before the first epoch
    key: Record  # of the run: a kept candidate of another run does not count
    folder: Path | None
    progress: Progress


def choose_settings(choosing: Choosing, settings: Settings, rate: float | None, gamma: bool) -> tuple[Settings, Record]:
    """First the noise rate among shares of the estimated `rate`, if there is one, then gamma, if it is asked for.

    Returns the settings, and a record for --json: what was chosen, and how the network does on the trusted rows.
    """
    rates = [settings] if rate is None else [with_rate(settings, share * rate) for share in RATE_SHARES]
    gammas = TRUSTED_GAMMAS if gamma else (settings.gamma,)
    rates = list(dict.fromkeys(each._replace(gamma=gammas[0]) for each in rates))
    total, done = len(rates) + len(gammas) - 1, 0

    def loss_of(candidate: Settings) -> TrustedLoss:
        nonlocal done
        before, done = done, done + 1
        return _loss_of(choosing, candidate, lambda epoch, of: choosing.progress(before * of + epoch, total * of))

    chosen = chosen_by_trusted(rates, loss_of)
    chosen = chosen_by_trusted([chosen.settings._replace(gamma=value) for value in gammas[1:]], loss_of, chosen)
    found = {"gamma": chosen.settings.gamma, "noise_rate": chosen.settings.forget_rate, "candidates": total}
    losses = chosen.loss.log_losses
    return chosen.settings, {**found, "trusted_rows": len(losses), "wrong": chosen.loss.wrong, "log_loss": float(losses.mean())}


def _loss_of(choosing: Choosing, settings: Settings, progress: Progress) -> TrustedLoss:
    """How the network does on the trusted rows after training with these settings: kept, or made and kept."""
    config = {**choosing.key, **settings._asdict()}
    path = choosing.folder / CANDIDATE_LINES if choosing.folder else None
    for line in read_lines(path) if path else []:
        if line.get("config") == config:
            return TrustedLoss(np.array(line["log_losses"]), line["wrong"])
    state, data, trusted = choosing.started(), choosing.data, choosing.trusted
    for epoch in train(state, data._replace(x_test=data.x[:1], labels_test=data.labels[:1]), settings):
        progress(epoch.epoch + 1, settings.n_epoch)
    p = predict(state.averaged, trusted.x, settings).double().cpu().numpy()
    found = loss_on_trusted(p, trusted.labels.cpu().numpy())
    if path:
        append_line(path, {"config": config, "log_losses": found.log_losses.tolist(), "wrong": found.wrong})
    return found

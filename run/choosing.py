"""What the trusted rows choose before RDIA-LS trains: candidate runs, each kept in the result directory as it ends."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.telling import Progress, silent
from models.by_trusted import RATE_SHARES, TRUSTED_GAMMAS, Trusted, chosen_by_trusted, with_rate
from models.settings import Settings
from models.training import State, Tensors, predict, train
from run.records import Record, append_line, read_lines

CANDIDATE_LINES = "candidates.jsonl"  # in the result directory: a line for each candidate that has been trained
LEAST_LIKELIHOOD = 1e-12  # of a label


class Choosing(NamedTuple):
    """What candidates are trained on, and where they are kept."""

    data: Tensors
    trusted: Trusted
    started: Callable[[], State]  # the state before the first epoch
    key: Record  # of the run: a kept candidate of another run does not count
    folder: Path | None = None
    progress: Progress = silent


def choose_settings(choosing: Choosing, settings: Settings, rate: float | None, gamma: bool) -> tuple[Settings, Record]:
    """First the noise rate among shares of the estimated `rate`, if there is one, then gamma, if it is asked for.

    Returns the settings, and a record for --json: what was chosen, the mean log-loss of the trusted rows, and how many they are.
    """
    rates = [settings] if rate is None else [with_rate(settings, share * rate) for share in RATE_SHARES]
    gammas = TRUSTED_GAMMAS if gamma else (settings.gamma,)
    rates = list(dict.fromkeys(each._replace(gamma=gammas[0]) for each in rates))
    total, done = len(rates) + len(gammas) - 1, 0

    def log_losses(candidate: Settings) -> np.ndarray:
        nonlocal done
        before, done = done, done + 1
        return _log_losses(choosing, candidate, lambda epoch, of: choosing.progress(before * of + epoch, total * of))

    chosen = chosen_by_trusted(rates, log_losses)
    chosen = chosen_by_trusted([chosen.settings._replace(gamma=value) for value in gammas[1:]], log_losses, chosen)
    found = {"gamma": chosen.settings.gamma, "noise_rate": chosen.settings.forget_rate, "candidates": total}
    return chosen.settings, {**found, "trusted_rows": len(chosen.log_losses), "log_loss": float(chosen.log_losses.mean())}


def _log_losses(choosing: Choosing, settings: Settings, progress: Progress) -> np.ndarray:
    """The log-loss of each trusted row after training with these settings, (m,): kept, or made and kept."""
    config = {**choosing.key, **settings._asdict()}
    path = choosing.folder / CANDIDATE_LINES if choosing.folder else None
    for line in read_lines(path) if path else []:
        if line.get("config") == config:
            return np.array(line["log_losses"])
    state, data, trusted = choosing.started(), choosing.data, choosing.trusted
    for epoch in train(state, data._replace(x_test=data.x[:1], labels_test=data.labels[:1]), settings):
        progress(epoch.epoch + 1, settings.n_epoch)
    p = predict(state.averaged, trusted.x, settings).double().gather(1, trusted.labels[:, None])[:, 0]
    found = -np.log(np.maximum(p.cpu().numpy(), LEAST_LIKELIHOOD))
    if path:
        append_line(path, {"config": config, "log_losses": found.tolist()})
    return found

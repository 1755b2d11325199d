"""What a training run shows while it runs: a progress bar, notes, and a warning if a class is lost."""

import logging
from typing import Self

from models.progress import ProgressBar
from models.settings import Settings
from models.training import Epoch
from run.prepare import Prepared
from run.rdia_ls import lost_classes
from run.training_config import LOST_BELOW

PATIENCE = 5  # epochs: a class is reported after it has been lost for so long

log = logging.getLogger(__name__)


class Watch:
    """Called after every epoch. The notes are printed after the first one, when it is clear that the run works."""

    def __init__(self, settings: Settings, quiet: bool, notes: list[str]) -> None:
        self._notes, self._settings = notes, settings
        self._recalls, self._named = list[list[float | None]](), set[int]()
        self._bar = ProgressBar(settings.n_epoch, "epoch", quiet)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def __call__(self, epoch: Epoch, ready: Prepared) -> None:
        if not self._bar.done:
            for note in (*self._notes, *ready.notes):
                log.warning("note: %s", note)
        self._bar.update(epoch.epoch + 1 - self._bar.done, f"test accuracy {epoch.test_accuracy:.2f}%")
        half = self._settings.n_epoch // 2 if self._settings.average else 0  # averaged weights learn late
        if epoch.epoch >= max(half, self._settings.init_epoch):
            self._warn(epoch, ready.classes)

    def preparing(self, what: str, done: int, total: int) -> None:
        """Show how many pictures are read, or how far the estimate of the noise rate is."""
        self._bar.update(0, f"{done:,} of {total:,} {what}")

    def _warn(self, epoch: Epoch, classes: tuple[str, ...]) -> None:
        """Warn once about each class that has been lost for `PATIENCE` epochs."""
        self._recalls.append(epoch.test_recall)
        lost = set(lost_classes(self._recalls[-PATIENCE:])) - self._named if len(self._recalls) >= PATIENCE else set()
        if lost:
            self._named |= lost
            remedy = "suspects say little of it" if self._settings.warmup == "balanced" else "try --warmup balanced"
            names = ", ".join(classes[label] for label in sorted(lost))
            text = "warning: class %s: the test recall was below %g%% in the last %d epochs; %s"
            log.warning(text, names, LOST_BELOW, PATIENCE, remedy)

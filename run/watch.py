"""What a training run says while it goes on: a progress bar, notes, and a warning where a class is lost."""

import logging
import sys
from typing import Self

from tqdm import tqdm

from models.settings import Settings
from models.training import Epoch
from run.prepare import Prepared
from run.rdia_ls import LOST_BELOW, lost_classes

PATIENCE = 5  # epochs after the warm-up before a lost class is named

log = logging.getLogger(__name__)


class Watch:
    """Called with every epoch; the notes are said with the first, which shows that the run goes on."""

    def __init__(self, settings: Settings, quiet: bool, notes: list[str]) -> None:
        self._notes, self._settings = notes, settings
        self._recalls, self._named = list[list[float | None]](), set[int]()
        self._bar = tqdm(total=settings.n_epoch, disable=quiet or not sys.stderr.isatty(), unit="epoch", leave=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def __call__(self, epoch: Epoch, ready: Prepared) -> None:
        if not self._bar.n:
            for note in (*self._notes, *ready.notes):
                log.warning("note: %s", note)
        self._bar.n = epoch.epoch + 1
        self._bar.set_postfix(accuracy=f"{epoch.test_accuracy:.2f}%")
        if epoch.epoch >= self._settings.init_epoch:
            self._warn(epoch, ready.classes)

    def _warn(self, epoch: Epoch, classes: tuple[str, ...]) -> None:
        """Name each class once that has been lost for some epochs."""
        self._recalls.append(epoch.test_recall)
        lost = set(lost_classes(self._recalls[-PATIENCE:])) - self._named if len(self._recalls) >= PATIENCE else set()
        if lost:
            self._named |= lost
            remedy = "" if self._settings.warmup == "balanced" else "; try --warmup balanced"
            names = ", ".join(classes[label] for label in sorted(lost))
            text = "warning: under %g%% of the test samples of class %s are recognised for %d epochs%s"
            log.warning(text, LOST_BELOW, names, PATIENCE, remedy)

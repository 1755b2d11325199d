"""Progress on standard error: a bar on a terminal; elsewhere, such as in a log file, a line every 30 seconds."""

import sys
import time
from typing import Self

from tqdm import tqdm

LOG_SECONDS = 30.0  # between two lines of a log; shorter work writes none


class ProgressBar:
    """How many of `total` units are done. `quiet` shows nothing."""

    def __init__(self, total: int, unit: str, quiet: bool = False, title: str = "") -> None:
        terminal = sys.stderr.isatty()
        self._total, self._unit, self._title, self._note = total, unit, title, ""
        self._bar = tqdm(total=total, unit=unit, desc=title, disable=quiet or not terminal, leave=False)
        self._logs = not quiet and not terminal
        self._begun = self._logged = time.monotonic()
        self.done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def update(self, count: int = 1, note: str = "") -> None:
        """`count` more units are done. note: what else to show, such as an accuracy."""
        self.done, self._note = self.done + count, note
        self._bar.set_postfix_str(note, refresh=not count)
        self._bar.update(count)
        self._log()

    def begin(self, title: str) -> None:
        """Say what is done now."""
        self._title, self._note = title, ""
        self._bar.set_postfix_str("", refresh=False)
        self._bar.set_description(title)
        self._log()

    def close(self) -> None:
        """Take the bar off the terminal."""
        self._bar.close()

    def _log(self) -> None:
        now = time.monotonic()
        if self._logs and now - self._logged >= LOG_SECONDS:
            self._logged = now
            took = tqdm.format_interval(now - self._begun)
            shown = ", ".join(filter(None, (f"{self.done:,} of {self._total:,} {self._unit}s", self._note, f"{took} so far")))
            print(f"{self._title}: {shown}" if self._title else shown, file=sys.stderr, flush=True)

"""The stages of a run: how long each took, and a progress bar while they go on."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from models.progress import ProgressBar


class Stages:
    """`with stages("fit"): ...` times a stage and moves the bar; `quiet` shows no bar.

    A stage that is entered again adds to its seconds.
    """

    def __init__(self, total: int, quiet: bool = True) -> None:
        self.seconds: dict[str, float] = {}
        self.quiet = quiet
        self._bar = ProgressBar(total, "stage", quiet)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        self._bar.begin(name)
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
        self._bar.update()

    def within(self, done: int, total: int) -> None:
        """Show how far the present stage is."""
        self._bar.update(0, f"{done} of {total}")

    def close(self) -> None:
        """Take the bar off the terminal."""
        self._bar.close()

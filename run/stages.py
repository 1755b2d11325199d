"""The stages of a run: how long each took, and a progress bar on standard error while they go on."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm


class Stages:
    """`with stages("fit"): ...` times a stage and moves the bar; the bar shows only on a terminal, and not if `quiet`.

    A stage that is entered again adds to its seconds.
    """

    def __init__(self, total: int, quiet: bool = True) -> None:
        self.seconds: dict[str, float] = {}
        self.quiet = quiet
        self._bar = tqdm(total=total, disable=quiet or not sys.stderr.isatty(), leave=False, unit="stage")

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        self._bar.set_description(name)
        self._bar.set_postfix_str("")
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
        self._bar.update()

    def within(self, done: int, total: int) -> None:
        """Show how far the present stage is."""
        self._bar.set_postfix_str(f"{done} of {total}")

    def close(self) -> None:
        """Take the bar off the terminal."""
        self._bar.close()

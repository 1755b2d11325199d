"""Progress on standard error: a bar on a terminal, elsewhere a line now and then."""

import sys

from tqdm import tqdm

LOG_SECONDS = 30.0  # between two lines where standard error is not a terminal; shorter work prints none
LINE = "{desc} {n_fmt} of {total_fmt}{postfix}, {elapsed} passed, {remaining} left\n"


def progress(total: int, unit: str, quiet: bool = False, title: str = "") -> tqdm:
    """A tqdm bar of so many units; `quiet` shows nothing."""
    if sys.stderr.isatty():
        return tqdm(total=total, desc=title, unit=unit, disable=quiet, leave=False)
    slow = {"mininterval": LOG_SECONDS, "delay": LOG_SECONDS, "bar_format": LINE}
    return tqdm(total=total, desc=title or unit, disable=quiet, leave=False, **slow)

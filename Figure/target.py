"""What a target of `Figure.reproduce` is, and where its tables and pictures go."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from Figure.lines import Run
from Figure.results import Record, write_text
from Figure.tables import paste_into


class Output(NamedTuple):
    """Pictures go into a folder; tables into their places in a README, or, without one, into files of that folder."""

    folder: Path
    readme: Path | None

    def table(self, name: str, text: str) -> None:
        """Put a Markdown table where it belongs."""
        if self.readme:
            paste_into(self.readme, name, text)
        else:
            write_text(self.folder / f"{name}.md", f"{text}\n")

    def picture(self, name: str) -> Path:
        """The path of a picture."""
        return self.folder / f"{name}.png"


class Target(NamedTuple):
    """A table or figure, and the runs that it shows."""

    text: str  # what it is, for --help
    seeds: int  # 1 to this many, unless --seeds says otherwise
    wanted: Callable[[int], list[Run]]  # from the number of seeds
    show: Callable[[list[Record], Output, Path], None]  # from the kept lines of those runs with any seed, by seed

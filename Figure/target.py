"""What a target of `Figure.reproduce` is, and where its tables and pictures go."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from Figure.lines import Run
from Figure.tables import paste_into, place_of
from run.records import Record, write_text

FIGURES = Path(__file__).resolve().parent


class Output(NamedTuple):
    """Pictures go into a folder; tables into their places in the documents, or, in a folder of one's own, into files there."""

    folder: Path
    own: bool

    def table(self, name: str, text: str) -> None:
        """Put a Markdown table where it belongs. Raises `InputError` where no document has a place for it."""
        if self.own:
            write_text(self.folder / f"{name}.md", f"{text}\n")
        else:
            paste_into(place_of(name), name, text)

    def picture(self, name: str) -> Path:
        """The path of a picture."""
        return self.folder / f"{name}.png"


class Target(NamedTuple):
    """A table or figure, and the runs that it shows."""

    text: str  # what it is, for the list of targets
    seeds: int  # 1 to this many, unless --seeds says otherwise
    wanted: Callable[[int], list[Run]]  # from the number of seeds
    show: Callable[[list[Record], Output, Path], None]  # from the kept lines of those runs with any seed, by seed

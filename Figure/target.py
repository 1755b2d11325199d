"""A target of `Figure.reproduce`, and where its tables and pictures go."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from Figure.lines import Run
from Figure.tables import paste_into, place_of
from run.records import ROOT, Record, write_text

FIGURES = Path(__file__).resolve().parent


class Output(NamedTuple):
    """Where tables and pictures go."""

    folder: Path  # of the pictures
    own: bool  # the folder is the user's: tables go into it as files, else into their places in the documents

    def table(self, name: str, text: str) -> None:
        """Write a table, and print where. Raises `InputError` if no document has a place for it, or it cannot be written."""
        path = self.folder / f"{name}.md" if self.own else place_of(name)
        if self.own:
            write_text(path, f"{text}\n")
        else:
            paste_into(path, name, text)
        print(f"{name}: table in {in_clone(path)}")

    def picture(self, name: str) -> Path:
        """The path of a picture, which is printed."""
        path = self.folder / f"{name}.png"
        print(f"{name}: picture {in_clone(path)}")
        return path


def in_clone(path: Path) -> Path:
    """A path relative to the folder of the program, if it lies there."""
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


class Target(NamedTuple):
    """A table or figure, and the runs that it needs."""

    text: str  # for the list of targets
    seeds: int  # 1 to this many, unless --seeds says otherwise
    wanted: Callable[[int], list[Run]]  # takes the number of seeds
    show: Callable[[list[Record], Output, Path], None]  # takes the kept lines of those runs with any seed

"""Result lines that are kept: what has been run is read back, and not run again."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from run.records import Record, append_line, environment, read_lines

KEPT = Path(__file__).resolve().parent / "kept"


def anywhere(_: Path) -> bool:
    """Whatever data is there."""
    return True


class Run(NamedTuple):
    """One run that a target wants: made once, kept as one line."""

    file: str  # it is kept in FILE.jsonl
    config: Record  # everything its numbers depend on but the machine: its key
    make: Callable[[Path], Record]  # from the folder of public data to its numbers; can be pickled
    possible: Callable[[Path], bool] = anywhere  # whether it is to be made here, with that folder


class Store(NamedTuple):
    """A folder of kept lines; one machine of several appends to files of its own, `shard` in their name, and reads all."""

    folder: Path = KEPT
    shard: str = ""

    def read(self, file: str) -> list[Record]:
        """All kept lines of a file and of its shards; of several with one configuration the last."""
        paths = [self.folder / f"{file}.jsonl", *sorted(self.folder.glob(f"{file}.*-of-*.jsonl"))]
        return list(
            {
                config_key(line["config"]): line
                for path in paths
                for line in read_lines(path)
                if isinstance(line.get("config"), dict)
            }.values()
        )

    def append(self, run: Run, record: Record) -> None:
        """Keep what a run gave. Raises `InputError` where the folder cannot be written."""
        path = self.folder / f"{run.file}{self.shard}.jsonl"
        append_line(path, {**environment(), "config": run.config, **record})

    def missing(self, runs: Sequence[Run]) -> list[Run]:
        """The runs that are not kept, each once."""
        kept = {file: {config_key(line["config"]) for line in self.read(file)} for file in {run.file for run in runs}}
        return list({config_key(run.config): run for run in runs if config_key(run.config) not in kept[run.file]}.values())

    def lines(self, runs: Sequence[Run]) -> list[Record]:
        """The kept lines of these runs with any seed, by seed."""
        wanted = {(run.file, config_key(run.config, but="seed")) for run in runs}
        files = sorted({run.file for run in runs})
        found = [line for file in files for line in self.read(file) if (file, config_key(line["config"], but="seed")) in wanted]
        return sorted((line for line in found if type(line["config"].get("seed")) is int), key=lambda line: line["config"]["seed"])


def config_key(config: Record, but: str = "") -> str:
    """A configuration as text, without one of its entries."""
    return json.dumps({name: value for name, value in config.items() if name != but}, sort_keys=True)

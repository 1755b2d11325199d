"""Result lines that are kept: what has been run is read back, and not run again."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from run.records import Record, append_line, environment, read_lines

KEPT_LINES = Path(__file__).resolve().parent / "kept"


def always(_: Path) -> bool:
    """A run that needs no data, or downloads what it needs."""
    return True


class Run(NamedTuple):
    """One run that a target needs: made once, kept as one line."""

    file: str  # it is kept in FILE.jsonl
    config: Record  # everything its numbers depend on but the machine: its key
    make: Callable[[Path], Record]  # takes the folder of public data, returns the numbers; can be pickled
    possible: Callable[[Path], bool] = always  # takes that folder: can the run be made here?

    def record(self, data_dir: Path) -> Record:
        """The numbers, with the versions, commit and device of this process; a device that the run names itself stays."""
        found = self.make(data_dir)
        return {**environment(), **found}


class Shard(NamedTuple):
    """The part of the runs that one machine of several makes."""

    machine: int  # its number, from 1
    machines: int

    def of(self, runs: Sequence[Run]) -> list[Run]:
        """One run in `machines`."""
        return list(runs[self.machine - 1 :: self.machines])


class Store(NamedTuple):
    """A folder of kept lines. One machine of several appends to files of its own, with `shard` in their names, and reads all."""

    folder: Path = KEPT_LINES
    shard: Shard | None = None

    def read(self, file: str) -> list[Record]:
        """All kept lines of a file and of its shards. Of lines with the same configuration the last one counts."""
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
        """Keep the record of a run. Raises `InputError` if the folder cannot be written."""
        part = f".{self.shard.machine}-of-{self.shard.machines}" if self.shard else ""
        append_line(self.folder / f"{run.file}{part}.jsonl", {"config": run.config, **record})

    def missing(self, runs: Sequence[Run]) -> list[Run]:
        """The runs that are not kept yet, each once."""
        kept = {file: {config_key(line["config"]) for line in self.read(file)} for file in {run.file for run in runs}}
        return list({config_key(run.config): run for run in runs if config_key(run.config) not in kept[run.file]}.values())

    def lines(self, runs: Sequence[Run]) -> list[Record]:
        """The kept lines of these runs with any seed, sorted by seed."""
        wanted = {(run.file, config_key(run.config, but="seed")) for run in runs}
        files = sorted({run.file for run in runs})
        found = [line for file in files for line in self.read(file) if (file, config_key(line["config"], but="seed")) in wanted]
        return sorted((line for line in found if type(line["config"].get("seed")) is int), key=lambda line: line["config"]["seed"])


def config_key(config: Record, but: str = "") -> str:
    """A configuration as text. but: the entry to leave out."""
    return json.dumps({name: value for name, value in config.items() if name != but}, sort_keys=True)

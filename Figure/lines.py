"""Result lines kept beside this file: what has been run is read back and not run again."""

import json
from collections.abc import Sequence
from pathlib import Path

from Figure.results import Record

FOLDER = Path(__file__).resolve().parent


def read_lines(path: Path) -> list[Record]:
    """All whole lines of a file of JSON lines; a torn one, left by a kill in mid-write, is passed over."""
    records = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return records


def by_key(records: Sequence[Record], keys: Sequence[str]) -> dict[tuple[object, ...], Record]:
    """Records by the values of some of their fields; the last of several counts."""
    return {tuple(record[key] for key in keys): record for record in records}

"""What holds of every input, tried on those that hypothesis thinks of."""

import argparse
import io
import json
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays, scalar_dtypes, unicode_string_dtypes

from data.arrays import digest, read_arrays
from data.errors import InputError
from data.libsvm import line_ranges, parse_libsvm, pieces, read_range
from data.npz import read_npz
from Figure.lines import read_lines
from run.flags import count, fraction, non_negative, positive, rate, seed, weight
from run.records import append_line

settings.register_profile("here", max_examples=40, deadline=None, derandomize=True)
settings.load_profile("here")

VALUES = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=True)
CELLS = st.dictionaries(st.integers(0, 2**31 - 3), VALUES, max_size=4)
ROWS = st.lists(st.tuples(st.sampled_from(["+1", "-1", "2", "0.5"]), CELLS), min_size=1, max_size=8)


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@given(ROWS, st.sampled_from(["\n", "\r\n"]), st.integers(1, 200), st.integers(1, 7))
def test_libsvm_rows_are_read_as_written_whole_in_pieces_and_in_ranges(
    rows: list[tuple[str, dict[int, float]]], end: str, size: int, count: int
) -> None:
    text = "".join(f"{label} {' '.join(f'{index}:{cells[index]!r}' for index in sorted(cells))}{end}" for label, cells in rows)
    with folder() as place:
        path = place / "a.svm"
        path.write_bytes(text.encode())
        whole = [parse_libsvm(path)]
        ways = [whole, list(pieces(path, size))]
        ways += [[read_range(path, *ends) for ends in line_ranges(path, count)]]
    for parts in ways:
        read = [(label, *row) for part in parts for label, row in zip(part.y, rows_of(part.x), strict=True)]
        assert read == [(float(label), sorted(cells), [cells[index] for index in sorted(cells)]) for label, cells in rows]


def rows_of(x: Any) -> Iterator[tuple[list[int], list[float]]]:
    for i in range(x.shape[0]):
        stored = slice(x.indptr[i], x.indptr[i + 1])
        yield x.indices[stored].tolist(), x.data[stored].tolist()


@given(st.text() | st.floats().map(repr) | st.integers().map(str))
def test_a_value_of_a_flag_is_within_its_range_or_refused(text: str) -> None:
    within = {
        rate: lambda value: 0 <= value < 1,
        fraction: lambda value: 0 <= value <= 1,
        non_negative: lambda value: 0 <= value < math.inf,
        positive: lambda value: 0 < value < math.inf,
        weight: lambda value: 1e-9 <= value <= 1e9,
        count: lambda value: 1 <= value <= 1e9,
        seed: lambda value: value >= 0,
    }
    for read, holds in within.items():
        try:
            value = read(text)
        except argparse.ArgumentTypeError:
            continue
        assert holds(value)


CELL = st.none() | st.integers() | VALUES | st.text(max_size=5) | st.lists(VALUES, max_size=3)
RECORD = st.dictionaries(st.text(max_size=5), CELL)
RECORDS = st.lists(RECORD, max_size=3)


@given(RECORDS, st.binary(max_size=30).filter(lambda tail: b"\n" not in tail and b"\r" not in tail), RECORDS)
def test_no_line_is_lost_beside_a_torn_one(before: list[dict[str, Any]], tail: bytes, after: list[dict[str, Any]]) -> None:
    with folder() as place:
        path = place / "a.jsonl"
        for record in before:
            append_line(path, record)
        with path.open("ab") as file:
            file.write(tail)
        for record in after:
            append_line(path, record)
        read = read_lines(path)
    torn = read[len(before) : len(read) - len(after)]
    assert json.dumps(read[: len(before)] + read[len(read) - len(after) :]) == json.dumps(before + after)
    assert len(torn) <= 1  # a tail that is a record by chance


ANY_ARRAY = arrays(
    scalar_dtypes() | unicode_string_dtypes(), array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4), elements=None
)


@given(st.dictionaries(st.sampled_from(["x_train", "y_train", "x_test", "y_test", "x_val", "other"]), ANY_ARRAY))
def test_an_npz_of_any_arrays_is_read_or_refused(content: dict[str, np.ndarray]) -> None:
    written = io.BytesIO()
    np.savez(written, **content)  # type: ignore[arg-type]
    with folder() as place:
        path = place / "a.npz"
        path.write_bytes(written.getvalue())
        kept = read_arrays(path, lambda _: True)
        assert digest(kept[name] for name in content) == digest(content.values())
        with suppress(InputError):
            assert all(len(part.x) == len(part.y) > 0 for part in read_npz(path)[0].values())

"""A user's table with a header, in CSV, TSV, JSON lines or Parquet, compressed or not, read by pandas."""

import csv
import re
import warnings
from codecs import BOM_UTF8
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any, NamedTuple

import numpy as np

from data.errors import InputError
from data.source import PARTS, Labelled, Source, source_of

PACKED = (".gz", ".bz2", ".xz", ".zip", ".zst")
SEPARATORS = {".csv": ",", ".tsv": "\t"}
PARQUET = ".parquet"
TABLES = (*SEPARATORS, ".jsonl", PARQUET)
LABEL_NAMES = ("label", "target", "class", "y")
AS_A_TABLE: dict[str, Any] = {"index_col": False, "encoding": "utf-8-sig"}  # for pandas' reader of CSV
LARGEST_LABEL = 2.0**53  # larger numbers are taken as text
LONGEST_LINE = 300  # characters of a row that a page shows
LONGEST_HEADER = 10_000_000  # characters
SHOWN = 10  # columns or rows that a message lists


ENTRY = re.compile(r".*\[\d+\]")  # the name of a column that is an entry of a vector
FOUND_COLUMN = re.compile(r"(suggested_label|p_wrong|phi|decision)(_2)*")  # of an earlier run
LEAST_FOUND = 2  # of these in one table
SEEN = ("text", "file")  # columns that are for a person to see where there are vectors


class TableColumns(NamedTuple):
    """What the columns of a user's table are, by name."""

    label: str | None = None  # None: one of `LABEL_NAMES`
    text: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    part: str | None = None  # whose values say where a row belongs


@dataclass(frozen=True, eq=False)
class TableRows:
    """Rows of a table before they are features: those are decided once it is known which rows are for training."""

    frame: Any  # pandas.DataFrame (n, columns)
    columns: TableColumns

    @property
    def shape(self) -> tuple[int, int]:
        return self.frame.shape

    def __getitem__(self, rows: np.ndarray | slice) -> "TableRows":
        return TableRows(self.frame.iloc[rows], self.columns)


class Table(NamedTuple):
    """A user's table as it was read."""

    path: Path
    frame: Any  # pandas.DataFrame, all its rows and columns; of CSV and TSV as text, as the file has it
    label: str  # the column of the labels
    separator: str = ","  # of a CSV
    marked: bool = False  # a CSV that begins with the mark of UTF-8, by which a spreadsheet knows it


def is_table(path: Path) -> bool:
    """Whether a file is a table, by its name."""
    return table_suffix(path) in TABLES


def table_suffix(path: Path) -> str:
    """The end of its name that says what it is."""
    return without_packing(path).suffix.lower()


def without_packing(path: Path) -> Path:
    """NAME.csv of NAME.csv.gz; another path as it is."""
    return path.with_suffix("") if path.suffix.lower() in PACKED else path


def beside(path: Path, role: str) -> Path:
    """The file of a part: NAME.val.csv of NAME.csv."""
    kind = without_packing(path).suffix  # as it is written
    return path.with_name(path.name.replace(kind, f".{role}{kind}"))


def table_file(path: Path, columns: TableColumns) -> Source:
    """A user's table, and NAME.val.csv and NAME.test.csv beside it, or parts of it by a column. Raises `InputError`."""
    frames, where = {"train": read_table(path)}, {"train": str(path)}
    for role in ("val", "test"):
        other = beside(path, role)
        if other.is_file():
            frames[role], where[role] = read_table(other), str(other)
    vectors = [name for name in frames["train"] if ENTRY.fullmatch(name)]
    cells = as_written(path, frames["train"]).drop(columns=vectors)
    table = Table(path, cells, label_column(path, frames["train"], columns), *written_how(path))
    for name in (*columns.text, *columns.ignore):
        check_column(path, table.frame, name)
    if columns.part:
        if len(frames) > 1:
            raise InputError(f"--part_column {columns.part}: {path} also has parts in files of their own; leave one of them out")
        frames = by_part(path, frames["train"], columns.part)
        where = {role: f"{path}, {role} rows" for role in frames}
    notes: list[str] = []
    for role, frame in frames.items():
        if table.label not in frame:
            raise InputError(f"{where[role]}: has no column {table.label}, which has the labels in {path}; add it")
        written = table.frame if columns.part or role == "train" else as_written(Path(where[role]), frame)
        frames[role] = with_labels(where[role], frame, table.label, written[table.label], notes)
    seen = seen_columns(table, columns, notes) if vectors else []
    earlier = of_earlier_run(table, notes)
    alike = same_as_label(frames["train"].drop(columns=[*columns.ignore, *earlier]), table.label, notes)
    unused = {table.label, columns.part, *seen, *earlier, *alike}
    labels = dict(zip(frames, labels_of([frame[table.label] for frame in frames.values()]), strict=True))
    parts = {
        role: Labelled(TableRows(frame.drop(columns=[name for name in unused if name in frame]), columns), labels[role])
        for role, frame in frames.items()
    }
    source = source_of(where, parts, [str(value) for value in np.unique(labels["train"])])
    places = {role: frame.index.to_numpy() for role, frame in frames.items()}
    files = tuple(table.frame["file"].astype(str)) if "file" in seen else None
    return source._replace(
        train=source.train._replace(rows=places["train"]),
        test=source.test and source.test._replace(rows=places["test"]),
        validation=source.validation and source.validation._replace(rows=places["val"]),
        notes=tuple(notes), table=table, files=files, beside=path.parent if vectors else None,
    )  # fmt: skip


def seen_columns(table: Table, columns: TableColumns, notes: list[str]) -> list[str]:
    """The columns that are for a person to see, beside vectors; a note names them."""
    seen = [name for name in SEEN if name in table.frame and name not in columns.text]
    if seen:
        notes.append(f"beside the vectors {', '.join(seen)} is for you to see, and not used; give --text_columns to use it")
    return seen


def read_table(path: Path) -> Any:
    """All rows. Raises `InputError` if the file is no such table, or has no rows, or two columns of one name."""
    import pandas as pd

    suffix = table_suffix(path)
    try:
        if suffix == PARQUET:
            frame = pd.read_parquet(path).reset_index(drop=True)
        elif suffix == ".jsonl":
            frame = pd.read_json(path, lines=True, dtype=False)
        else:
            separator, skipped = separator_of(path, SEPARATORS[suffix])
            with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):  # of rows with more cells than names
                frame = pd.read_csv(path, sep=separator, skiprows=skipped, low_memory=False, **AS_A_TABLE)
    except InputError:
        raise
    except UnicodeDecodeError as error:
        from_ = "utf-16" if error.object[:2] in {b"\xff\xfe", b"\xfe\xff"} else "latin1"
        remedy = f"save it as UTF-8, for example by iconv -f {from_} -t utf-8"
        raise InputError(f"{path}: is not in UTF-8 (byte {error.object[error.start]:#x} at {error.start:,}); {remedy}") from error
    except ImportError as error:
        raise InputError(f"{path}: Parquet needs another package; run pip install pyarrow") from error
    except Exception as error:  # pandas, its parsers and the decompressors raise a dozen kinds
        raise InputError(f"{path}: cannot be read as {suffix[1:]} ({' '.join(str(error).split())}); correct the file") from error
    if not len(frame):
        raise InputError(f"{path}: has no rows, expected a header and a row for each sample; add rows")
    frame = frame.set_axis([str(name).replace("\0", "") for name in frame], axis=1)
    return frame if suffix in SEPARATORS else with_vectors(path, frame)


def with_vectors(path: Path, frame: Any) -> Any:
    """Each column of vectors as columns of their entries, `embedding[0]` and so on. Raises `InputError` for other lists."""
    import pandas as pd

    objects = [name for name in frame if frame[name].dtype == object]
    for name in objects:
        if not frame[name].map(lambda value: isinstance(value, list | dict | np.ndarray)).any():
            continue
        try:
            vectors = np.array([[float(entry) for entry in value] for value in frame[name]])
        except (TypeError, ValueError) as error:
            raise InputError(
                f"{path}: the column {name} holds lists that are no vectors ({error}); expected numbers, texts, or as many numbers"
                " in every row"
            ) from error
        entries = pd.DataFrame(vectors, columns=[f"{name}[{place}]" for place in range(vectors.shape[1])])
        frame = pd.concat([frame.drop(columns=name), entries], axis=1)
    return frame


def as_written(path: Path, frame: Any) -> Any:
    """The rows of a CSV or TSV as text, each cell as the file has it: 007 and 1.50, and NA; of another table as they were read."""
    import pandas as pd

    if table_suffix(path) not in SEPARATORS:
        return frame
    separator, skipped = separator_of(path, SEPARATORS[table_suffix(path)])
    with warnings.catch_warnings(action="ignore", category=pd.errors.ParserWarning):  # of a separator at the end of each row
        text = pd.read_csv(path, sep=separator, skiprows=skipped, dtype=str, keep_default_na=False, **AS_A_TABLE)
    return text.set_axis(frame.columns, axis=1)


def written_how(path: Path) -> tuple[str, bool]:
    """The separator of a CSV, and whether it begins with the mark of UTF-8; of another table those that are usual."""
    if table_suffix(path) != ".csv":
        return ",", False
    with path.open("rb") as file:  # the bytes of a packed file begin otherwise
        return separator_of(path, ",")[0], file.read(len(BOM_UTF8)) == BOM_UTF8


def separator_of(path: Path, usual: str) -> tuple[str, int]:
    """What separates the columns of a CSV or TSV, and how many lines come before its header.

    A spreadsheet may write semicolons, and before the header a line such as "sep=;". Raises `InputError` for an empty file, and
    for two columns of one name.
    """
    from pandas.io.common import get_handle

    with get_handle(path, "r", encoding="utf-8-sig", compression="infer") as opened:
        first = opened.handle.readline(LONGEST_HEADER)
        says = first.lower().startswith("sep=")
        line = opened.handle.readline(LONGEST_HEADER) if says else first
    if len(line) == LONGEST_HEADER:
        raise InputError(
            f"{path}: its first line is longer than {LONGEST_HEADER:,} characters, expected names of columns; correct it"
        )
    if not line.strip():
        raise InputError(f"{path}: is empty or begins with an empty line, expected a header and a row for each sample; correct it")
    separator = first[4:5] if says else max((usual, ";", "\t", ","), key=line.count)
    names = next(csv.reader([line], delimiter=separator))
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InputError(f"{path}: two columns are called '{twice[0]}'; rename one")
    return separator, int(says)


def label_column(path: Path, frame: Any, columns: TableColumns) -> str:
    """The name of the column of the labels. Raises `InputError`."""
    if columns.label:
        check_column(path, frame, columns.label)
        return columns.label
    found = [name for name in frame if name.lower() in LABEL_NAMES]
    if len(found) != 1:
        what = (
            f"has the columns {', '.join(found)}" if found else f"has no column {', '.join(LABEL_NAMES[:-1])} or {LABEL_NAMES[-1]}"
        )
        raise InputError(f"{path}: {what}; give --label_column, one of {shown(list(frame))}")
    return found[0]


def check_column(path: Path, frame: Any, name: str) -> None:
    """Raise `InputError` if there is no such column."""
    if name not in frame:
        raise InputError(f"{path}: has no column {name}, expected one of {shown(list(frame))}; correct the name")


def shown(names: Sequence[object]) -> str:
    """The first of them."""
    return ", ".join(map(str, names[:SHOWN])) + (f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else "")


def by_part(path: Path, frame: Any, name: str) -> dict[str, Any]:
    """The rows of each part. Raises `InputError`."""
    check_column(path, frame, name)
    said = frame[name].astype(str).str.strip().str.lower()
    strange = sorted(set(said) - set(PARTS))
    if strange:
        raise InputError(f"--part_column {name}: has the value '{strange[0]}', expected train, validation or test; correct it")
    roles = said.map(PARTS)
    if not (roles == "train").any():
        raise InputError(f"--part_column {name}: no row is of the part train; correct it")
    return {role: frame[roles == role] for role in ("train", "val", "test") if (roles == role).any()}


def with_labels(where: str, frame: Any, label: str, written: Any, notes: list[str]) -> Any:
    """The rows with a label; a note counts the others, and says what is `written` there. Raises `InputError` if all lack one."""
    missing = frame[label].isna() | (frame[label].astype(str).str.strip() == "")
    if missing.all():
        raise InputError(f"{where}: the column {label} is empty, expected a label in each row; add them")
    if missing.any():
        rows = list(frame.index[missing])
        notes.append(f"{where}: {len(rows):,} rows have no {label} and are left out: {shown(rows)} (counted from 0)")
        words = sorted(set(written[rows].dropna().astype(str).str.strip()) - {""})
        if words:
            notes.append(f"{where}: the {label} {shown(words)} is taken as missing; if it is a class, give it another name")
    return frame[~missing]


def of_earlier_run(table: Table, notes: list[str]) -> list[str]:
    """The columns that an earlier run has written into this table (`corrected`), which are no features; a note names them."""
    found = [name for name in table.frame if FOUND_COLUMN.fullmatch(name) and name != table.label]
    if len(found) < LEAST_FOUND:
        return []
    notes.append(f"the columns {', '.join(found)} are what an earlier run found; they are left out")
    return found


def same_as_label(frame: Any, label: str, notes: list[str]) -> list[str]:
    """The columns that say the same as the label in other words: each value goes with one label, and each label with one value.

    A note names these, and those that have the label's words, such as a column of the labels of another person.
    """
    import pandas as pd

    count, found = frame[label].nunique(), []
    for name in (name for name in frame if name != label and 1 < frame[name].nunique() <= count):
        if frame[name].nunique() == frame[[label, name]].drop_duplicates().shape[0] == count:
            found.append(name)
            notes.append(f"the column {name} says the same as {label} in other words; it is left out")
        elif set(frame[name].dropna()) <= set(frame[label]) and not pd.api.types.is_numeric_dtype(frame[label]):
            notes.append(f"the column {name} has values of {label}; if they are labels too, give --ignore_columns {name}")
    return found


def labels_of(columns: Sequence[Any]) -> list[np.ndarray]:
    """The labels of each part, (n,): whole numbers if they are in all parts, else numbers, else text."""
    import pandas as pd

    if not all(pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column) for column in columns):
        return [column.astype(str).str.strip().to_numpy(dtype=str) for column in columns]
    numbers = [column.to_numpy(dtype=np.float64) for column in columns]
    if not all((np.abs(each) < LARGEST_LABEL).all() for each in numbers):
        return [column.astype(str).to_numpy(dtype=str) for column in columns]
    return [each.astype(np.int64) for each in numbers] if all((each % 1 == 0).all() for each in numbers) else numbers


def described_rows(table: Table, rows: np.ndarray) -> list[str]:
    """Rows of a table in a line each: names and values, but for the labels, the longest cut; of an only column the value alone."""
    frame = table.frame.iloc[rows].drop(columns=table.label)
    frame = frame.astype(object).where(frame.notna(), "")
    named = [f"{name}: " if frame.shape[1] > 1 else "" for name in frame]
    lines = (", ".join(f"{name}{value}" for name, value in zip(named, row, strict=True) if value != "") for row in frame.to_numpy())
    return [shorten(line, LONGEST_LINE, placeholder=" ...") for line in lines]


def own_columns(table: Table, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The columns of the user's table beside those of a list, but for the labels. columns: of the list, with "index"."""
    frame = table.frame.iloc[columns["index"]].drop(columns=table.label)
    frame = frame.astype(object).where(frame.notna(), "")
    return {f"{name}_2" if name in columns else name: frame[name].to_numpy() for name in frame}


def corrected(table: Table, rows: np.ndarray, more: Mapping[str, np.ndarray]) -> tuple[list[str], list[tuple[object, ...]]]:
    """Header and rows of the user's table with further columns. more: by name, the values (m,) of these rows (m,)."""
    values = table.frame.astype(object).where(table.frame.notna(), "").to_numpy().tolist()
    columns = further_columns([*table.frame], len(values), rows, more)
    return [*table.frame, *columns], [(*row, *cells) for row, *cells in zip(values, *columns.values(), strict=True)]


def corrected_parquet(table: Table, rows: np.ndarray, more: Mapping[str, np.ndarray]) -> Any:
    """The same of a Parquet file, its columns and their types as they are there: a table of pyarrow. Raises `InputError`."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(table.path) as file:
            found = file.read()
        for name, values in further_columns(found.column_names, len(table.frame), rows, more).items():
            found = found.append_column(name, pa.array(values))
    except (OSError, ValueError) as error:
        raise InputError(f"{table.path}: has changed since it was read ({error}); leave it as it is during a run") from error
    return found


def further_columns(taken: Sequence[str], n: int, rows: np.ndarray, more: Mapping[str, np.ndarray]) -> dict[str, list[Any]]:
    """Columns for a table of n rows with names that are not `taken`, None in other rows than these (m,)."""
    found: dict[str, list[Any]] = {}
    for name, values in more.items():
        column, own = np.full(n, None, dtype=object), name
        column[rows] = values
        while own in taken:
            own += "_2"
        found[own] = column.tolist()
    return found

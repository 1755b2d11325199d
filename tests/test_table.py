"""A user's own tables: what is read, what the columns become, what is said, and what is refused."""

import csv
import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.pipeline import make_pipeline

import RDIA
from data.dataset import NO_VALIDATION, OWN_ROWS, Dataset, load
from data.encoding import TableEncoder, commas_of, kind_of, numbers_of, prepared_column
from data.errors import InputError
from data.table import Table, TableColumns, corrected_parquet, is_table, read_table
from models.estimator import RDIAClassifier
from run.records import write_csv
from tests.invoke import Invoke

N = 60


def frame(n: int = N) -> pd.DataFrame:
    """A table with a column of each kind; the label depends on all of them."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    good, bad = np.array(["works very well, thanks"]), np.array(["broken, I want a refund"])
    return pd.DataFrame(
        {
            "id": [f"u{i}" for i in range(n)],
            "age": np.where(rng.random(n) < 0.1, np.nan, 30 + 10 * y + rng.standard_normal(n)),
            "city": np.where(y, "Paris", np.where(rng.random(n) < 0.5, "Rome", "Oslo")),
            "signed": [f"2021-0{1 + 5 * k}-1{i % 9}" for i, k in enumerate(y)],
            "member": (y == 1) | (np.arange(n) == 4),
            "review": [f"{text} {rng.integers(99)}" for text in np.where(y, good, bad)],
            "only": 7,
            "label": np.where(y, "yes", "no"),
        }
    )


def written(path: Path, table: pd.DataFrame) -> Path:
    table.to_csv(path, index=False)
    return path


def loaded(path: Path, **columns: Any) -> Dataset:
    return load(str(path), Path(), 1, OWN_ROWS, columns=TableColumns(**columns))


def refused(path: Path, **columns: Any) -> str:
    with pytest.raises(InputError) as raised:
        loaded(path, **columns)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def column(dataset: Dataset, name: str) -> np.ndarray:
    """A feature of the training rows, in the order of the file."""
    assert dataset.features
    x = dataset.train.x
    return (x.toarray() if sp.issparse(x) else x)[np.argsort(dataset.train.rows), dataset.features.index(name)]


# --- What the columns become


def test_each_kind_of_column_becomes_its_features(tmp_path: Path) -> None:
    table = frame()
    found = loaded(written(tmp_path / "a.csv", table))
    age = table["age"].fillna(table["age"].median())
    np.testing.assert_allclose(column(found, "age"), (age - age.mean()) / age.std(ddof=0))
    assert (column(found, "age missing") > 0).tolist() == table["age"].isna().tolist()
    np.testing.assert_array_equal(column(found, "city = Paris"), table["city"] == "Paris")
    days = pd.to_datetime(table["signed"]).astype("int64")
    np.testing.assert_allclose(column(found, "signed"), (days - days.mean()) / days.std(ddof=0))
    assert (column(found, "member") > 0).tolist() == table["member"].tolist()
    assert ((column(found, "review: refund") > 0) == (table["label"] == "no")).all()
    assert ((column(found, "review: very well") > 0) == (table["label"] == "yes")).all()
    np.testing.assert_array_equal(column(found, "constant"), 1)
    assert found.features
    assert not [name for name in found.features if name.startswith(("id", "only", "label"))]
    assert [note for note in found.notes if "left out" in note] == [
        "the column id is an id; it is left out",
        "the column only has one value; it is left out",
    ]
    assert found.classes == ("no", "yes")
    assert found.train.labels.tolist() == (found.train.rows % 2).tolist()


@pytest.mark.parametrize("ending", [".csv.gz", ".tsv", ".jsonl", ".csv.xz", ".parquet"])
def test_every_format_is_the_same_table(ending: str, tmp_path: Path) -> None:
    path, table = tmp_path / f"a{ending}", frame()
    if ending == ".jsonl":
        table.to_json(path, orient="records", lines=True)
    elif ending == ".parquet":
        pytest.importorskip("pyarrow")
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False, sep="\t" if ending == ".tsv" else ",")
    expected, found = loaded(written(tmp_path / "b.csv", table)), loaded(path)
    assert found.features == expected.features
    np.testing.assert_allclose(found.train.x.toarray(), expected.train.x.toarray(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("first", ["", "sep=;\n"])
def test_a_spreadsheets_semicolons_and_decimal_commas(first: str, tmp_path: Path) -> None:
    rows = "".join(f"{i % 7},5;{['rot', 'blau'][i % 2]};{i % 2}\n" for i in range(20))
    (tmp_path / "a.csv").write_text(f"\ufeff{first}size;colour;label\n{rows}")
    found = loaded(tmp_path / "a.csv")
    size = np.array([i % 7 + 0.5 for i in range(20)])
    np.testing.assert_allclose(column(found, "size"), (size - size.mean()) / size.std())


def test_features_are_fitted_on_training_rows_alone(tmp_path: Path) -> None:
    table = frame()
    table["part"] = np.where(np.arange(N) < 40, "train", np.where(np.arange(N) < 50, "Trusted", "test"))
    table.loc[table["part"] != "train", "age"] = 1e6
    table.loc[table["part"] != "train", "city"] = "Nowhere"
    found = loaded(written(tmp_path / "a.csv", table), part="part")
    assert [len(part.labels) for part in (found.train, found.validation, found.test)] == [40, 10, 10]
    assert found.validation.rows.tolist() == list(range(40, 50))
    assert np.abs(column(found, "age")).max() < 10
    assert found.features
    assert not [name for name in found.features if "Nowhere" in name]


def test_files_beside_it_are_validation_and_test_rows(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", frame())
    written(tmp_path / "a.val.csv", frame(12))
    written(tmp_path / "a.test.csv", frame(8))
    found = loaded(path)
    assert [len(part.labels) for part in (found.train, found.validation, found.test)] == [N, 12, 8]
    frame().drop(columns="city").to_csv(tmp_path / "a.test.csv", index=False)
    assert "the column city is missing" in refused(path)
    assert "leave one of them out" in refused(path, part="city")


def test_rows_without_a_label_are_left_out_counted_and_listed(tmp_path: Path) -> None:
    table = frame()
    table.loc[[3, 17], "label"] = None
    found = loaded(written(tmp_path / "a.csv", table))
    assert sorted(found.train.rows) == [i for i in range(N) if i not in {3, 17}]
    assert "2 rows have no label and are left out: 3, 17 (counted from 0)" in found.notes[0]


def test_a_label_that_reads_as_missing_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", frame().assign(label=np.where(np.arange(N) % 3, frame()["label"], "None")))
    found = loaded(path)
    assert len(found.train.rows) == N * 2 // 3
    assert f"{path}: the label None is taken as missing; if it is a class, give it another name" in found.notes


def test_a_column_of_other_labels_is_noted_unless_it_is_ignored(tmp_path: Path) -> None:
    table = frame()
    table["true_label"] = np.where(np.arange(N) < 9, "yes", table["label"])
    path = written(tmp_path / "a.csv", table)
    note = "the column true_label has values of label; if they are labels too, give --ignore_columns true_label"
    assert note in loaded(path).notes
    found = loaded(path, ignore=("true_label",))
    assert not [line for line in found.notes if "true_label" in line]
    assert not [name for name in found.features or () if "true_label" in name]


def test_a_column_that_says_the_label_in_other_words_is_left_out(tmp_path: Path) -> None:
    table = frame()
    table["answer"] = table["label"].map({"yes": "Ja", "no": "Nein"})
    found = loaded(written(tmp_path / "a.csv", table))
    assert "the column answer says the same as label in other words; it is left out" in found.notes


def test_numbers_with_a_few_words_between_them_are_numbers_and_counting_columns_ids() -> None:
    mixed = pd.DataFrame(
        {"a": ["?" if i == 3 else str(i % 7) for i in range(40)], "Unnamed: 0": range(40), "b": [i % 5 for i in range(40)]}
    )
    encoder = TableEncoder().fit(mixed)
    assert encoder.kinds_ == {"a": "number", "b": "number"}
    assert encoder.get_feature_names_out().tolist() == ["a", "b", "a missing", "constant"]
    assert encoder.left_out_ == {"Unnamed: 0": "is an id"}


def test_decimal_commas_are_read_where_values_are_missing_too() -> None:
    column = pd.Series([None if i % 3 else f"{i},5" for i in range(30)], name="size")
    assert kind_of(column) == ("number", "")
    np.testing.assert_array_equal(numbers_of(column), [np.nan if i % 3 else i + 0.5 for i in range(30)])


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1,234", "950", "12,345"], [1234, 950, 12345]),
        (["1,234.5", "950.1", "-12,345.0"], [1234.5, 950.1, -12345]),
        (["1.234,5", "950,1", "-12.345,0"], [1234.5, 950.1, -12345]),
        (["0,123", "1,234", "2,5"], [0.123, 1.234, 2.5]),
        (
            ["1,234", "12,345", "2,5", "7,125", "8,875", "9,225", "3,111", "4,222", "5,333", "6,444", "1,1e-05"],
            [1.234, 12.345, 2.5, 7.125, 8.875, 9.225, 3.111, 4.222, 5.333, 6.444, 1.1e-05],
        ),
    ],
)
def test_a_comma_is_what_all_numbers_of_a_column_say(cells: list[str], expected: list[float]) -> None:
    column = pd.Series(cells * 10, name="size")
    assert kind_of(column) == ("number", "")
    np.testing.assert_allclose(numbers_of(column), expected * 10)


def test_ids_are_no_labels_and_odd_classes_are_told(tmp_path: Path) -> None:
    rows = frame(60)
    assert "has 60 classes in 60 rows" in refused(written(tmp_path / "a.csv", rows.assign(label=[f"u{i}" for i in range(60)])))
    odd = rows.assign(label=["Pop" if not i else "pop" if i % 2 else "jazz" for i in range(60)])
    notes = load(str(written(tmp_path / "b.csv", odd)), tmp_path, 1, OWN_ROWS).notes
    assert "the classes Pop, pop differ only in capitals: is one misspelt?" in notes
    assert "fewer than 5 training rows are of class Pop: a wrong name there is not found; look" in notes


def test_names_of_files_are_read_in_any_case(tmp_path: Path) -> None:
    for role in ("", ".val"):
        written(tmp_path / "a.csv", frame(40)).rename(tmp_path / f"A{role}.CSV")
    found = load(str(tmp_path / "A.CSV"), tmp_path, 1, OWN_ROWS)
    assert (len(found.train.labels), len(found.validation.labels)) == (40, 40)


def test_a_table_has_one_way_to_write_numbers() -> None:
    clear, either = ["1,5", "2,25"] * 10, ["1,234", "2,345"] * 10
    said = pd.DataFrame(
        {"clear": clear, "either": either, "groups": ["1,234.5", "2,345"] * 10, "more": ["1,234,567", "2,345"] * 10}
    )
    assert commas_of(dict(said.items())) == {"clear": "decimal", "either": "decimal", "groups": "groups", "more": "groups"}
    assert commas_of({"either": said["either"]}) == {"either": "groups"}


def test_rows_that_write_numbers_or_dates_in_another_way_are_read_or_refused() -> None:
    days = [f"2021-01-{day:02}" for day in range(1, 31)]
    rows = pd.DataFrame({"size": [f"{i}.5" for i in range(30)], "day": days})
    encoder = TableEncoder().fit(rows)
    commas = pd.DataFrame({"size": [f"{i},5" for i in range(30)], "day": days})
    np.testing.assert_array_equal(encoder.transform(commas), encoder.transform(rows))
    with pytest.raises(
        ValueError, match="the column day has 30 of 30 cells that are no date as in the training rows, such as '01/"
    ):
        encoder.transform(rows.assign(day=[f"01/{day:02}/2021" for day in range(1, 31)]))
    with pytest.raises(ValueError, match="the column size has 30 of 30 cells that are no number"):
        TableEncoder().fit(commas).transform(rows)  # "1.5" is no number where commas are decimal


def test_cells_that_are_no_numbers_are_kept_to_be_told() -> None:
    encoder = TableEncoder().fit(pd.DataFrame({"size": ["?", *map(str, range(0, 60, 2))], "x": [np.inf, *np.arange(30) * 1.5]}))
    assert {name: cells.tolist() for name, cells in encoder.lost_.items()} == {"size": ["?"], "x": [np.inf]}


def test_a_comma_means_in_new_rows_what_it_means_in_training_rows() -> None:
    encoder = TableEncoder().fit(pd.DataFrame({"size": ["1,234", "2,5", "0,75"] * 10}))
    new, same = (encoder.transform(pd.DataFrame({"size": [cell]})) for cell in ("1,234", "1.234"))
    np.testing.assert_allclose(new, encoder.transform(pd.DataFrame({"size": ["1,234", "2,5"]}))[:1])
    assert same[0, 0] > new[0, 0]  # 1234, as points are groups where commas are decimal


UNITS = {
    "$": lambda x: f"${x:,.2f}",
    "€": lambda x: f"{x:.2f} €".replace(".", ","),
    "%": lambda x: f"{x:.2f}%",
    "kg": lambda x: f"-{x:.2f} kg",
    "km/h": lambda x: f"{x:.2f} km/h",
    "": lambda x: f"{x:.2f} {'kg' if x < 2000 else 'g'}",  # two units: a text
}


@pytest.mark.parametrize(("unit", "written"), UNITS.items())
def test_numbers_are_read_without_their_unit(unit: str, written: Callable[[float], str]) -> None:
    numbers = np.random.default_rng(0).uniform(900, 3000, 100).round(2)
    encoder = TableEncoder()
    found = encoder.fit_transform(pd.DataFrame({"a": [*map(written, numbers), None]}))
    assert encoder.units_ == ({"a": unit} if unit else {})
    assert encoder.kinds_ == {"a": "number" if unit else "text"}
    if unit:
        sign = -1 if unit == "kg" else 1
        np.testing.assert_allclose(found[:-1, 0], sign * (numbers - np.median(numbers)) / found_scale(numbers) + found[-1, 0])
        np.testing.assert_allclose(encoder.transform(pd.DataFrame({"a": [written(numbers[7])]}))[0], found[7])


def found_scale(numbers: np.ndarray) -> float:
    """Of numbers of which one is missing, and becomes the median."""
    return float(np.std([*numbers, np.median(numbers)]))


def test_few_values_with_a_unit_are_categories() -> None:
    encoder = TableEncoder().fit(pd.DataFrame({"size": ["5 kg", "10 kg", "20 kg"] * 10}))
    assert (encoder.kinds_, encoder.units_) == ({"size": "category"}, {})


def test_what_was_read_without_a_unit_or_by_an_order_is_told(tmp_path: Path, invoke: Invoke) -> None:
    days = pd.date_range("2021-01-01", periods=60)
    rows = [(f"{place * place} kg", day.strftime("%m/%d/%Y"), "ab"[place % 2]) for place, day in enumerate(days)]
    write_csv(tmp_path / "a.csv", ["weight", "day", "label"], rows)
    said = invoke("--dataset", tmp_path / "a.csv").err
    assert "the numbers of the column weight are read without kg" in said
    assert "the dates of the column day are read as month/day/year" in said


@pytest.mark.parametrize(("format_", "order"), [("%m/%d/%Y", "month/day/year"), ("%d/%m/%Y", "day/month/year")])
def test_dates_with_slashes_are_month_first_unless_they_cannot_be(format_: str, order: str) -> None:
    days = pd.date_range("2021-01-01", periods=60)
    encoder = TableEncoder()
    found = encoder.fit_transform(pd.DataFrame({"day": days.strftime(format_)}))
    assert (encoder.kinds_, encoder.orders_) == ({"day": "date"}, {"day": order})
    np.testing.assert_allclose(np.diff(found[:, 0]), found[1, 0] - found[0, 0])
    np.testing.assert_allclose(encoder.transform(pd.DataFrame({"day": [days[2].strftime(format_)]}))[0], found[2])


def test_dates_with_points_are_days_first() -> None:
    column = pd.Series([f"{day}.02.2021" for day in range(1, 29)], name="signed")
    assert kind_of(column) == ("date", "")
    np.testing.assert_array_equal(np.diff(prepared_column(column, "date", None)), 1)


def test_fit_transform_gives_what_fit_and_transform_give() -> None:
    table = frame().drop(columns="label")
    once = TableEncoder()
    made, again = once.fit_transform(table), TableEncoder().fit(table).transform(table)
    np.testing.assert_array_equal(made.toarray(), again.toarray())


def test_validation_rows_that_are_training_rows_are_counted(tmp_path: Path) -> None:
    path, table = tmp_path / "a.csv", frame()
    table["review"] += " very much indeed"
    written(path, table)
    written(tmp_path / "a.val.csv", table.iloc[:20])
    assert [
        note for note in loaded(path).notes if note.startswith("20 of the 20 validation rows have the features of a training row")
    ]


def test_text_is_what_has_words_or_is_said_to_be(tmp_path: Path) -> None:
    table = frame()
    path = written(tmp_path / "a.csv", table)
    assert "city: paris" in (loaded(path, text=("city",)).features or ())
    assert not [name for name in loaded(path, ignore=("city", "review")).features or () if name.startswith(("city", "review"))]


@pytest.mark.parametrize(
    ("values", "expected"),
    [([0, 1], ("0", "1")), ([1.0, 2.5], ("1.0", "2.5")), ([True, False], ("False", "True")), (["b", "a"], ("a", "b"))],
)
def test_labels_of_every_type(values: list[Any], expected: tuple[str, ...], tmp_path: Path) -> None:
    table = frame()
    table["label"] = [values[i % 2] for i in range(N)]
    assert loaded(written(tmp_path / "a.csv", table)).classes == expected


def test_the_encoder_stands_in_a_pipeline_before_the_classifier() -> None:
    table = frame()
    x, y = table.drop(columns="label"), table["label"].to_numpy()
    found = make_pipeline(TableEncoder(), RDIAClassifier(protocol="paper", random_state=0)).fit(x, y)
    assert found.score(x, y) == 1


# --- What cannot be used

BAD: dict[str, tuple[str | bytes, str]] = {
    "no label": ("a,b\n1,2\n", "has no column label, target, class or y; give --label_column, one of a, b"),
    "two labels": ("label,y\n1,2\n", "has the columns label, y; give --label_column"),
    "one class": ("a,label\n1,0\n2,0\n", "has one class (0)"),
    "empty": ("", "is empty"),
    "no rows": ("a,label\n", "has no rows"),
    "two columns of a name": ("a,a,label\n1,2,0\n", "two columns are called 'a'; rename one"),
    "rows with a cell more": ("a,label\nx,1,0\ny,2,1\n", "cannot be read as csv"),
    "ragged": ("a,label\n1,0\n1,2,3,4\n", "cannot be read as csv"),
    "no label anywhere": ("a,label\n1,\n2,\n", "the column label is empty"),
    "latin 1": ("name,label\nJos\xe9,0\n".encode("latin-1"), "is not in UTF-8"),
    "nothing to learn from": ("a,label\n1,0\n1,1\n", "no column can be used: a has one value"),
}


@pytest.mark.parametrize(("content", "named"), BAD.values(), ids=BAD)
def test_what_cannot_be_used_is_one_line(content: str | bytes, named: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    message = refused(path)
    assert named in message
    assert str(path) in message


def test_other_formats_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": [1, 2], "label": 0}\n{"a": [3], "label": 1}\n')
    assert "the column a holds lists" in refused(tmp_path / "a.jsonl")
    (tmp_path / "b.jsonl").write_text("no json\n")
    assert "cannot be read as jsonl" in refused(tmp_path / "b.jsonl")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a,label\n1,0\n")[:-9])
    assert "cannot be read as csv" in refused(tmp_path / "a.csv.gz")
    pytest.importorskip("pyarrow")
    (tmp_path / "a.parquet").write_bytes(b"PAR1 no")
    assert "cannot be read as parquet" in refused(tmp_path / "a.parquet")


def test_names_of_columns_and_parts_are_checked(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", frame())
    assert "has no column citty, expected one of id, age, city" in refused(path, ignore=("citty",))
    assert "has no column citty" in refused(path, part="citty")
    assert "--part_column city: has the value 'oslo', expected train, validation or test" in refused(path, part="city")


# --- The program


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Invoke:
    return Invoke(RDIA, "RDIA.py", monkeypatch, capsys)


def test_a_table_comes_back_with_what_was_found(tmp_path: Path, invoke: Invoke) -> None:
    table = frame()
    table["label"] = np.where(np.arange(N) == 8, "yes", table["label"])  # row 8 was "no"
    table["review"] = "=" + table["review"]
    path, out = written(tmp_path / "a.csv", table), tmp_path / "out"
    record = json.loads(invoke("--dataset", path, "--result_dir", out, "--json").out)
    assert (record["protocol"], record["noise"], record["n_train"]) == ("auto", 0, N)
    with (out / "ranking.csv").open(newline="") as file:
        first = next(csv.DictReader(file))
    assert (first["index"], first["label"], first["suggested_label"], first["city"]) == ("8", "yes", "no", table["city"][8])
    assert first["review"] == f"'{table['review'][8]}"
    found = pd.read_csv(out / "corrected.csv")
    assert list(found.columns) == [*table.columns, "suggested_label", "p_wrong", "decision"]
    assert found["label"].tolist() == table["label"].tolist()
    assert found["decision"][8] == "look"  # without trusted rows nothing is promised
    assert (found["decision"] == "keep").sum() >= N - 4
    again = invoke("--dataset", out / "corrected.csv", "--result_dir", tmp_path / "again", "--json")
    assert "the columns suggested_label, p_wrong, decision are what an earlier run found; they are left out" in again.err
    assert json.loads(again.out)["wrong_labels"] == record["wrong_labels"]
    assert read_table(out / "corrected.csv").shape == found.shape


def test_the_table_that_comes_back_is_written_as_it_was(tmp_path: Path, invoke: Invoke) -> None:
    frame().to_csv(tmp_path / "a.csv", index=False, sep=";", encoding="utf-8-sig")
    ended = invoke("--dataset", tmp_path / "a.csv", "--result_dir", tmp_path, "--audit", tmp_path / "page.html")
    first = (tmp_path / "corrected.csv").read_bytes().split(b"\n")[0]
    assert first == (tmp_path / "a.csv").read_bytes().split(b"\n")[0].strip() + b";suggested_label;p_wrong;decision"
    assert f"review page, open it in a browser: {tmp_path / 'page.html'}" in ended.out


def test_the_table_that_comes_back_has_every_cell_as_it_was(tmp_path: Path, invoke: Invoke) -> None:
    cells = frame().assign(only="NA", id=[f"00{i}" for i in range(N)], age=["-1.234,50" if i % 9 else "" for i in range(N)])
    path, out = written(tmp_path / "a.csv", cells), tmp_path / "out"
    assert invoke("--dataset", path, "--result_dir", out, "--quiet").status == 0
    was, found = (pd.read_csv(each, dtype=str, keep_default_na=False) for each in (path, out / "corrected.csv"))
    pd.testing.assert_frame_equal(found[was.columns], was)
    ranked = pd.read_csv(out / "ranking.csv", dtype=str, keep_default_na=False)
    assert (ranked["id"][0], ranked["only"][0]) == (was["id"][int(ranked["index"][0])], "NA")


def test_a_parquet_file_comes_back_with_its_types(tmp_path: Path, invoke: Invoke) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = frame().assign(signed=pd.to_datetime(frame()["signed"]), decision="mine", decision_2=frame()["city"].astype("category"))
    table["age"] = table["age"].round().astype("Int64")
    table["label"] = table["label"].where(np.arange(N) > 0)
    table.set_index("id").to_parquet(tmp_path / "a.parquet")
    ended = invoke("--dataset", tmp_path / "a.parquet", "--result_dir", tmp_path)
    assert f"your table with what was found: {tmp_path / 'corrected.parquet'}" in ended.out
    assert not (tmp_path / "corrected.csv").exists()
    was, found = (parquet.read_table(tmp_path / f"{name}.parquet") for name in ("a", "corrected"))
    assert found.select(was.column_names).equals(was, check_metadata=True)
    more = found.select(found.column_names[was.num_columns :])
    assert {field.name: str(field.type) for field in more.schema} == {
        "suggested_label": "string", "p_wrong": "double", "decision_2_2": "string",
    }  # fmt: skip
    assert pd.read_parquet(tmp_path / "corrected.parquet").index.tolist() == table["id"].tolist()
    assert [*more.to_pylist()[0].values()] == [None] * 3  # it has no label
    with (tmp_path / "ranking.csv").open() as file:
        ranking = sorted(csv.DictReader(file), key=lambda row: int(row["index"]))
    for name in ("suggested_label", "p_wrong"):
        assert [*map(str, more[name].to_pylist()[1:])] == [row[name] for row in ranking]


def test_a_parquet_file_that_changes_during_a_run_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "a.parquet"
    for content in (frame(9).to_parquet, lambda to: to.write_bytes(b"half"), Path.unlink):
        content(path)
        with pytest.raises(InputError, match=r"a\.parquet: has changed since it was read \(.*\); leave it as it is during a run$"):
            corrected_parquet(Table(path, frame(8), "label"), np.arange(8), {"p_wrong": np.ones(8)})


def test_rows_that_end_with_a_separator_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("size,label\n" + "".join(f"0{i % 7},{'ab'[i % 2]},\n" for i in range(N)))
    found = loaded(path)  # a warning would be an error
    assert found.table is not None
    assert found.table.frame.iloc[3].tolist() == ["03", "b"]
    assert list(found.table.frame.columns) == ["size", "label"]


def test_the_papers_protocol_takes_a_table_too(tmp_path: Path, invoke: Invoke) -> None:
    path = written(tmp_path / "a.csv", frame())
    record = json.loads(invoke("--dataset", path, "--alpha", 0.01, "--json").out)
    assert record["n_train"] + record["n_validation"] + record["n_test"] == N
    assert record["methods"]["ERM"]["test"]["accuracy"] > 0.9


def test_what_a_person_decided_comes_back_in_the_table(tmp_path: Path, invoke: Invoke) -> None:
    table = frame()
    table["label"] = np.where(np.arange(N) % 7 == 3, table["label"].iloc[::-1], table["label"])
    path, out = written(tmp_path / "a.csv", table), tmp_path / "out"
    flags = ("--dataset", path, "--alpha", 0, "--result_dir", out, "--quiet")
    assert f"your table with what was found: {out / 'corrected.csv'}" in invoke(*flags).out
    listed = pd.read_csv(out / "relabeled.csv", dtype={"index": int})
    found = pd.read_csv(out / "corrected.csv")
    assert list(found.columns) == [*table.columns, "suggested_label", "phi", "decision"]
    assert sorted(listed["index"]) == sorted(np.flatnonzero(found["decision"] == "change"))
    assert listed["review"].tolist() == table["review"][listed["index"]].tolist()
    with np.load(out / "audit.npz") as kept:
        run = json.loads(str(kept["facts"]))["run"]
    first, second, *others = listed.iloc
    with (tmp_path / "d.csv").open("w") as file:
        csv.writer(file).writerows(
            [
                ("run", "index", "given", "decided"),
                (run, first["index"], first["old_label"], first["new_label"]),
                (run, second["index"], second["old_label"], second["old_label"]),
            ]
        )
    assert invoke(*flags, "--labels", tmp_path / "d.csv").status == 0
    decided = pd.read_csv(out / "corrected.csv").loc[listed["index"]]
    assert decided["decision"].tolist() == ["change", "keep", *["look"] * len(others)]
    assert decided["suggested_label"].tolist()[:2] == [first["new_label"], second["old_label"]]
    assert others


def test_what_is_a_table() -> None:
    assert all(is_table(Path(name)) for name in ("a.csv", "a.b.tsv", "a.jsonl.gz", "a.parquet", "a.csv.zst"))
    assert not any(is_table(Path(name)) for name in ("a.svm", "a.npz", "a.txt", "csv", "a.gz"))
    assert load("wdbc", Path(), 1, NO_VALIDATION).table is None


def test_the_page_shows_a_row_and_its_features_by_their_names(tmp_path: Path, invoke: Invoke) -> None:
    path = written(tmp_path / "a.csv", frame())
    assert invoke("--dataset", path, "--alpha", 0, "--audit", tmp_path / "page.html", "--quiet").status == 0
    page = (tmp_path / "page.html").read_text()
    names, about = (json.loads(re.findall(rf'"{key}":(\[.*?\])', page)[0]) for key in ("names", "about"))
    assert "city = Paris" in names
    assert not [name for name in names if name.startswith("column")]
    assert re.fullmatch(r"id: u\d+, age: .*, review: (broken, I want a refund|works very well, thanks) \d+, only: 7", about[0])


def test_a_label_of_blanks_is_missing(tmp_path: Path, invoke: Invoke) -> None:
    rows = [(row % 7, "ab"[row % 2] if row else "  ") for row in range(40)]
    write_csv(tmp_path / "a.csv", ["size", "label"], rows)
    ended = invoke("--dataset", tmp_path / "a.csv", "--json")
    assert json.loads(ended.out)["n_train"] == 39
    assert "1 rows have no label and are left out: 0 (counted from 0)" in ended.err


def test_a_first_line_without_an_end_is_one_line(tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.table.LONGEST_HEADER", 1_000)
    (tmp_path / "a.csv").write_text("x" * 2_000)
    ended = invoke("--dataset", tmp_path / "a.csv")
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "its first line is longer than 1,000 characters" in ended.err

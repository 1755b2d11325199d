"""A person's decisions read back: into the labels of the run, or one clear line."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import RDIA
from data.dataset import Dataset
from data.errors import InputError
from data.noise import NoisyLabels
from data.source import Part
from run.decisions import count_decisions, read_decisions
from run.identity import difference, run_key
from tests.invoke import Invoke

RUN = "dataset=mine&noise=0.4&data=00ff"
HEADER = "run,index,given,suggested,decided,by,when\n"
CLASSES = ("cat", 'a "dog", big')
GIVEN = np.array([0, 1, 1, 0])
ROWS = np.array([7, 3, 12, 5])  # in the source


def dataset() -> Dataset:
    part = Part(np.arange(8.0).reshape(4, 2), np.array([0, 0, 1, 1]), ROWS)
    return Dataset(part, part, part, CLASSES, None, None, ())


def lines(*rows: tuple[object, ...]) -> str:
    return HEADER + "".join(",".join(f'"{str(cell).replace(chr(34), chr(34) * 2)}"' for cell in row) + "\r\n" for row in rows)


def read(folder: Path, text: str | bytes) -> tuple[list[int], list[bool]]:
    (folder / "d.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    found = read_decisions(folder / "d.csv", RUN, dataset(), GIVEN)
    return found.labels.tolist(), found.rows.tolist()


def test_decisions_replace_the_given_labels_by_row_of_the_source(tmp_path: Path) -> None:
    text = lines((RUN, 12, CLASSES[1], CLASSES[0], CLASSES[0], "Ann, B.", ""), (RUN, 7, "cat", CLASSES[1], "cat", "", ""))
    expected = ([0, 1, 0, 0], [True, False, True, False])
    assert read(tmp_path, text) == expected
    assert read(tmp_path, "\ufeff" + text) == expected  # as a spreadsheet writes it
    assert GIVEN.tolist() == [0, 1, 1, 0]


def test_columns_that_are_not_needed_may_be_missing(tmp_path: Path) -> None:
    assert read(tmp_path, f"decided,index,given,run\ncat,3,cat,{RUN}\n".replace("cat,3,cat", 'cat,3,"a ""dog"", big"')) == (
        [0, 0, 1, 0],
        [False, True, False, False],
    )


ROW = (RUN, 7, "cat", "cat", "cat", "", "")
BAD: dict[str, tuple[str | bytes, str]] = {
    "an index that is no training row": (
        lines(ROW, (RUN, 8, "cat", "cat", "cat", "", "")),
        "line 3: index '8' is not a training row",
    ),
    "an index that is no number": (lines((RUN, "-7", "cat", "cat", "cat", "", "")), "line 2: index '-7' is not a training row"),
    "a label that does not exist": (
        lines((RUN, 7, "cat", "cat", "cow", "", "")),
        "line 2: the decided label 'cow' is not a class of the data",
    ),
    "a duplicate": (lines(ROW, ROW), "line 3: index 7 appears twice"),
    "another given label": (
        lines((RUN, 3, "cat", "cat", "cat", "", "")),
        "line 2: the given label of index 3 is cat, but in the data",
    ),
    "another setting": (
        lines((RUN.replace("0.4", "0.2"), *ROW[1:])),
        "belongs to another run: noise is 0.2 in the file and 0.4 here",
    ),
    "other data": (lines((RUN.replace("00ff", "11ff"), *ROW[1:])), "the settings are the same, but the data differ"),
    "no run's key": (lines(("mine", *ROW[1:])), "was not written by this program"),
    "a column twice": ("run,index,given,decided,decided\nRUN,7,cat,dog,cat\n", "has two columns of the same name"),
    "missing columns": ("index,decided\n7,cat\n", "has no column run, given"),
    "an empty file": ("", "is empty"),
    "no decisions": (HEADER, "has no decisions"),
    "a short row": (HEADER + f"{RUN},7\n", "line 2: has 2 cells, expected 7"),
    "a picture": (b"\x89PNG\r\n\x1a\n\xff\xfe", "is not a CSV file in UTF-8"),
    "a stray quote": (HEADER + f'{RUN},7,"cat"x,cat,cat,,\n', "is not a CSV file in UTF-8"),
}


@pytest.mark.parametrize(("text", "named"), BAD.values(), ids=BAD)
def test_what_cannot_be_used_is_said_with_its_line(text: str | bytes, named: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        read(tmp_path, text)
    assert named in str(error.value)
    assert "d.csv" in str(error.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(InputError, match=r"--labels .*cannot be read"):
            read_decisions(path, RUN, dataset(), GIVEN)


def test_right_decisions_are_counted_where_the_truth_is_known(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text(
        lines((RUN, 12, CLASSES[1], "", CLASSES[0], "", ""), (RUN, 3, CLASSES[1], "", CLASSES[0], "", ""))
    )
    decided = read_decisions(tmp_path / "d.csv", RUN, dataset(), GIVEN)
    truth = np.array([0, 0, 1, 1])
    assert count_decisions(decided, NoisyLabels(GIVEN, truth != GIVEN), truth) == {"labels": 2, "changed": 2, "right": 1}
    assert count_decisions(decided, NoisyLabels(GIVEN, np.zeros(4, dtype=bool)), truth)["right"] is None


def test_the_key_names_the_settings_and_follows_the_data() -> None:
    base = dataset()
    key = run_key({"dataset": "a&b=c", "noise": 0.4}, base, GIVEN)
    assert key.startswith("dataset=a%26b%3Dc&noise=0.4&data=")
    assert difference(key, run_key({"dataset": "x", "noise": 0.4}, base, GIVEN)) == "dataset is a&b=c in the file and x here"
    x = base.train.x.copy()
    x[3, 1] += 1e-12
    others = [
        (base._replace(train=base.train._replace(x=x)), GIVEN),
        (base._replace(train=base.train._replace(x=sp.csr_array(x))), GIVEN),
        (base._replace(train=base.train._replace(rows=ROWS + 1)), GIVEN),
        (base._replace(validation=base.validation._replace(labels=GIVEN)), GIVEN),
        (base._replace(validation=base.validation._replace(x=x)), GIVEN),
        (base._replace(classes=("dog", "cat")), GIVEN),
        (base, 1 - GIVEN),
    ]
    assert len({key, *(run_key({"dataset": "a&b=c", "noise": 0.4}, *other) for other in others)}) == 8
    assert run_key({"dataset": "a&b=c", "noise": 0.4}, base._replace(test=base.test._replace(x=x)), GIVEN) == key


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Invoke:
    return Invoke(RDIA, "RDIA.py", monkeypatch, capsys)


def test_decided_labels_are_fitted_beside_the_other_methods(tmp_path: Path, invoke: Invoke) -> None:
    record = json.loads(invoke("--result_dir", tmp_path, "--json").out)
    with (tmp_path / "relabeled.csv").open() as file:
        suspects = list(csv.DictReader(file))
    with np.load(tmp_path / "audit.npz") as kept:
        run = json.loads(str(kept["facts"]))["run"]
    rows = [(run, row["index"], row["old_label"], row["new_label"], row["new_label"], "", "") for row in suspects]
    (tmp_path / "d.csv").write_text(lines(*rows))
    mended = json.loads(invoke("--labels", tmp_path / "d.csv", "--json").out)
    assert list(mended["methods"]) == ["ERM", "Random", "Dropout", "RDIA", "Decided"]
    assert mended["methods"]["Decided"] == mended["methods"]["RDIA"] == record["methods"]["RDIA"]  # two classes: R is the flip
    found = round(record["precision"] * record["relabeled"])
    assert mended["decided"] == {"labels": len(rows), "changed": len(rows), "right": found}
    out = invoke("--labels", tmp_path / "d.csv").out
    assert f"{len(rows)} labels decided by a person, {len(rows)} of them changed; {found} are right" in out


def test_labels_of_another_run_are_one_line_and_status_2(tmp_path: Path, invoke: Invoke) -> None:
    invoke("--result_dir", tmp_path, "--seed", 2, "--quiet")
    with np.load(tmp_path / "audit.npz") as kept:
        run = json.loads(str(kept["facts"]))["run"]
    (tmp_path / "d.csv").write_text(lines((run, 1, "0", "1", "1", "", "")))
    status, out, err = invoke("--labels", tmp_path / "d.csv", "--quiet")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "seed is 2 in the file and 1 here" in err


def test_what_a_spreadsheet_made_of_it_is_read(tmp_path: Path) -> None:
    """Semicolons, +1 as the number 1, and an apostrophe before what it would compute."""
    known = dataset()._replace(classes=("+1", "=b"))
    (tmp_path / "d.csv").write_text(f"run;index;given;decided\n{RUN};7;1;'=b\n{RUN};3;'=b;1.0\n")
    found = read_decisions(tmp_path / "d.csv", RUN, known, GIVEN)
    assert (found.labels.tolist(), found.rows.tolist()) == ([1, 0, 1, 0], [True, True, False, False])

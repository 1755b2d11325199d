"""Two people's decisions compared and merged."""

import csv
from pathlib import Path

import pytest

import page.agree
from run.records import write_csv
from tests.invoke import Invoke

RUN = "dataset=a&data=0"


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Invoke:
    return Invoke(page.agree, "page.agree", monkeypatch, capsys)


def decided(path: Path, labels: dict[int, str], run: str = RUN) -> Path:
    write_csv(path, ["run", "index", "given", "decided"], [(run, index, "cat", label) for index, label in labels.items()])
    return path


def test_agreement_kappa_and_what_differs(tmp_path: Path, invoke: Invoke) -> None:
    """Of four both decided, three are the same. By chance: 3/4 * 1/2 + 1/4 * 1/2 = 1/2, so kappa is (3/4 - 1/2) / (1 - 1/2)."""
    first = decided(tmp_path / "a.csv", {9: "cat", 10: "cat", 2: "dog", 3: "cat", 5: "dog"})
    second = decided(tmp_path / "b.csv", {9: "cat", 10: "dog", 2: "dog", 3: "cat", 7: "cat"})
    merged = tmp_path / "out" / "both.csv"
    ended = invoke(first, second, merged)
    assert ended.status == 0
    assert ended.out.splitlines() == [
        "decided by both: 4, the same label: 3 (75.0%), Cohen's kappa 0.500",
        "by the first alone: 1, by the second alone: 1",
        "  row 10: given cat, the first says cat, the second dog",
        "these are not in the merged file: settle them, and add them there",
    ]
    with merged.open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["run"], row["index"], row["decided"]) for row in rows] == [
        (RUN, "2", "dog"), (RUN, "3", "cat"), (RUN, "5", "dog"), (RUN, "7", "cat"), (RUN, "9", "cat"),
    ]  # fmt: skip


def test_rows_drawn_at_random_stay_known_as_such(tmp_path: Path, invoke: Invoke) -> None:
    first = decided(tmp_path / "a.csv", {1: "cat", 2: "dog"})
    write_csv(
        tmp_path / "b.csv", ["run", "index", "given", "decided", "drawn"], [(RUN, 1, "cat", "cat", "1"), (RUN, 3, "cat", "cat", 0)]
    )
    assert invoke(first, tmp_path / "b.csv", tmp_path / "c.csv").status == 0
    with (tmp_path / "c.csv").open() as file:
        assert [(row["index"], row["drawn"]) for row in csv.DictReader(file)] == [("1", "1"), ("2", ""), ("3", "")]


def test_of_one_label_there_is_no_kappa_and_many_differences_are_counted(tmp_path: Path, invoke: Invoke) -> None:
    first, second = decided(tmp_path / "a.csv", {1: "cat"}), decided(tmp_path / "b.csv", {1: "cat", 2: "dog"})
    assert "kappa" not in invoke(first, second, tmp_path / "c.csv").out
    first = decided(tmp_path / "a.csv", dict.fromkeys(range(30), "cat"))
    second = decided(tmp_path / "b.csv", dict.fromkeys(range(30), "dog"))
    lines = invoke(first, second, tmp_path / "d.csv").out.splitlines()
    assert (len(lines), lines[-2]) == (24, "  and 10 more")


def test_what_cannot_be_compared_is_one_line(tmp_path: Path, invoke: Invoke) -> None:
    first, other = decided(tmp_path / "a.csv", {1: "cat"}), decided(tmp_path / "b.csv", {1: "cat"}, "dataset=b&data=1")
    write_csv(tmp_path / "twice.csv", ["run", "index", "given", "decided"], [(RUN, 1, "cat", "cat")] * 2)
    for paths, said in (
        ((first, other, tmp_path / "c.csv"), "belong to different runs"),
        ((first, first, first), "is there already"),
        ((first, tmp_path / "twice.csv", tmp_path / "c.csv"), "index 1 appears twice"),
        ((first, tmp_path / "none.csv", tmp_path / "c.csv"), "cannot be read"),
    ):
        ended = invoke(*paths)
        assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert said in ended.err
    assert not (tmp_path / "c.csv").exists()

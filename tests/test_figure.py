import json
from pathlib import Path

import pytest

from data.errors import InputError
from Figure.report import results_table
from Figure.results import Record, append_line, environment, write_csv
from Figure.stages import Stages


def test_lines_are_appended_whole_and_read_back_to_the_last_digit(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    records: list[Record] = [{"value": 0.1 + 0.2}, {"value": None}]
    for record in records:
        append_line(path, record)
    assert [json.loads(line) for line in path.read_text().splitlines()] == records


def test_a_torn_last_line_costs_no_later_line(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text('{"seed": 1}\n{"seed": 2, "los')
    append_line(path, {"seed": 3})
    assert path.read_text().splitlines() == ['{"seed": 1}', '{"seed": 2, "los', '{"seed": 3}']


def test_a_value_that_is_not_finite_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        append_line(tmp_path / "results.jsonl", {"loss": float("nan")})
    assert not list(tmp_path.iterdir())


def test_a_table_keeps_every_digit_and_quotes(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ["index", "phi", "label"], [(1, 0.1 + 0.2, "a,b")])
    assert (tmp_path / "t.csv").read_text() == 'index,phi,label\n1,0.30000000000000004,"a,b"\n'
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


@pytest.mark.parametrize("write", [lambda path: append_line(path, {}), lambda path: write_csv(path, [], [])])
def test_a_place_that_cannot_be_written_is_one_line(write, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write(tmp_path / "file" / "results.jsonl")


def test_environment_names_versions_and_commit() -> None:
    import numpy as np

    assert environment()["numpy"] == np.__version__
    assert set(environment()) == {"python", "numpy", "scipy", "scikit-learn", "device", "commit"}


def test_stages_are_timed_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    stages = Stages(2, quiet=False)
    for name in ("first", "second"):
        with stages(name):
            pass
    stages.close()
    assert list(stages.seconds) == ["first", "second"]
    assert all(seconds >= 0 for seconds in stages.seconds.values())
    assert capsys.readouterr().err == ""  # standard error is no terminal here


def test_the_report_shows_a_dash_where_there_is_nothing_to_count() -> None:
    metrics = {"log_loss": 0.25, "accuracy": 0.5, "auc": None}
    record = {
        "dataset": "mine",
        "noise": 0.2,
        "alpha": 1.0,
        "seed": 1,
        "n_train": 10,
        "relabeled": 0,
        "precision": None,
        "recall": 0.0,
        "seconds": {},
        "methods": {"ERM": {"validation": metrics, "test": metrics}},
    }
    table = results_table(record, flipped=2)
    assert "2 of 10 training labels flipped" in table
    assert "precision -, recall 0.0000" in table
    assert table.count("0.2500     0.5000        -") == 2
    assert "not known" in results_table(record, flipped=0)

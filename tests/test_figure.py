import csv
import io
import json
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import scipy.sparse as sp

from data.errors import InputError
from models.progress import ProgressBar
from run.gallery import as_picture, draw_gallery
from run.phi_plot import draw_phi
from run.records import Record, append_line, environment, write_csv
from run.report import results_table
from run.stages import Stages


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


def test_cells_that_hold_line_ends_come_back(tmp_path: Path) -> None:
    rows = [["cat\r", "dog\n", "a\r\nb", 'x"y', "a=1+1", "é"], ["plain", "", " ", ",", "'", "\r"]]
    write_csv(tmp_path / "t.csv", list("abcdef"), rows)
    with (tmp_path / "t.csv").open(newline="") as file:
        assert [*csv.reader(file)] == [list("abcdef"), *rows]
    assert (tmp_path / "t.csv").read_bytes().startswith(b"a,b,c,d,e,f\n")


def test_text_that_a_spreadsheet_would_compute_gets_an_apostrophe(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ["a", "=b"], [["=1+1", "@sum"], ["+1", -2.5], ["-x", "- y"]])
    assert (tmp_path / "t.csv").read_text() == "a,'=b\n'=1+1,'@sum\n+1,-2.5\n'-x,'- y\n"


@pytest.mark.parametrize("write", [lambda path: append_line(path, {}), lambda path: write_csv(path, [], [])])
def test_a_place_that_cannot_be_written_is_one_line(write, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write(tmp_path / "file" / "results.jsonl")


def test_environment_names_versions_commit_and_device_and_torch_where_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    found = environment()
    assert list(found) == ["python", "numpy", "scipy", "scikit-learn", "device", "commit"]
    assert (found["numpy"], found["device"]) == (np.__version__, "cpu")
    monkeypatch.setitem(sys.modules, "torch", ModuleType("torch"))
    assert environment("cuda:0").items() >= {"torch": version("torch"), "device": "cuda:0"}.items()


def test_stages_are_timed_in_order_and_again_adds_up(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter([0.0, 1.0, 10.0, 12.0, 20.0, 24.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    stages = Stages(2, quiet=False)
    for name in ("first", "second", "first"):
        with stages(name):
            pass
    stages.close()
    assert list(stages.seconds.items()) == [("first", 5.0), ("second", 2.0)]
    assert capsys.readouterr().err == ""  # that is no terminal, and the stages were short


def test_a_log_gets_a_line_every_30_seconds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with ProgressBar(12, "run", title="alpha") as bar, ProgressBar(12, "run", quiet=True) as silent:
        for seconds in (29, 1, 29, 1):
            now[0] += seconds
            bar.update(note="accuracy 9%")
            silent.update()
        now[0] += 30
        bar.begin("noise")
    said = "alpha: 2 of 12 runs, accuracy 9%, 00:30 so far\nalpha: 4 of 12 runs, accuracy 9%, 01:00 so far\n"
    assert capsys.readouterr() == ("", said + "noise: 4 of 12 runs, 01:30 so far\n")


def test_a_terminal_gets_a_bar_that_is_gone_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with ProgressBar(2, "epoch", title="fit") as bar:
        bar.update(note="accuracy 9%")
        bar.update(0, "accuracy 10%")
    shown = terminal.getvalue()
    assert "fit:   0%|" in shown
    assert " 1/2 [" in shown
    assert "accuracy 10%]" in shown
    assert shown.endswith("\r")
    assert not shown.rsplit("\r", 2)[1].strip()


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
    assert "\nrelabeled 0 of 10 (Phi > alpha = 1), " in table
    assert "\nleft out 3 suspects of 10 (Phi > alpha = 1), " in results_table({**record, "relabel": "drop", "relabeled": 3}, 2)


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3), (3, 4, 5), (1, 4, 5), (4, 5, 1)])
def test_a_picture_of_any_layout_is_drawn(shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).random((4, 5, 3 if 3 in shape else 1))
    laid_out = values.transpose(2, 0, 1).reshape(shape) if shape[0] in {1, 3} else values.reshape(shape)
    seen = as_picture(laid_out)
    expected = (values - values.min()) / np.ptp(values)
    np.testing.assert_allclose(seen, expected if 3 in shape else expected[:, :, 0])
    assert as_picture(np.zeros((2, 2))).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("count", [1, 9, 40])
@pytest.mark.parametrize("true", [None, ["a"] * 40])
def test_a_gallery_holds_what_there_is(count: int, true: list[str] | None, tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((count, 6))
    for matrix in (x, sp.csr_array(x)):
        draw_gallery(matrix, (2, 3), ["b"] * count, ["a", "c"] * count, true, tmp_path / "gallery.png")
        assert (tmp_path / "gallery.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("phi", [np.zeros(5), np.array([1e-9, -3.0, 2.0, 0.0, 50.0]), np.full(5, -1e-12)])
@pytest.mark.parametrize("flipped", [0, 5])
def test_a_histogram_of_any_influences_is_drawn(phi: np.ndarray, flipped: int, tmp_path: Path) -> None:
    draw_phi(phi, np.arange(5) < flipped, 0.0002, tmp_path / "phi.png")
    assert (tmp_path / "phi.png").read_bytes().startswith(b"\x89PNG")

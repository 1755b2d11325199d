"""The targets `looks` and `promise`, on small problems."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from Figure import looks, promise_target
from Figure.bench_data import Cell
from Figure.looks import ORDERS, LooksConfig, after_looks, look, priorities, said_labels, show_looks
from Figure.promise_target import PromiseConfig, keep_promise, show_promise
from Figure.target import Output
from models.repair import RepairData, Repaired


def small_cell(seed: int = 0) -> Cell:
    """Three clouds of points, 30% of 90 training labels wrong."""
    rng = np.random.default_rng(seed)
    true = rng.integers(3, size=240)
    x = 2 * np.eye(3)[true] + rng.standard_normal((240, 3)) / 2
    given = np.where(rng.random(90) < 0.3, (true[:90] + 1) % 3, true[:90])
    return Cell(RepairData(x[:90], given, x[90:140], true[90:140], 3), true[:90], x[140:], true[140:])


def repaired_with(**parts: Any) -> Repaired:
    """A result of which only these parts are used."""
    return Repaired(**{**dict.fromkeys(Repaired._fields), **parts})


def test_each_order_begins_where_it_says() -> None:
    labels = np.array([[0.5, 0.5], [0.1, 0.9], [0.9, 0.1]])
    found = repaired_with(
        labels=labels, p_wrong=np.array([0.5, 0.9, 0.1]), phi=np.array([1, 2, 3]), self_confidence=np.array([0.9, 0.8, 0.1])
    )
    first = {order: priorities(found, order, np.random.default_rng(0))[0] for order in ORDERS}
    del first["random"]
    assert first == {"least certain": 0, "most surely wrong": 1, "largest Phi": 2, "least self-confidence": 2}


def test_a_reviewer_errs_as_often_as_it_says() -> None:
    true = np.random.default_rng(0).integers(4, size=4_000)
    assert (said_labels(true, 4, 1.0, np.random.default_rng(1)) == true).all()
    said = said_labels(true, 4, 0.9, np.random.default_rng(1))
    assert (said != true).mean() == pytest.approx(0.1, abs=0.02)
    assert set(said) == {0, 1, 2, 3}


def test_what_is_looked_at_has_the_reviewers_label_and_is_checked() -> None:
    cell = small_cell()
    data = after_looks(cell.data, cell.true, np.array([3, 5]))
    assert data.checked is not None
    assert np.flatnonzero(data.checked).tolist() == [3, 5]
    np.testing.assert_array_equal(data.given[[3, 5]], cell.true[[3, 5]])
    np.testing.assert_array_equal(np.delete(data.given, [3, 5]), np.delete(cell.data.given, [3, 5]))


def test_looks_at_everything_give_the_loss_of_the_true_labels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("models.repair.ROUNDS", 1)
    monkeypatch.setattr(looks, "make_cell", lambda *_: small_cell())
    monkeypatch.setattr(looks, "LOOKS", (20, 90))
    monkeypatch.setattr(looks, "SETS", (("small", "made"),))
    lines = [
        {"config": config._asdict(), **look(config, tmp_path)}
        for order in ("most surely wrong", "random")
        for config in [LooksConfig("small", "made", order, 1.0, 1)]
    ]
    wrong = int((small_cell().data.given != small_cell().true).sum())
    assert [line["wrong"] for line in lines] == [wrong, wrong]
    assert [line["found"][1] for line in lines] == [wrong, wrong]
    assert lines[0]["found"][0] > 15 > lines[1]["found"][0]
    assert lines[0]["losses"][2] == lines[1]["losses"][2] < lines[0]["losses"][0]
    show_looks(lines, Output(tmp_path, own=True), tmp_path)
    table = (tmp_path / "looks.md").read_text().splitlines()[2:]
    assert table[0].split(" | ")[3:6] == ["before", "20 looks", "90 looks"]
    assert len(table) == 4
    assert (tmp_path / "looks.png").stat().st_size > 10_000


def test_a_promise_counts_right_labels_among_the_listed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("models.repair.ROUNDS", 1)
    monkeypatch.setattr(promise_target, "make_cell", lambda config, _: small_cell(config.seed))
    monkeypatch.setattr(promise_target, "BLOCK", 3)
    found = keep_promise(PromiseConfig("wdbc", "symmetric", 1), tmp_path)
    assert found["wrong"] == [int((small_cell(seed).data.given != small_cell(seed).true).sum()) for seed in (1, 2, 3)]
    assert 0 <= found["covered"] <= 3
    line = {
        "config": {"dataset": "wdbc", "noise": "symmetric", "seed": 1},
        "lists": {"0.05": [[0, 0], [10, 9]], "0.1": [[4, 4], [4, 3]], "0.2": [[5, 0], [5, 5]]},
        "wrong": [10, 12],
        "covered": 1,
    }
    show_promise([line], Output(tmp_path, own=True), tmp_path)
    cells = (tmp_path / "promise.md").read_text().splitlines()[2].strip("| ").split(" | ")
    assert cells[:3] == ["symmetric", "1", "2"]
    assert cells[3:6] == ["0.050 ± 0.050", "0.125 ± 0.125", "0.500 ± 0.500"]
    assert cells[6:] == ["0.38", "0.33", "0.21", "50%"]

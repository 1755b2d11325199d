"""The target `examined`: its runs, one of them, and its table."""

from pathlib import Path

import pytest

from Figure.examined_target import CHECKED, EXAMINED_METHODS, ExaminedOf, examined_cell, examined_runs, examined_table
from run.records import Record


def test_a_run_compares_models_rankings_and_lists(tmp_path: Path) -> None:
    found = examined_cell(ExaminedOf("wdbc", "symmetric", 1), tmp_path)
    assert (found["n_train"], found["wrong"]) == (370, pytest.approx(111, abs=20))
    assert found["estimate"] == pytest.approx(found["wrong"], rel=0.3)
    losses = {name: method["log_loss"] for name, method in found["methods"].items()}
    assert max(losses["Examined"], losses[CHECKED]) < losses["ERM"]
    assert found["estimated_share"] == pytest.approx(found["wrong"] / 370, rel=0.3)
    assert min(found["average_precision"].values()) > 0.8
    precision, recall = found["lists"]["Examined"]
    assert precision > 0.8
    assert recall > 0.6


def line(seed: int, cleaned: bool) -> Record:
    """A kept line by hand; without cleanlab, `CleanLearning` is left out."""
    names = [name for name in EXAMINED_METHODS if cleaned or name != "CleanLearning"]
    return {
        "config": {"dataset": "music", "noise": "real", "seed": seed}, "n_train": 100, "wrong": 20,
        "estimate": 10.0 * seed, "estimated_share": 0.3,
        "methods": {name: {"accuracy": 0.5, "log_loss": 1.0} for name in names},
        "average_precision": {"p_wrong": 0.7, "self_confidence": 0.6, CHECKED: 0.9},
        "lists": {name: [None if seed == 1 else 0.8, 0.25] for name in names if name != "ERM"},
    }  # fmt: skip


def test_the_table_leaves_out_what_was_not_run() -> None:
    rows = examined_table([line(1, False), line(2, True)]).splitlines()
    assert rows[0] == "Means of n = 2 seeds."
    models, labels = ([cell.strip() for cell in row.split("|")[1:-1]] for row in rows if row.startswith("| music"))
    assert models == ["music", "real", *["0.500"] * 4, *["1.000"] * 4]
    assert labels == ["music", "real", "0.200", "0.150", "0.300", "0.600", "0.700", "0.900", "0.800", "0.800", "0.250", "0.250"]
    assert "| - |" in examined_table([line(1, False)])
    assert len(examined_runs(1)) == 4 + 16 + 5

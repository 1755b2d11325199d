"""RDIA.py --protocol auto, as a user runs it."""

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from data.noise import NoisyLabels
from models.examine import Examined
from models.repair import RepairData, Repaired
from run.repairing import Found, suggested_columns
from tests.invoke import Invoke

SCRIPT = "RDIA"  # what `invoke` calls


def digits_with_noise(path: Path, test: bool = False, shuffle_test: bool = False) -> np.ndarray:
    """An .npz of the digits 0 to 2 with a quarter of the training labels wrong and 60 trusted rows; which are wrong, (n,)."""
    x, y = load_digits(n_class=3, return_X_y=True)
    rng = np.random.default_rng(0)
    order = rng.permutation(len(y))
    x, y = x[order] / 16, y[order]
    wrong = rng.random(240) < 0.25
    names = np.array(["zero", "one", "two"])
    given = np.where(wrong, (y[:240] + rng.integers(1, 3, 240)) % 3, y[:240])
    parts = {"x_train": x[:240], "y_train": names[given], "x_val": x[240:300], "y_val": names[y[240:300]]}
    if test:
        labels = y[300:].copy()
        parts |= {"x_test": x[300:], "y_test": names[rng.permutation(labels) if shuffle_test else labels]}
    np.savez(path, **parts)
    return wrong


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_every_training_row_is_ranked_and_the_wrong_come_first(invoke: Invoke, tmp_path: Path) -> None:
    wrong = digits_with_noise(tmp_path / "mine.npz")
    ended = invoke("--dataset", tmp_path / "mine.npz", "--protocol", "auto", "--result_dir", tmp_path, "--json")
    assert ended.status == 0, ended.err
    rows = rows_of(tmp_path / "ranking.csv")
    assert list(rows[0]) == [
        "index", "label", "p_wrong", "phi", "self_confidence", "trusted_confidence", "suggested_label", "p_suggested", "listed",
    ]  # fmt: skip
    places = np.array([int(row["index"]) for row in rows])
    assert sorted(places) == list(range(240))  # none is taken away for validation or test
    p_wrong = np.array([float(row["p_wrong"]) for row in rows])
    assert np.all(np.diff(p_wrong) <= 0)
    assert wrong[places[: wrong.sum()]].mean() > 0.9
    record = json.loads(ended.out)
    assert (record["n_train"], record["n_trusted"], record["n_test"], record["noise"]) == (240, 60, 0, 0.0)
    assert record["wrong_labels"]["low"] <= wrong.sum() <= record["wrong_labels"]["high"]
    listed = np.array([row["listed"] == "1" for row in rows])
    assert record["listed"] == listed.sum() > 0
    assert wrong[places[listed]].mean() > 0.75
    suggested = np.array([row["suggested_label"] for row in rows])
    assert set(suggested) <= {"zero", "one", "two", "unsure"}
    assert set(record["methods"]) == {"ERM", "Trusted", "ERM + Trusted", "Repaired"}
    assert all(set(method) == {"trusted"} for method in record["methods"].values())
    losses = {name: method["trusted"]["log_loss"] for name, method in record["methods"].items()}
    assert min(losses, key=losses.__getitem__) == "Repaired"


def test_test_labels_change_the_test_metrics_and_nothing_else(invoke: Invoke, tmp_path: Path) -> None:
    found: list[Any] = []
    for shuffled in (False, True):
        folder = tmp_path / str(shuffled)
        folder.mkdir()
        digits_with_noise(folder / "mine.npz", test=True, shuffle_test=shuffled)
        ended = invoke("--dataset", folder / "mine.npz", "--protocol", "auto", "--result_dir", folder, "--json", "--quiet")
        record = json.loads(ended.out)
        del record["seconds"], record["dataset"]
        found.append((record, (folder / "ranking.csv").read_text()))
    assert found[0][1] == found[1][1]
    accuracies = [record["methods"]["Repaired"].pop("test")["accuracy"] for record, _ in found]
    assert accuracies[0] > 0.9
    assert accuracies[1] < 0.5
    for record, _ in found:
        for method in record["methods"].values():
            method.pop("test", None)
    assert found[0][0] == found[1][0]


def test_a_built_in_set_is_repaired_better_than_what_a_user_would_do(invoke: Invoke) -> None:
    record = json.loads(invoke("--protocol", "auto", "--json", "--quiet").out)
    losses = {name: method["test"]["log_loss"] for name, method in record["methods"].items()}
    assert min(losses, key=losses.__getitem__) == "Repaired"
    assert record["precision"] > 0.9
    assert record["recall"] > 0.9
    assert record["wrong_labels"]["low"] <= 127 <= record["wrong_labels"]["high"]


def test_a_stricter_level_lists_fewer(invoke: Invoke) -> None:
    counts = [json.loads(invoke("--protocol", "auto", "--fdr", level, "--json", "--quiet").out)["listed"] for level in (0.05, 0.3)]
    assert counts[0] < counts[1]


def test_the_table_says_what_was_found_and_few_trusted_rows_are_noted(invoke: Invoke, tmp_path: Path) -> None:
    digits_with_noise(tmp_path / "mine.npz")
    ended = invoke("--dataset", tmp_path / "mine.npz", "--protocol", "auto")
    assert "note: there are 60 trusted rows" in ended.err
    assert "60 trusted rows, held out" in ended.out
    assert "wrong labels: about " in ended.out
    assert "of which at most 10% are right, in expectation" in ended.out


def test_a_suspect_with_another_label_is_to_change_and_what_is_likely_wrong_to_look_at() -> None:
    given = np.zeros(4, dtype=int)
    q = np.array([[0.1, 0.9], [0.1, 0.9], [0.4, 0.6], [0.9, 0.1]])
    known: dict[str, Any] = {"labels": q, "probabilities": q, "p_wrong": q[:, 1]}
    repaired, examined = (kind(**{**dict.fromkeys(kind._fields), **known}) for kind in (Repaired, Examined))
    data = RepairData(np.zeros((4, 1)), given, np.zeros((0, 1)), given[:0], 2)
    listed = np.array([True, False, True, False])
    for found, expected in ((repaired, ["change", "look", "look", "keep"]), (examined, ["look", "look", "look", "keep"])):
        dataset: Any = SimpleNamespace(classes=("a", "b"))
        whole = Found({}, dataset, NoisyLabels(given, given > 0), None, data, found, listed, "")
        assert suggested_columns(whole)["decision"].tolist() == expected


def test_trusted_rows_of_one_class_judge_nothing(invoke: Invoke, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(["a", "b"], 40)
    x, x_val = rng.standard_normal((80, 3)) + 2 * (labels == "b")[:, None], rng.standard_normal((20, 3))
    np.savez(tmp_path / "mine.npz", x_train=x, y_train=labels, x_val=x_val, y_val=np.repeat(["a"], 20))
    ended = invoke("--dataset", tmp_path / "mine.npz", "--json")
    assert "there are 20 trusted rows of one class: the labels are examined by cross-fitting alone" in ended.err
    assert json.loads(ended.out)["fdr"] is None


def test_that_fits_take_some_of_the_rows_is_said(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "at most 100 of the 319 training rows each, at random; every row is examined"
    assert said not in invoke("--protocol", "auto").err
    for module in ("models.repair", "run.repairing"):
        monkeypatch.setattr(f"{module}.FIT_ROWS", 100)
    assert said in invoke("--protocol", "auto").err


def test_of_labels_that_seem_right_no_other_is_printed(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("x,label\n" + "".join(f"{i % 2 + i / 100},{'ab'[i % 2]}\n" for i in range(40)))
    ended = invoke("--dataset", tmp_path / "mine.csv")
    assert "suspects: 0" in ended.out
    lines = [line for line in ended.out.splitlines() if line.startswith("  row ")]
    assert len(lines) == 5
    assert "rather" not in ended.out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--fdr", 0.1), "--fdr 0.1: is for --protocol auto"),
        (("--protocol", "auto", "--C", 1), "--C 1.0: is for --protocol paper"),
        (("--protocol", "auto", "--alpha", "auto"), "--alpha auto: is for --protocol paper"),
        (("--protocol", "auto", "--relabel", "best"), "--relabel best: is for --protocol paper"),
        (("--protocol", "auto", "--model", "mlp"), "--model mlp: --protocol auto is for linear models"),
        (("--protocol", "auto", "--fdr", 1), "got '1', expected a share above 0 and below 1"),
    ],
)
def test_flags_of_the_other_protocol_are_refused(flags: tuple[object, ...], said: str, invoke: Invoke) -> None:
    ended = invoke(*flags)
    assert (ended.status, ended.err.count("\n")) == (2, 1)
    assert said in ended.err


def test_without_trusted_rows_every_row_is_examined_and_nothing_is_promised(invoke: Invoke, tmp_path: Path) -> None:
    wrong = digits_with_noise(tmp_path / "all.npz")
    with np.load(tmp_path / "all.npz") as parts:
        np.savez(tmp_path / "mine.npz", x_train=parts["x_train"], y_train=parts["y_train"])
    ended = invoke("--dataset", tmp_path / "mine.npz", "--protocol", "auto", "--result_dir", tmp_path)
    assert ended.status == 0
    assert "there are 0 trusted rows: the labels are examined by cross-fitting alone" in ended.err
    assert "expectation" not in ended.out
    assert "--fdr" not in ended.err
    assert "--fdr 0.05 is not used, as it needs trusted rows" in invoke("--dataset", tmp_path / "mine.npz", "--fdr", 0.05).err
    rows = rows_of(tmp_path / "ranking.csv")
    assert len(rows) == 240
    assert not {"phi", "trusted_confidence"} & set(rows[0])
    listed = np.array([int(row["index"]) for row in rows if row["listed"] == "1"])
    assert wrong[listed].mean() > 0.8
    assert wrong[listed].sum() > 0.6 * wrong.sum()

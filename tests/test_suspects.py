"""What RDIA-LS lists of a user's own labels."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from run.suspects import suspects
from tests.invoke import Invoke

FLAGS = (
    "--noise_type",
    "none",
    "--noise_rate",
    0.3,
    "--n_epoch",
    60,
    "--epoch_decay_start",
    30,
    "--warmup",
    "balanced",
    "--result_dir",
)
NAMES = np.array([f"number {digit}" for digit in range(10)])


SCRIPT = "RDIA-LS"  # what `invoke` calls


def listed(folder: Path) -> list[dict[str, str]]:
    with (folder / "suspects.csv").open() as file:
        return list(csv.DictReader(file))


def test_those_with_another_likeliest_label_come_by_the_probability_of_theirs() -> None:
    p = np.array([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.1, 0.1, 0.8], [0.6, 0.3, 0.1], [0.2, 0.1, 0.7]])
    found = suspects(p, np.array([0, 2, 1, 1, 0]))
    assert found.places.tolist() == [2, 4, 1, 3]
    assert found.labels.tolist() == [2, 2, 1, 0]
    assert found.p_old.tolist() == [0.1, 0.2, 0.3, 0.3]
    assert found.p_new.tolist() == [0.8, 0.7, 0.5, 0.6]


def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pictures, true labels, and labels of which three in ten are wrong."""
    x, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    wrong = rng.random(len(y)) < 0.3
    return (x * 15).astype(np.uint8).reshape(-1, 8, 8), y, np.where(wrong, (y + rng.integers(1, 10, len(y))) % 10, y)


def test_the_suspects_of_an_npz_are_rows_of_it_and_most_are_wrong(tmp_path: Path, invoke: Invoke) -> None:
    x, y, given = digits()
    np.savez(tmp_path / "mine.npz", x_train=x, y_train=NAMES[given])
    printed = json.loads(invoke("--dataset", tmp_path / "mine.npz", *FLAGS, tmp_path / "out", "--json").out)
    rows = listed(tmp_path / "out")
    assert (len(rows), printed["precision"], printed["recall"]) == (printed["suspects"], None, None)
    assert list(rows[0]) == ["index", "old_label", "new_label", "p_old", "p_new"]
    places = np.array([int(row["index"]) for row in rows])
    assert len(np.unique(places)) == len(places)
    assert [row["old_label"] for row in rows] == NAMES[given[places]].tolist()
    p_old, p_new = (np.array([float(row[name]) for row in rows]) for name in ("p_old", "p_new"))
    assert (np.diff(p_old) >= 0).all()
    assert ((p_old >= 0) & (p_old <= p_new) & (p_new <= 1)).all()
    assert np.mean(given[places] != y[places]) > 0.85
    assert len(places) > 0.9 * 0.8 * np.sum(given != y)  # a fifth of the rows are the test set
    assert np.mean([row["new_label"] for row in rows] == NAMES[y[places]]) > 0.8
    text = invoke("--dataset", tmp_path / "mine.npz", *FLAGS, tmp_path / "out", "--resume").out
    assert f"suspects, for which the network predicts another label: {len(rows)}\n" in text


def test_the_suspects_of_a_folder_are_named_by_their_files(tmp_path: Path, invoke: Invoke) -> None:
    x, _, given = digits()
    for row in range(600):
        file = tmp_path / "mine" / "train" / NAMES[given[row]] / f"{row}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(x[row]).save(file)
    invoke("--dataset", tmp_path / "mine", *FLAGS, tmp_path / "out")
    files = sorted(path.relative_to(tmp_path / "mine" / "train") for path in (tmp_path / "mine").rglob("*.png"))
    rows = listed(tmp_path / "out")
    assert len(rows) > 60
    for suspect in rows:
        assert suspect["file"] == str(files[int(suspect["index"])])
        assert Path(suspect["file"]).parent.name == suspect["old_label"] != suspect["new_label"]


def test_noise_put_in_is_what_the_suspects_are_judged_against(tmp_path: Path, invoke: Invoke) -> None:
    ended = invoke("--n_epoch", 40, "--epoch_decay_start", 20, "--result_dir", tmp_path, "--json")
    printed, rows = json.loads(ended.out), listed(tmp_path)
    true = load_digits().target
    wrong = [int(row["old_label"]) != true[int(row["index"])] for row in rows]
    assert (printed["suspects"], printed["precision"]) == (len(rows), pytest.approx(np.mean(wrong)))
    assert printed["recall"] > 0.9
    (tmp_path / "suspects.csv").unlink()  # as a kill before it leaves it
    before = (tmp_path / "results.jsonl").read_bytes()
    again = invoke("--n_epoch", 40, "--epoch_decay_start", 20, "--result_dir", tmp_path, "--json", "--resume")
    assert json.loads(again.out) == printed
    assert listed(tmp_path) == rows
    assert (tmp_path / "results.jsonl").read_bytes() == before

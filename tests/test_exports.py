"""Vectors with what they are made from, cleanlab's columns, and tasks for Label Studio and back."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from page.review import load_review
from run.exports import LOCAL_FILES
from run.records import write_csv
from tests.invoke import Invoke
from tests.test_repairing import rows_of
from tests.test_trained import shown

N, WRONG = 120, 24
NAMES = np.array(["cat", "dog & co", "owl"])


SCRIPT = "RDIA"  # what `invoke` calls


class Vectors:
    """120 vectors in three clouds, the first 24 with the next class's label, and 60 trusted ones."""

    rng = np.random.default_rng(0)
    true = rng.integers(3, size=N + 60)
    x = 3 * np.eye(6)[true] + rng.standard_normal((N + 60, 6))
    given = NAMES[np.where(np.arange(N + 60) < WRONG, (true + 1) % 3, true)]
    texts = np.array([f"it is number {row}" for row in range(N + 60)])

    @classmethod
    def npz(cls, path: Path, **beside: Any) -> Path:
        np.savez(path, x_train=cls.x[:N], y_train=cls.given[:N], x_val=cls.x[N:], y_val=cls.given[N:], **beside)
        return path

    @classmethod
    def frame(cls, **more: Any) -> pd.DataFrame:
        part = np.where(np.arange(N + 60) < N, "train", "validation")
        return pd.DataFrame({"embedding": list(cls.x), "text": cls.texts, "label": cls.given, "part": part, **more})


@pytest.mark.parametrize("name", ["text_train", "text"])
def test_the_text_of_a_vector_is_shown_and_its_entries_are_not(name: str, tmp_path: Path, invoke: Invoke) -> None:
    data = Vectors.npz(tmp_path / "mine.npz", **{name: Vectors.texts[:N]})
    assert invoke("--dataset", data, "--result_dir", tmp_path / "out", "--audit", tmp_path / "p.html").status == 0
    ranking = rows_of(tmp_path / "out" / "ranking.csv")
    assert all(row["text"] == f"it is number {row['index']}" for row in ranking)
    _, arrays = shown(tmp_path / "p.html")
    assert not arrays["columns"].size
    assert "it is number 5" in (tmp_path / "p.html").read_text()


def test_the_picture_of_a_vector_is_shown(tmp_path: Path, invoke: Invoke) -> None:
    (tmp_path / "pics").mkdir()
    files = np.array([f"pics/{row}.png" for row in range(N)])
    for row, file in enumerate(files):
        Image.new("RGB", (90, 60 + row % 7), (200, row, 30)).save(tmp_path / file)
    (tmp_path / files[3]).write_bytes(b"no picture")
    data = Vectors.npz(tmp_path / "mine.npz", file_train=files)
    assert invoke("--dataset", data, "--audit", tmp_path / "p.html", "--protocol", "auto").status == 0
    facts, _ = shown(tmp_path / "p.html")
    assert (facts["pictures"], facts["tile"]) == (N, [64, 64])


def test_beside_vectors_that_do_not_fit_is_one_line(tmp_path: Path, invoke: Invoke) -> None:
    data = Vectors.npz(tmp_path / "mine.npz", text=Vectors.texts[:7])
    ended = invoke("--dataset", data)
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert f"text holds <U16 of the shape (7,), expected {N} strings, one for each row of x_train" in ended.err


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_a_table_may_have_vectors(kind: str, tmp_path: Path, invoke: Invoke) -> None:
    path, frame = tmp_path / f"mine.{kind}", Vectors.frame()
    frame.to_parquet(path) if kind == "parquet" else frame.to_json(path, orient="records", lines=True)
    ended = invoke("--dataset", path, "--part_column", "part", "--result_dir", tmp_path, "--audit", tmp_path / "p.html")
    assert ended.status == 0
    assert "7 features" in ended.out  # six entries and a constant; the text is none
    assert "beside the vectors text is for you to see, and not used" in ended.err
    found = pd.read_parquet(tmp_path / "corrected.parquet") if kind == "parquet" else pd.read_csv(tmp_path / "corrected.csv")
    vectors = ["embedding"] if kind == "parquet" else []  # a CSV has none
    assert list(found) == [*vectors, "text", "label", "part", "suggested_label", "p_wrong", "decision"]
    assert (found["p_wrong"][:WRONG] > 0.5).sum() > 0.8 * WRONG
    _, arrays = shown(tmp_path / "p.html")
    assert not arrays["columns"].size
    assert "it is number 5" in (tmp_path / "p.html").read_text()


def test_lists_that_are_no_vectors_are_one_line(tmp_path: Path, invoke: Invoke) -> None:
    Vectors.frame(tags=[["a"]] * (N + 60)).to_json(tmp_path / "mine.jsonl", orient="records", lines=True)
    ended = invoke("--dataset", tmp_path / "mine.jsonl")
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "the column tags holds lists that are no vectors" in ended.err


def test_cleanlabs_columns_are_in_the_order_of_the_data(tmp_path: Path, invoke: Invoke) -> None:
    data = Vectors.npz(tmp_path / "mine.npz")
    assert invoke("--dataset", data, "--result_dir", tmp_path, "--export", "cleanlab").status == 0
    found, ranking = rows_of(tmp_path / "cleanlab.csv"), {row["index"]: row for row in rows_of(tmp_path / "ranking.csv")}
    assert list(found[0]) == ["index", "is_label_issue", "label_score", "given_label", "predicted_label"]
    assert [row["index"] for row in found] == [str(row) for row in range(N)]
    for row in found:
        p_wrong = float(ranking[row["index"]]["p_wrong"])
        assert float(row["label_score"]) == pytest.approx(1 - p_wrong)
        assert row["is_label_issue"] == str(p_wrong > 0.5)
        assert row["given_label"] == ranking[row["index"]]["label"]
    assert np.mean([row["predicted_label"] == NAMES[Vectors.true[int(row["index"])]] for row in found]) > 0.95


@pytest.mark.parametrize("minimal", [False, True])
def test_decisions_come_back_from_label_studio(minimal: bool, tmp_path: Path, invoke: Invoke) -> None:
    """As its export: JSON has the tasks with annotations, JSON-MIN the data and the choice."""
    data = Vectors.npz(tmp_path / "mine.npz", text=Vectors.texts[:N])
    assert invoke("--dataset", data, "--result_dir", tmp_path, "--export", "label_studio").status == 0
    tasks = json.loads((tmp_path / "label_studio.json").read_text())
    assert {task["data"]["sample"] for task in tasks[:10]} <= set(Vectors.texts[:WRONG])
    assert [task["predictions"][0]["score"] for task in tasks[:5]] == sorted(
        (t["predictions"][0]["score"] for t in tasks[:5]), reverse=True
    )
    view = ElementTree.fromstring((tmp_path / "label_studio.xml").read_text())
    assert [choice.get("value") for choice in view.iter("Choice")] == NAMES.tolist()
    exported = []
    for number, task in enumerate(tasks[:4]):
        label = NAMES[Vectors.true[task["data"]["index"]]]
        result = {"from_name": "decided", "to_name": "sample", "type": "choices", "value": {"choices": [label]}}
        annotations = [{"was_cancelled": True, "result": [{**result, "value": {"choices": ["owl"]}}]}, {"result": [result]}]
        full = {"id": number, "data": task["data"], "annotations": annotations if number < 3 else []}
        exported.append({"id": number, **task["data"], **({"decided": label} if number < 3 else {})} if minimal else full)
    (tmp_path / "back.json").write_text(json.dumps(exported))
    record = json.loads(invoke("--dataset", data, "--labels", tmp_path / "back.json", "--json").out)
    assert record["decided"] == {"labels": 3, "changed": 3, "right": None}


def picture_files(folder: Path) -> Path:
    """30 pictures of two classes, the first four in the wrong folder, and 20 checked ones."""
    for part, n in (("train", 30), ("val", 20)):
        for row in range(n):
            true = row % 2
            name = "ab"[true ^ (part == "train" and row < 4)]
            (folder / part / name).mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(row).integers(100, size=(8, 8)) + 150 * true
            Image.fromarray(pixels.astype(np.uint8)).save(folder / part / name / f"{row}.png")
    return folder


def test_the_tasks_of_pictures_name_their_files(tmp_path: Path, invoke: Invoke) -> None:
    data = picture_files(tmp_path / "pics")
    assert invoke("--dataset", data, "--result_dir", tmp_path, "--export", "label_studio", "cleanlab").status == 0
    first = json.loads((tmp_path / "label_studio.json").read_text())[0]["data"]
    assert first["image"] == LOCAL_FILES + first["file"]
    assert '<Image name="sample" value="$image"/>' in (tmp_path / "label_studio.xml").read_text()


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ("[{]", "is not JSON"),
        ("[1]", "task 1: is not a task"),
        ('[{"data": {"run": "a"}, "annotations": []}]', "task 1: has no index in its data"),
        ('[{"run": "a", "index": 0, "given": "b"}]', "has no decisions"),
        (
            '[{"data": {"run": "a", "index": 0, "given": "b"}, "annotations": [{"result": [{"from_name": "decided", "value":'
            ' {"choices": ["x", "y"]}}]}]}]',
            "task 1: has the labels x and y, expected one",
        ),
    ],
)
def test_tasks_that_cannot_be_read_are_one_line(tasks: str, said: str, tmp_path: Path, invoke: Invoke) -> None:
    data = Vectors.npz(tmp_path / "mine.npz")
    (tmp_path / "back.json").write_text(tasks)
    ended = invoke("--dataset", data, "--labels", tmp_path / "back.json")
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert said in ended.err


def test_an_export_needs_a_folder_and_the_protocol_auto(tmp_path: Path, invoke: Invoke) -> None:
    data = Vectors.npz(tmp_path / "mine.npz")
    for flags, said in ((("--dataset", data), "needs a --result_dir"), (("--result_dir", tmp_path), "is for --protocol auto")):
        ended = invoke(*flags, "--export", "cleanlab")
        assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert f"--export cleanlab: {said}" in ended.err


def test_a_csv_of_label_studio_is_read_as_it_is(tmp_path: Path, invoke: Invoke) -> None:
    data = Vectors.npz(tmp_path / "mine.npz")
    invoke("--dataset", data, "--result_dir", tmp_path, "--export", "label_studio")
    task = json.loads((tmp_path / "label_studio.json").read_text())[0]["data"]
    row = ("alice", "owl", task["given"], 7, task["index"], task["run"], "2026-01-01")
    write_csv(tmp_path / "back.csv", ["annotator", "decided", "given", "id", "index", "run", "created_at"], [row])
    record = json.loads(invoke("--dataset", data, "--labels", tmp_path / "back.csv", "--json").out)
    assert record["decided"]["labels"] == 1


def test_a_folder_comes_back_as_a_list_of_files_with_what_was_found_and_decided(tmp_path: Path, invoke: Invoke) -> None:
    data, out = picture_files(tmp_path / "pics"), tmp_path / "out"
    ended = invoke("--dataset", data, "--result_dir", out)
    assert f"your pictures with what was found: {out / 'labels.csv'}" in ended.out
    found, ranking = rows_of(out / "labels.csv"), {row["file"]: row for row in rows_of(out / "ranking.csv")}
    assert list(found[0]) == ["file", "label", "suggested_label", "p_wrong", "decision"]
    assert [row["file"] for row in found] == sorted(ranking)
    for row in found:
        ranked = ranking[row["file"]]
        assert (row["label"], row["p_wrong"]) == (row["file"][0], ranked["p_wrong"])
        assert row["suggested_label"] == ranked["suggested_label"]
    run, (kept, changed, *_) = load_review(out).facts["run"], found
    decided = [(run, ranking[row["file"]]["index"], "a", label) for row, label in ((kept, "a"), (changed, "b"))]
    write_csv(tmp_path / "d.csv", ["run", "index", "given", "decided"], decided)
    assert invoke("--dataset", data, "--result_dir", out, "--labels", tmp_path / "d.csv").status == 0
    first, second, *_ = rows_of(out / "labels.csv")
    assert [*first.values()] == [kept["file"], "a", "a", "0.0", "keep"]
    assert [*second.values()] == [changed["file"], "a", "b", "1.0", "change"]
    assert invoke("--dataset", data, "--alpha", 0, "--result_dir", out).status == 0
    found, listed = rows_of(out / "labels.csv"), {row["file"] for row in rows_of(out / "relabeled.csv")}
    assert list(found[0]) == ["file", "label", "suggested_label", "phi", "decision"]
    assert {row["file"] for row in found if row["decision"] == "change"} == listed != set()


def test_decisions_are_not_written_over(tmp_path: Path, invoke: Invoke) -> None:
    (tmp_path / "labels.csv").write_text("run,index,given,decided\n")
    ended = invoke("--dataset", "digits", "--protocol", "auto", "--labels", tmp_path / "labels.csv", "--result_dir", tmp_path)
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "labels.csv: is where this run may write; give the file another name" in ended.err
    assert (tmp_path / "labels.csv").read_text() == "run,index,given,decided\n"


@pytest.mark.parametrize("flags", [(), ("--alpha", 0)])
def test_a_log_says_how_many_pictures_are_read(
    flags: tuple[object, ...], tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.progress.LOG_SECONDS", 0.0)
    data = picture_files(tmp_path / "pics")
    said = re.findall(r"^load: 1 of \d stages, (.*), \d\d:\d\d so far$", invoke("--dataset", data, *flags).err, re.MULTILINE)
    assert said == [*["20 of 30", "30 of 30"] * 2, *["20 of 20"] * 2]
    assert invoke("--dataset", data, *flags, "--quiet").err == ""

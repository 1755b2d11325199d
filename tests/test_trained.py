"""The review page of RDIA-LS: suspects of a trained network, and training on a person's decisions."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import page.__main__
from models.settings import Method, Settings
from page.render import KINDS
from page.review import load_review
from run.prepare import can_trust
from run.records import write_csv
from tests.browser import absent, chromium
from tests.invoke import Invoke
from tests.test_repairing import rows_of

LONGER = ("--noise_rate", 0.1, "--noise_type", "none", "--n_epoch", 60, "--batch_size", 32, "--lr", 0.01, "--quiet")
FLAGS = ("--n_epoch", 12, "--epoch_decay_start", 8, "--init_epoch", 3, "--quiet")


SCRIPT = "RDIA-LS"  # what `invoke` calls


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """600 pictures of three classes, a fifth of the labels wrong, with test pictures."""
    rng = np.random.default_rng(0)
    true = rng.integers(3, size=600)
    x = (rng.random((600, 8, 8, 3)) + 2 * np.eye(3)[true][:, None, None, :]) / 3
    given = np.where(np.arange(600) < 120, (true + 1) % 3, true)
    np.savez(tmp_path / "mine.npz", x_train=x, y_train=given, x_test=x[:60], y_test=true[:60])
    return tmp_path / "mine.npz"


def shown(html: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Facts and arrays of a page."""
    text = re.search(r'<script type="application/json" id="data">(.*?)</script>', html.read_text(), re.DOTALL)
    assert text
    data = json.loads(text[1])
    return data["facts"], {name: np.frombuffer(base64.b64decode(a), KINDS[kind]) for name, (kind, a) in data["arrays"].items()}


def listed(folder: Path) -> list[dict[str, str]]:
    return rows_of(folder / "suspects.csv")


def test_the_page_begins_with_the_suspects_in_their_order(
    mine: Path, tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    html, out = tmp_path / "page.html", tmp_path / "out"
    assert invoke("--dataset", mine, *FLAGS, "--audit", html, "--result_dir", out).status == 0
    facts, arrays = shown(html)
    suspects = listed(out)
    count = facts["suspects"]
    assert count == len(suspects) > 60
    assert [int(row["index"]) for row in suspects] == arrays["rows"][:count].tolist()
    assert [(int(row["old_label"]), int(row["new_label"])) for row in suspects] == list(
        zip(arrays["given"][:count].tolist(), arrays["suggested"][:count].tolist(), strict=True)
    )
    np.testing.assert_allclose(arrays["p_given"][:count], [float(row["p_old"]) for row in suspects], rtol=1e-6)
    assert (arrays["given"][count:] == arrays["suggested"][count:]).all()
    assert (np.diff(arrays["p_given"][count:]) >= 0).all()
    assert sorted(arrays["rows"]) == list(range(600))
    assert (facts["pictures"], facts["tile"], arrays["flipped"].size) == (600, [8, 8], 0)
    again = tmp_path / "again.html"
    assert Invoke(page.__main__, "page", monkeypatch, capsys)(out, again) == (0, "", "")
    assert again.read_bytes() == html.read_bytes()


def test_a_page_changes_nothing_else_and_takes_no_other_files_place(mine: Path, tmp_path: Path, invoke: Invoke) -> None:
    plain, audited = (
        json.loads(invoke("--dataset", mine, *FLAGS, "--json", *more).out) for more in ((), ("--audit", tmp_path / "p.html"))
    )
    assert {**plain, "seconds": 0} == {**audited, "seconds": 0}
    before = mine.read_bytes()
    ended = invoke("--dataset", mine, *FLAGS, "--audit", mine)
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert f"--audit {mine}: exists and was not written by --audit" in ended.err
    assert mine.read_bytes() == before


def test_rows_that_are_no_pictures_have_a_page_without_any(tmp_path: Path, invoke: Invoke) -> None:
    x, labels = np.random.default_rng(0).random((300, 16)), np.arange(300) % 3
    np.savez(tmp_path / "mine.npz", x_train=x, y_train=labels)
    html = tmp_path / "page.html"
    ended = invoke("--dataset", tmp_path / "mine.npz", *FLAGS, "--result_dir", tmp_path / "out", "--audit", html)
    assert "\naccuracy against labels as given: " in ended.out  # 60 of the rows are test rows
    assert "Results on test rows taken from yours, with labels as given" in html.read_text()
    found = load_review(tmp_path / "out")
    assert (found.facts["pictures"], len(found.rows), found.sheets.size) == (0, 240, 0)


def test_a_folder_of_pictures_comes_back_with_what_was_found_and_decided(tmp_path: Path, invoke: Invoke) -> None:
    rng = np.random.default_rng(0)
    for place in range(200):
        path = tmp_path / "mine" / ("train", "test")[place % 5 == 0] / "ab"[place % 2] / f"{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        level = 200 if place % 2 and place % 10 != 1 else 50  # 1.png, 11.png and so on are in the wrong folder
        Image.fromarray((level + rng.integers(0, 40, (8, 8))).astype(np.uint8)).save(path)
    flags, out, decided = (
        ("--dataset", tmp_path / "mine", *FLAGS, "--batch_size", 32, "--n_epoch", 40),
        tmp_path / "out",
        tmp_path / "decided.csv",
    )
    assert invoke(*flags, "--result_dir", out).status == 0
    first = {row["file"]: row for row in rows_of(out / "labels.csv")}
    assert len(first) == 160
    assert (first["b/1.png"]["decision"], first["b/1.png"]["suggested_label"]) == ("look", "a")
    review = load_review(out)
    row = int(review.rows[review.about.tolist().index("b/1.png")])
    write_csv(decided, ["run", "index", "given", "decided"], [(review.facts["run"], row, "b", "a")])
    assert invoke(*flags, "--labels", decided, "--result_dir", tmp_path / "next").status == 0
    after = {row["file"]: row for row in rows_of(tmp_path / "next" / "labels.csv")}["b/1.png"]
    assert after == {"file": "b/1.png", "label": "b", "suggested_label": "a", "p_wrong": "1.0", "decision": "change"}


def test_decisions_are_trained_on_whatever_the_settings(mine: Path, tmp_path: Path, invoke: Invoke) -> None:
    """Decided here: the first 120 labels, which are wrong, to what they were."""
    out, decided = tmp_path / "out", tmp_path / "decided.csv"
    flags = ("--dataset", mine, *FLAGS)
    assert invoke(*flags, "--result_dir", out).status == 0
    run, given = load_review(out).facts["run"], np.load(mine)["y_train"]
    write_csv(decided, ["run", "index", "given", "decided"], [(run, row, given[row], (given[row] - 1) % 3) for row in range(120)])
    found = json.loads(invoke(*flags, "--gamma", 0.3, "--labels", decided, "--json", "--result_dir", tmp_path / "next").out)
    assert found["decided"] == {"labels": 120, "changed": 120, "right": None}
    assert found["estimated_noise_rate"]["estimate"] < 0.1
    assert found["suspects"] < 30 < len(listed(out))
    assert load_review(tmp_path / "next").facts["run"] == run
    assert "120 labels decided by a person, 120 of them changed" in invoke(*flags, "--labels", decided).out
    np.savez(mine, **{**np.load(mine), "y_train": np.roll(given, 1)})
    ended = invoke(*flags, "--labels", decided)
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "belongs to another run: the settings are the same, but the data differ" in ended.err


def test_samples_drawn_and_decided_are_trusted_in_the_next_run(mine: Path, tmp_path: Path, invoke: Invoke) -> None:
    """The next page has all samples, so that it can export these decisions again."""
    html, decided, flags = tmp_path / "drawn.html", tmp_path / "decided.csv", ("--dataset", mine, *FLAGS[:-1])
    assert invoke(*flags, "--audit", html, "--draw", 60).status == 0
    facts, arrays = shown(html)
    rows, given = arrays["rows"].astype(int), np.load(mine)["y_train"]
    assert (facts["order"], facts["suspects"], len(set(rows.tolist()))) == ("drawn", 60, 60)
    assert "To train on them," in html.read_text()
    right = [(facts["run"], row, given[row], (given[row] - 1) % 3 if row < 120 else given[row], 1) for row in rows]
    write_csv(decided, ["run", "index", "given", "decided", "drawn"], right)
    page = tmp_path / "all.html"
    ended = invoke(*flags, "--labels", decided, "--json", "--result_dir", tmp_path / "next", "--audit", page)
    found = json.loads(ended.out)
    assert (found["decided"]["labels"], found["trusted_rows"]) == (60, 60)
    assert "were drawn at random, and are trained on as trusted ones: 60" in ended.err
    assert not set(rows.tolist()) & {int(row["index"]) for row in listed(tmp_path / "next")}
    after, every = shown(page)
    assert (after["run"], after["n_trusted"], sorted(every["rows"])) == (facts["run"], 60, list(range(600)))
    others = invoke(*flags, "--labels", decided, "--json", "--method", "self-teaching")
    assert "trusted_rows" not in json.loads(others.out)


@pytest.mark.parametrize(
    ("drawn", "others", "method", "trusted"),
    [(10, 32, "rdia-ls", True), (9, 32, "rdia-ls", False), (10, 31, "rdia-ls", False), (10, 32, "erm", False)],
)
def test_ten_drawn_samples_or_more_are_trusted_if_a_batch_of_others_is_left(
    drawn: int, others: int, method: Method, trusted: bool
) -> None:
    assert can_trust(np.arange(drawn + others) < drawn, Settings(method=method, batch_size=32)) == trusted


def test_a_label_that_a_person_kept_is_no_suspect_any_more(mine: Path, tmp_path: Path, invoke: Invoke) -> None:
    flags, decided = ("--dataset", mine, *FLAGS, "--json"), tmp_path / "decided.csv"
    first = json.loads(invoke(*flags, "--result_dir", tmp_path / "out").out)
    run, given, before = load_review(tmp_path / "out").facts["run"], np.load(mine)["y_train"], listed(tmp_path / "out")
    kept = [int(row["index"]) for row in before[:20]]
    write_csv(decided, ["run", "index", "given", "decided"], [(run, row, given[row], given[row]) for row in kept])
    found = json.loads(invoke(*flags, "--labels", decided, "--result_dir", tmp_path / "next").out)
    assert not set(kept) & {int(row["index"]) for row in listed(tmp_path / "next")}
    assert found["estimated_noise_rate"] == first["estimated_noise_rate"]  # nothing was changed


def test_other_decisions_are_another_run(mine: Path, tmp_path: Path, invoke: Invoke) -> None:
    flags = ("--dataset", mine, *FLAGS, "--result_dir", tmp_path / "out")
    invoke(*flags)
    run, given = load_review(tmp_path / "out").facts["run"], np.load(mine)["y_train"]
    write_csv(tmp_path / "d.csv", ["run", "index", "given", "decided"], [(run, 0, given[0], (given[0] + 1) % 3)])
    ended = invoke(*flags, "--resume", "--labels", tmp_path / "d.csv")
    assert (ended.status, ended.err.count("\n")) == (2, 1)
    assert "is not the data of the run in" in ended.err


@pytest.mark.skipif(bool(absent()), reason=absent())
def test_a_person_decides_and_the_network_is_trained_on_that(tmp_path: Path, invoke: Invoke) -> None:
    html, said = tmp_path / "page.html", list[str]()
    flags = (*FLAGS, "--n_epoch", 40, "--warmup", "balanced")
    record = json.loads(invoke(*flags, "--audit", html, "--json").out)
    with chromium() as browser:
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.goto(html.as_uri())
        tab.wait_for_selector("html[data-ready]")
        assert not tab.is_visible("#slider")
        assert tab.inner_text("#done").startswith(f"0 of {record['suspects']} suspects decided")
        first = tab.inner_text(".sample >> nth=0")
        assert re.search(r"\d → \d", first)
        assert "Phi" not in tab.inner_text("main")
        tab.focus(".sample[tabindex='0']")
        for key in "aar":
            tab.keyboard.press(key)
        with tab.expect_download() as download:
            tab.click("#export")
        download.value.save_as(tmp_path / "decided.csv")
    assert said == []
    found = json.loads(invoke(*flags, "--labels", tmp_path / "decided.csv", "--json").out)["decided"]
    assert (found["labels"], found["changed"]) == (3, 2)
    assert found["right"] >= 1

"""The review page of --protocol auto, and a repair on a person's decisions."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import page.__main__
from models.examine import examine
from models.repair import RepairData, Repaired, repair
from page.review import load_review
from run.records import write_csv
from tests.browser import absent, chromium
from tests.invoke import Invoke
from tests.test_repair import table
from tests.test_repairing import digits_with_noise, rows_of
from tests.test_trained import shown

WORDS = {"cat": "purrs softly at night", "dog": "barks loudly outside", "owl": "hoots above trees"}
N, WRONG = 150, 30


SCRIPT = "RDIA"  # what `invoke` calls


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A table of 150 texts, of which the first 30 have the next animal's label; 60 trusted rows beside it."""
    rng, names = np.random.default_rng(0), np.array(list(WORDS))
    for name, n, wrong in (("mine.csv", N, WRONG), ("mine.val.csv", 60, 0)):
        true = rng.integers(3, size=n)
        given = np.where(np.arange(n) < wrong, (true + 1) % 3, true)
        says = [" ".join(rng.choice([*WORDS[names[k]].split(), "and", "the", "it"], 5)) for k in true]
        write_csv(tmp_path / name, ["says", "label"], list(zip(says, names[given].tolist(), strict=True)))
    return tmp_path / "mine.csv"


def ranked(folder: Path) -> list[dict[str, str]]:
    return rows_of(folder / "ranking.csv")


def test_a_class_may_be_named_unsure(mine: Path, tmp_path: Path, invoke: Invoke) -> None:
    """It is suggested, changed and exported as under any other name."""
    files = {path: path.read_text() for path in (mine, mine.with_name("mine.val.csv"))}
    decisions, predicted = [], []
    for name in ("unsure", "unsurf"):
        for path, text in files.items():
            path.write_text(text.replace(",dog", f",{name}"))
        out = ("--result_dir", tmp_path / name, "--export", "label_studio")
        assert invoke("--dataset", mine, "--fdr", 0.3, *out).status == 0
        decisions.append([row["decision"] for row in rows_of(tmp_path / name / "corrected.csv")])
        tasks = json.loads((tmp_path / name / "label_studio.json").read_text())
        predicted.append([len(task["predictions"]) for task in tasks])
    assert decisions[0] == decisions[1]
    assert decisions[0].count("change") > 5
    assert predicted[0] == predicted[1]


def test_the_page_has_the_ranking_in_its_order(
    mine: Path, tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    html, out = tmp_path / "page.html", tmp_path / "out"
    assert invoke("--dataset", mine, "--audit", html, "--result_dir", out).status == 0
    facts, arrays = shown(html)
    rows = ranked(out)
    assert arrays["rows"].tolist() == [int(row["index"]) for row in rows]
    np.testing.assert_allclose(1.0 - arrays["p_given"], [float(row["p_wrong"]) for row in rows], atol=1e-6)
    assert [facts["classes"][k] for k in arrays["given"]] == [row["label"] for row in rows]
    for place, row in enumerate(rows):
        suggested = facts["classes"][arrays["suggested"][place]]
        assert suggested == (row["label"] if row["suggested_label"] == "unsure" else row["suggested_label"])
    assert facts["suspects"] == sum(float(row["p_wrong"]) > 0.5 for row in rows)
    assert set(arrays["rows"][:20]) <= set(range(WRONG))
    again = tmp_path / "again.html"
    assert Invoke(page.__main__, "page", monkeypatch, capsys)(out, again) == (0, "", "")
    assert again.read_bytes() == html.read_bytes()


def test_of_two_classes_the_other_one_is_always_suggested(tmp_path: Path, invoke: Invoke) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((80, 3)), np.arange(80) % 2
    np.savez(tmp_path / "mine.npz", x_train=x[:60], y_train=y[:60], x_val=x[60:], y_val=y[60:])
    assert invoke("--dataset", tmp_path / "mine.npz", "--audit", tmp_path / "p.html").status == 0
    arrays = shown(tmp_path / "p.html")[1]
    np.testing.assert_array_equal(arrays["suggested"], 1 - arrays["given"])


def test_decided_labels_are_kept_and_the_others_are_examined_anew(mine: Path, tmp_path: Path, invoke: Invoke) -> None:
    """Decided: the first 20 labels, which are wrong, and row 40, which is right."""
    out, decided = tmp_path / "out", tmp_path / "decided.csv"
    invoke("--dataset", mine, "--result_dir", out)
    before = {int(row["index"]): row for row in ranked(out)}
    names, run = list(WORDS), load_review(out).facts["run"]
    given = {row: before[row]["label"] for row in (*range(20), 40)}
    rights = {row: given[row] if row == 40 else names[(names.index(given[row]) - 1) % 3] for row in given}
    write_csv(decided, ["run", "index", "given", "decided"], [(run, row, given[row], rights[row]) for row in given])
    ended = invoke(
        "--dataset", mine, "--labels", decided, "--json", "--result_dir", tmp_path / "next", "--audit", tmp_path / "p.html"
    )
    record = json.loads(ended.out)
    assert record["decided"] == {"labels": 21, "changed": 20, "right": None}
    assert record["wrong_labels"]["low"] <= 10 <= record["wrong_labels"]["high"]
    after = {int(row["index"]): row for row in ranked(tmp_path / "next")}
    for row, right in rights.items():
        assert (after[row]["label"], after[row]["suggested_label"], after[row]["listed"]) == (right, right, "0")
        assert float(after[row]["p_wrong"]) == 0.0
    undecided = [row for row in range(WRONG) if row not in rights]
    assert np.mean([float(after[row]["p_wrong"]) > 0.5 for row in undecided]) > 0.7
    table = rows_of(tmp_path / "next" / "corrected.csv")
    assert [(table[row]["label"], table[row]["suggested_label"], table[row]["decision"]) for row in rights] == [
        (given[row], rights[row], "keep" if row == 40 else "change") for row in rights
    ]
    facts, arrays = shown(tmp_path / "p.html")
    assert (facts["run"], facts["decided"]) == (run, 21)  # the browser shows its decisions again
    assert set(arrays["rows"][: facts["suspects"]]).isdisjoint(rights)
    assert f"of the {N - 21} that nobody decided" in invoke("--dataset", mine, "--labels", decided).out


def test_decisions_of_another_noise_or_protocol_are_refused(mine: Path, tmp_path: Path, invoke: Invoke) -> None:
    out, decided = tmp_path / "out", tmp_path / "decided.csv"
    invoke("--dataset", mine, "--result_dir", out)
    row, run = ranked(out)[0], load_review(out).facts["run"]
    write_csv(decided, ["run", "index", "given", "decided"], [(run, row["index"], row["label"], row["label"])])
    for flags in (("--noise", 0.2), ("--alpha", 0.01)):
        ended = invoke("--dataset", mine, "--labels", decided, *flags)
        assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert "belongs to another run" in ended.err


def test_without_trusted_rows_there_is_a_page_without_a_promise(tmp_path: Path, invoke: Invoke) -> None:
    digits_with_noise(tmp_path / "mine.npz")
    arrays = dict(np.load(tmp_path / "mine.npz"))
    np.savez(tmp_path / "mine.npz", x_train=arrays["x_train"].reshape(-1, 8, 8), y_train=arrays["y_train"])
    assert invoke("--dataset", tmp_path / "mine.npz", "--audit", tmp_path / "p.html").status == 0
    facts, arrays = shown(tmp_path / "p.html")
    assert (facts["fdr"], facts["n_trusted"], facts["tile"], facts["pictures"]) == (None, 0, [8, 8], 240)
    assert "promise" not in (tmp_path / "p.html").read_text().partition("<main>")[0]


@pytest.mark.parametrize("trusted", [60, 0])
def test_a_checked_label_is_never_changed_and_never_a_suspect(trusted: int) -> None:
    data = table().data
    checked = np.arange(200) < 50
    some = RepairData(data.x, data.given, data.x_trusted[:trusted], data.trusted[:trusted], 2, checked=checked)
    found = repair(some, np.random.default_rng(0)) if trusted else examine(some, np.random.default_rng(0))
    np.testing.assert_array_equal(found.labels[checked], np.eye(2)[data.given[checked]])
    assert not found.p_wrong[checked].any()
    assert (found.p_wrong[~checked] > 0.5).sum() > 20
    if isinstance(found, Repaired):
        assert not found.suspects(0.5)[checked].any()
        everything = some._replace(checked=np.ones(200, dtype=bool))
        assert repair(everything, np.random.default_rng(0)).wrong_labels(everything) == (0.0, 0.0, 0.0)


@pytest.mark.skipif(bool(absent()), reason=absent())
def test_a_person_decides_and_the_repair_uses_it(mine: Path, tmp_path: Path, invoke: Invoke) -> None:
    html, said = tmp_path / "page.html", list[str]()
    invoke("--dataset", mine, "--audit", html)
    with chromium() as browser:
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.goto(html.as_uri())
        tab.wait_for_selector("html[data-ready]")
        assert not tab.is_visible("#slider")
        assert re.match(r"0 of \d+ suspects decided", tab.inner_text("#done"))
        assert "Phi" not in tab.inner_text("main")
        assert "says:" in tab.inner_text(".sample >> nth=0")  # in the table of pulls
        words = {word for text in WORDS.values() for word in text.split()}
        assert {text.lower() for text in tab.locator(".file mark.for").all_inner_texts()} & words
        assert re.fullmatch(r"Of the next 20 it expects [\d.]+ ± [\d.]+\.", tab.inner_text("#gain-text"))
        assert tab.locator("#gain-chart rect").count() == 2  # of the suspects
        tab.focus(".sample[tabindex='0']")
        tab.keyboard.press("w")
        assert tab.locator(".why[open]").count() == tab.locator(".why:visible").count() > 5
        headings = tab.locator(".why >> nth=0").locator("p").all_inner_texts()
        change = tab.inner_text(".change >> nth=0").split(" → ")
        assert headings == [f"surely {label}:" for label in change]
        assert tab.locator(".why >> nth=0").locator("li").count() == 4
        tab.keyboard.press("w")
        assert tab.locator(".why[open]").count() == 0
        for key in "aa1":
            tab.keyboard.press(key)
        assert re.match(r"Of 3 labels that you decided [23] were wrong; the run expected \d\.\d ± ", tab.inner_text("#gain-text"))
        with tab.expect_download() as download:
            tab.click("#export")
        download.value.save_as(tmp_path / "decided.csv")
        again = tmp_path / "again.html"
        ended = invoke("--dataset", mine, "--labels", tmp_path / "decided.csv", "--json", "--audit", again)
        tab.goto(again.as_uri())
        assert tab.inner_text("#gain-text").startswith("Of the next 20 it expects")  # of what it was told it expects nothing
        assert "3 decisions" in tab.inner_text("#export")
    assert said == []
    assert json.loads(ended.out)["decided"]["labels"] == 3

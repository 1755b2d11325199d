"""Training rows that are drawn at random for a person to check, and that are trusted rows then."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from models.repair import CrossFits, fit_simple, repair
from models.soft_regression import fit_soft, one_hot
from run.records import write_csv
from tests.browser import absent, chromium
from tests.invoke import Invoke
from tests.test_repair import table
from tests.test_repairing import rows_of
from tests.test_trained import shown

N, DRAWN = 300, 60


SCRIPT = "RDIA"  # what `invoke` calls


def true_labels() -> np.ndarray:
    return np.random.default_rng(0).integers(3, size=N)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A table of 300 rows, a third of which a rule labels: by the column `rule`, whatever the others say."""
    rng, true = np.random.default_rng(1), true_labels()
    ruled = rng.random(N) < 0.4
    given = np.where(ruled, (true + 1) % 3, true)
    x = 2.0 * np.eye(3)[true] + rng.standard_normal((N, 3))
    rows = [(*map(float, row), int(by), f"class{label}") for row, by, label in zip(x.round(3), ruled, given, strict=True)]
    write_csv(tmp_path / "mine.csv", ["a", "b", "c", "rule", "label"], rows)
    return tmp_path / "mine.csv"


def decide(html: Path, path: Path, drawn: np.ndarray | None = None) -> np.ndarray:
    """Decide the rows of a page as a person who knows the true labels would. The rows, (m,). drawn: (m,), of the exported file."""
    facts, arrays = shown(html)
    rows, true = arrays["rows"], true_labels()
    given, flags = (facts["classes"][label] for label in arrays["given"]), np.ones(len(rows)) if drawn is None else drawn
    decided = [
        (facts["run"], row, label, f"class{true[row]}", "1" if flag else "")
        for row, label, flag in zip(rows, given, flags, strict=True)
    ]
    write_csv(path, ["run", "index", "given", "decided", "drawn"], decided)
    return rows


def test_trusted_training_rows_are_in_fits_as_trusted_rows_alone() -> None:
    """The fits on the training rows alone are those of data in which the rows have never been training rows."""
    data, rows = table().data, np.arange(0, 200, 5)
    checked = np.isin(np.arange(200), rows)
    joined = data._replace(checked=checked).trusting(rows)
    np.testing.assert_array_equal(joined.trusted, np.append(data.given[rows], data.trusted))
    np.testing.assert_array_equal(joined.x_trusted, np.vstack([data.x[rows], data.x_trusted]))
    fits = CrossFits(joined, np.random.default_rng(0))
    starts = fit_simple(fits)
    for part in range(fits.parts):
        kept = fits.train[part][~checked[fits.train[part]]]
        found = fit_soft(data.x[kept], one_hot(data.given[kept], 2), data.penalty(1.0), np.ones(len(kept)))
        np.testing.assert_allclose(starts[1.0, part], found, atol=0.02 * np.abs(found).max())
    without = data._replace(x_trusted=data.x_trusted[:0], trusted=data.trusted[:0]).trusting(rows)
    np.testing.assert_array_equal(without.x_trusted, data.x[rows])


def test_rows_drawn_and_decided_are_trusted_rows_of_the_next_run(mine: Path, tmp_path: Path, invoke: Invoke) -> None:
    html, decided, wrong = tmp_path / "page.html", tmp_path / "decided.csv", []
    first = invoke("--dataset", mine, "--audit", html, "--draw", DRAWN, "--result_dir", tmp_path / "out")
    assert "decide the rows of the page, and give the file that it exports to --labels" in first.err
    assert "(--audit page.html --draw 100)" in invoke("--dataset", mine).err
    facts, order = shown(html)[0], decide(html, decided)
    assert (facts["order"], facts["suspects"], len(set(order))) == ("drawn", DRAWN, DRAWN)
    assert abs(np.mean(order) - N / 2) < 40
    again = invoke("--dataset", mine, "--labels", decided, "--json", "--result_dir", tmp_path / "next")
    assert f"{DRAWN} of the rows that you decided were drawn at random: they are trusted rows" in again.err
    record = json.loads(again.out)
    assert (record["n_trusted"], record["decided"]["labels"]) == (DRAWN, DRAWN)
    assert record["methods"]["Repaired"]["trusted"]["accuracy"] > record["methods"]["ERM"]["trusted"]["accuracy"] + 0.2
    for folder in ("out", "next"):
        ranking = [row for row in rows_of(tmp_path / folder / "ranking.csv") if int(row["index"]) not in order]
        of = [row["label"] != f"class{true_labels()[int(row['index'])]}" for row in ranking]
        wrong.append(average_precision_score(of, [float(row["p_wrong"]) for row in ranking]))
    assert wrong[1] > wrong[0] + 0.1
    after = {int(row["index"]): row for row in rows_of(tmp_path / "next" / "ranking.csv")}
    assert len(after) == N
    assert all(after[row]["label"] == f"class{true_labels()[row]}" and float(after[row]["p_wrong"]) == 0.0 for row in order)


@pytest.mark.parametrize(("drawn", "trusted"), [(0, 0), (9, 0), (10, 10)])
def test_rows_that_were_decided_for_another_reason_are_no_trusted_rows(
    drawn: int, trusted: int, mine: Path, tmp_path: Path, invoke: Invoke
) -> None:
    html, decided = tmp_path / "page.html", tmp_path / "decided.csv"
    invoke("--dataset", mine, "--audit", html, "--draw", DRAWN)
    decide(html, decided, np.arange(DRAWN) < drawn)
    record = json.loads(invoke("--dataset", mine, "--labels", decided, "--json").out)
    assert (record["n_trusted"], record["decided"]["labels"]) == (trusted, DRAWN)


def test_where_every_row_is_decided_there_is_nothing_to_judge(mine: Path, tmp_path: Path, invoke: Invoke) -> None:
    html, decided = tmp_path / "page.html", tmp_path / "decided.csv"
    invoke("--dataset", mine, "--audit", html, "--draw", 1_000)
    assert len(decide(html, decided)) == N
    ended = invoke("--dataset", mine, "--labels", decided)
    assert ended.status == 0
    assert "wrong labels: about 0 of the 0 that nobody decided\nsuspects: 0\n" in ended.out
    assert "most surely wrong" not in ended.out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--draw", 9, "--audit", "p.html"), "so few rows cannot judge the others, expected 10 or more"),
        (("--draw", 90), "is for the review page; add --audit page.html"),
        (("--draw", 90, "--audit", "p.html", "--alpha", 0.1), "is for --protocol auto"),
    ],
)
def test_where_nothing_can_be_drawn_one_line_says_so(mine: Path, invoke: Invoke, flags: tuple[object, ...], said: str) -> None:
    ended = invoke("--dataset", mine, *flags)
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert f"--draw {flags[1]}: {said}" in ended.err


@pytest.mark.skipif(bool(absent()), reason=absent())
def test_two_pages_of_a_run_keep_the_decisions_of_each_other(mine: Path, tmp_path: Path, invoke: Invoke) -> None:
    drawn, every = tmp_path / "drawn.html", tmp_path / "every.html"
    invoke("--dataset", mine, "--audit", drawn, "--draw", DRAWN)
    invoke("--dataset", mine, "--audit", every)
    with chromium() as browser:
        context = browser.new_context()
        tab = context.new_page()
        for html in (every, drawn):
            tab.goto(html.as_uri())
            tab.wait_for_selector("html[data-ready]")
            if html == every:
                tab.select_option("#scope", "all")
            tab.focus(".sample[tabindex='0']")
            for _ in range(4):
                tab.keyboard.press("r")
        first = {html: set(shown(html)[1]["rows"][:4].tolist()) for html in (every, drawn)}
        both = len(first[drawn] | (first[every] & set(shown(drawn)[1]["rows"].tolist())))  # of the page
        assert tab.inner_text("#done").startswith(f"{both} of {DRAWN} rows decided: 0 accepted, {both} kept")
        assert not tab.is_visible("#accept-page")
        assert not tab.is_visible("#matrix")
        assert tab.inner_text(".verdict >> nth=0").startswith("✓ kept class")
        tab.goto(every.as_uri())
        tab.wait_for_selector("html[data-ready]")
        said = f"Export {len(first[drawn] | first[every])} decisions as CSV"
        tab.wait_for_function("said => document.getElementById('export').textContent === said", arg=said)
        with tab.expect_download() as download:
            tab.click("#export")
        download.value.save_as(tmp_path / "decided.csv")
    found = {int(row["index"]): row["drawn"] for row in rows_of(tmp_path / "decided.csv")}
    of_page = shown(drawn)[1]["rows"]
    assert found == {row: "1" if row in of_page else "" for row in first[drawn] | first[every]}


def test_rows_that_were_drawn_bound_the_count_of_wrong_labels() -> None:
    """Of 20 drawn rows 10 were wrong: the model's own count, far below that, gives way."""
    data, drawn = table().data, np.arange(0, 200, 10)
    told = data._replace(before=data.given, checked=np.isin(np.arange(200), drawn)).trusting(drawn)
    before = np.where(np.isin(np.arange(200), drawn[::2]), 1 - data.given, data.given)
    half = told._replace(before=before)
    found, one_hot_labels = repair(told, np.random.default_rng(0)), np.eye(2)[data.given]
    none = found._replace(labels=one_hot_labels, probabilities=one_hot_labels, self_confidence=np.ones(200))
    assert none.wrong_labels(told).estimate < 10
    assert none.wrong_labels(told).high < 0.15 * 180
    after = none.wrong_labels(half)
    assert after.estimate == pytest.approx(0.5 * 180)
    assert 0.3 * 180 < after.low < 0.4 * 180
    assert 0.6 * 180 < after.high < 0.7 * 180
    rest = np.arange(1, 200, 10)  # labels that the person changed as well, so that as many fewer are left
    mended = half._replace(
        checked=half.confirmed() | np.isin(np.arange(200), rest),
        before=np.where(np.isin(np.arange(200), rest), 1 - data.given, before),
    )
    assert none.wrong_labels(mended).estimate == pytest.approx(0.5 * 180 - 20)

"""Training rows that are drawn at random for a person to check, and that are trusted rows then."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from models.repair import CrossFits, fit_simple
from models.soft_regression import fit_soft, one_hot
from run.decisions import drawn_rows
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


def decide(html: Path, count: int, path: Path) -> np.ndarray:
    """Decide the first rows of a page as a person who knows the true labels would. The rows, (count,)."""
    facts, arrays = shown(html)
    rows, true = arrays["rows"][:count], true_labels()
    given = [facts["classes"][label] for label in arrays["given"][:count]]
    decided = [(facts["run"], row, label, f"class{true[row]}") for row, label in zip(rows, given, strict=True)]
    write_csv(path, ["run", "index", "given", "decided"], decided)
    return rows


def test_decided_rows_of_the_beginning_of_the_random_order_stand_for_all() -> None:
    order = np.array([5, 0, 7, 2, 1, 9, 3, 4, 6, 8, *range(10, 40)])
    decided = np.zeros(40, dtype=bool)
    assert drawn_rows(decided, order).tolist() == []
    decided[[8, 30]] = True  # for other reasons
    assert drawn_rows(decided, order).tolist() == []
    decided[[5, 0, 7, 2, 1, 9, 3]] = True
    assert drawn_rows(decided, order).tolist() == [5, 0, 7, 2, 1, 9, 3]
    decided[[4, 6, 10]] = True
    assert drawn_rows(decided, order).tolist() == [5, 0, 7, 2, 1, 9, 3, 4, 6, 8, 10]
    decided[2] = False  # one in ten may be left out
    assert drawn_rows(decided, order).tolist() == [5, 0, 7, 1, 9, 3, 4, 6, 8, 10]
    assert drawn_rows(np.ones(40, dtype=bool), order).tolist() == order[:20].tolist()


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
    assert "check rows drawn at random on a page (--audit page.html --draw 100)" in first.err
    facts, order = shown(html)[0], decide(html, DRAWN, decided)
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


def test_few_decided_rows_are_no_trusted_rows(mine: Path, tmp_path: Path, invoke: Invoke) -> None:
    html, decided = tmp_path / "page.html", tmp_path / "decided.csv"
    invoke("--dataset", mine, "--audit", html, "--draw", 9)
    decide(html, 9, decided)
    record = json.loads(invoke("--dataset", mine, "--labels", decided, "--json").out)
    assert (record["n_trusted"], record["decided"]["labels"]) == (0, 9)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--draw", 9), "is for the review page; add --audit page.html"),
        (("--draw", 9, "--audit", "p.html", "--alpha", 0.1), "is for --protocol auto"),
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

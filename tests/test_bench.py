"""The bench: its cells, its methods, what is measured, and its tables from lines made by hand."""

import csv
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from matplotlib import pyplot as plt
from sklearn.linear_model import LogisticRegression

from Figure import bench_plot, bench_targets
from Figure.bench import listed, measure, rounded, standard_error
from Figure.bench_data import (
    Cell,
    CellConfig,
    cells,
    make_cell,
    noisy_labels,
    number_features,
    possible,
    real_path,
    short_indices,
    text_features,
)
from Figure.bench_methods import OTHERS, Others, clean_learning, log_losses
from Figure.bench_plot import BENCH_LOOKS, draw_bench
from Figure.bench_tables import (
    COLUMNS,
    IN_README,
    count_table,
    groups,
    lists_table,
    metric_table,
    precision_table,
    rank_table,
    real_table,
    verdict_table,
)
from Figure.tables import documents
from models.repair import GRID, RepairData, Repaired
from models.soft_regression import fit_soft, one_hot
from run.records import Record

NOWHERE = Path("nowhere")


# cells


def test_the_rows_of_a_cell_are_training_or_trusted_or_test_rows() -> None:
    cell = make_cell(CellConfig("wdbc", "symmetric", 100, 1), NOWHERE)
    parts = [cell.data.x, cell.data.x_trusted, cell.x_test]
    assert [len(part) for part in parts] == [305, 100, 164]
    assert len(np.unique(np.vstack(parts), axis=0)) == 569  # every row of wdbc once
    assert [len(labels) for labels in (cell.data.given, cell.true, cell.data.trusted, cell.test)] == [305, 305, 100, 164]


def test_a_seed_draws_the_same_cell_and_another_seed_another() -> None:
    first, again, other = (make_cell(CellConfig("wdbc", "one-sided", 30, seed), NOWHERE) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.data.given, again.data.given)
    np.testing.assert_array_equal(first.x_test, again.x_test)
    assert not np.array_equal(first.x_test, other.x_test)


def test_every_set_has_its_noise_and_large_ones_300_trusted_rows() -> None:
    found = cells(("music", "trec", "wdbc", "digits10"), 2)
    assert [config.seed for config in found] == [1] * 23 + [2] * 23
    assert {config[:3] for config in found if config.dataset in {"music", "trec"}} == {
        ("music", "real", 30), ("music", "real", 100), ("trec", "real", 30), ("trec", "real", 100), ("trec", "real", 300),
    }  # fmt: skip
    three = ("symmetric", "one-sided", "dependent")
    assert {config[1:3] for config in found if config.dataset == "wdbc"} == {(kind, m) for kind in three for m in (30, 100)}
    assert {config[1:3] for config in found if config.dataset == "digits10"} == {
        (kind, m) for kind in (*three, "pairflip") for m in (30, 100, 300)
    }


def write_real(folder: Path, columns: dict[str, list[str]]) -> None:
    """A table of real noise: the columns, one text a row."""
    path = real_path("music" if "feature0" in columns else "trec", folder)
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def test_a_real_set_has_given_labels_for_training_and_true_ones_for_the_rest(tmp_path: Path) -> None:
    write_real(
        tmp_path,
        {
            "part": ["train"] * 3 + ["pool"] * 40,
            "id": [f"rock{place}" for place in range(43)],
            "feature0": ["1", "3", "5", *map(str, range(100, 140))],
            "label": ["b", "a", "a"] + ["a"] * 40,
            "true_label": ["b", "b", "a"] + ["a", "b"] * 20,
        },
    )
    cell = make_cell(CellConfig("music", "real", 30, 1), tmp_path)
    np.testing.assert_array_equal(cell.data.given, [1, 0, 0])
    np.testing.assert_array_equal(cell.true, [1, 1, 0])
    spread = np.sqrt(8 / 3)  # of 1, 3, 5
    np.testing.assert_allclose(cell.data.x, np.array([[-2.0], [0.0], [2.0]]) / spread)
    values = np.concatenate([cell.data.x_trusted, cell.x_test])[:, 0] * spread + 3
    np.testing.assert_allclose(np.sort(values), np.arange(100, 140))
    np.testing.assert_array_equal(np.concatenate([cell.data.trusted, cell.test]), np.round(values).astype(int) % 2)
    assert (len(cell.data.trusted), len(cell.test)) == (30, 10)
    assert possible("music", tmp_path)
    assert not possible("trec", tmp_path)


def test_a_missing_number_is_its_columns_mean() -> None:
    found = number_features([{"feature0": "1"}, {"feature0": ""}, {"feature0": "3"}], [{"feature0": ""}])
    np.testing.assert_allclose(found.train, [[-1.0], [0.0], [1.0]])
    np.testing.assert_allclose(found.pool, [[0.0]])


def test_terms_are_those_that_two_training_rows_have_and_each_column_has_its_own() -> None:
    train = [{"text": "red fox", "between": "fox"}, {"text": "red fox", "between": "fox"}, {"text": "one dog", "between": ""}]
    found = text_features(train, [{"text": "dog fox red", "between": "of"}])
    assert found.train.shape == (3, 4)  # of the text: fox, red, red fox; of what is between: fox
    np.testing.assert_allclose(found.train.toarray(), [[1 / np.sqrt(3)] * 3 + [1.0]] * 2 + [[0.0] * 4])
    np.testing.assert_allclose(found.pool.toarray(), [[1 / np.sqrt(2), 1 / np.sqrt(2), 0.0, 0.0]])


def test_a_sparse_matrix_gets_short_indices_and_the_same_numbers() -> None:
    long = sp.csr_array(np.array([[0.0, 2.0], [3.0, 0.0]]))
    long.indices, long.indptr = long.indices.astype(np.int64), long.indptr.astype(np.int64)
    short = short_indices(long)
    assert (short.indices.dtype, short.indptr.dtype) == (np.int32, np.int32)
    np.testing.assert_array_equal(short.toarray(), [[0.0, 2.0], [3.0, 0.0]])


@pytest.mark.parametrize(("kind", "shift", "rate"), [("symmetric", None, 0.3), ("pairflip", 1, 0.3), ("one-sided", -2, 0.4)])
def test_noise_changes_its_share_of_the_labels(kind: str, shift: int | None, rate: float) -> None:
    labels = np.arange(40_000) % 4
    given = noisy_labels(np.zeros((40_000, 1)), labels, 4, kind, np.random.default_rng(0))
    changed = given != labels
    may_change = labels >= 2 if kind == "one-sided" else np.ones(40_000, dtype=bool)
    assert not changed[~may_change].any()
    for label in set(labels[may_change]):
        assert changed[labels == label].mean() == pytest.approx(rate, abs=0.02)
    if shift is None:
        steps = np.bincount((given - labels)[changed] % 4, minlength=4) / changed.sum()
        np.testing.assert_allclose(steps, [0, 1 / 3, 1 / 3, 1 / 3], atol=0.02)
    else:
        np.testing.assert_array_equal(given[changed], (labels[changed] + shift) % 4)


def test_one_sided_noise_of_two_classes_makes_ones_zeros() -> None:
    labels = np.arange(20_000) % 2
    given = noisy_labels(np.zeros((20_000, 1)), labels, 2, "one-sided", np.random.default_rng(0))
    assert given[labels == 0].sum() == 0
    assert given[labels == 1].mean() == pytest.approx(0.6, abs=0.02)


def test_dependent_noise_changes_the_rows_that_a_weak_model_is_least_sure_of() -> None:
    rng = np.random.default_rng(0)
    t = rng.standard_normal(1_000)
    labels = (t > 0).astype(int)
    changed = noisy_labels(np.stack([t, t], axis=1), labels, 2, "dependent", rng) != labels
    assert changed.sum() == 200
    assert np.abs(t[changed]).max() <= np.abs(t[~changed]).min()


# methods


def problem(n: int = 120, m: int = 20, classes: int = 3, seed: int = 0) -> Cell:
    """Three clouds, a fifth of the training labels changed."""
    rng = np.random.default_rng(seed)
    total = n + m + 60
    labels = rng.integers(classes, size=total)
    x = rng.standard_normal((total, 4)) + 2.0 * np.eye(4)[labels]
    given = np.where(rng.random(n) < 0.2, (labels[:n] + 1) % classes, labels[:n])
    data = RepairData(x[:n], given, x[n : n + m], labels[n : n + m], classes)
    return Cell(data, labels[:n], x[n + m :], labels[n + m :])


def others(cell: Cell) -> Others:
    return Others(cell.data, np.random.default_rng(0))


def test_ten_times_the_trusted_rows_is_their_weight() -> None:
    cell = problem()
    found = others(cell)
    rows = found.rows[-1]
    weights = found.everything(10.0)(rows, 1.0, None)
    x = np.vstack([cell.data.x, *[cell.data.x_trusted] * 10])
    labels = np.concatenate([cell.data.given, *[cell.data.trusted] * 10])
    expected = fit_soft(x, one_hot(labels, 3), 1.0, np.ones(len(labels)))
    np.testing.assert_allclose(weights, expected, atol=2e-3)


def test_c_is_chosen_by_trusted_rows_that_the_fit_has_not_seen() -> None:
    cell = problem()
    found = others(cell)
    seen: list[tuple[int, ...]] = []
    good = fit_soft(cell.data.x, one_hot(cell.true, 3), 1.0, np.ones(120))

    def way(rows: Any, C: float, _: np.ndarray | None) -> np.ndarray:
        seen.append((rows.fold, len(rows.labels)))
        return good if C == 10.0 else np.zeros((3, 4))

    made = found.chosen(way)
    assert made.C == 10.0
    np.testing.assert_array_equal(made.weights, good)
    assert seen == [(fold, size) for fold, size in enumerate([16] * 5 + [20]) for _ in GRID]
    np.testing.assert_array_equal(np.sort(np.concatenate(found.out)), np.arange(20))
    for rows, out in zip(found.rows, found.out, strict=False):
        together = np.vstack([rows.x, cell.data.x_trusted[out]])
        np.testing.assert_array_equal(np.unique(together, axis=0), np.unique(cell.data.x_trusted, axis=0))


def test_agree_keeps_the_rows_whose_label_the_trusted_rows_give() -> None:
    cell = problem()
    found = others(cell)
    C = found.chosen(found.trusted).C
    weights = found.trusted(found.rows[-1], C, None)
    np.testing.assert_array_equal(found.agreeing(found.rows[-1]), (cell.data.x @ weights.T).argmax(axis=1) == cell.data.given)


def test_dropout_leaves_out_what_harms_the_trusted_rows_and_more_of_it_is_wrong() -> None:
    cell = problem(n=400, m=100)
    found = others(cell)
    harmful = found.phi(1.0, found.rows[-1]) > 0
    kept = found.ways()["Dropout"](found.rows[-1], 1.0, None)
    expected = fit_soft(cell.data.x[~harmful], one_hot(cell.data.given[~harmful], 3), 1.0, np.ones((~harmful).sum()))
    np.testing.assert_allclose(kept, expected, atol=1e-2)  # of a rough fit; ERM's weights are off by up to 1
    wrong = cell.data.given != cell.true
    assert harmful[wrong].mean() > 0.9
    assert harmful[~wrong].mean() < 0.5


def test_two_classes_are_logistic_regression_with_that_c() -> None:
    cell = problem(classes=2)
    W = others(cell).erm(0.5)
    simple = LogisticRegression(C=0.5, fit_intercept=False, tol=1e-8).fit(cell.data.x, cell.data.given)
    np.testing.assert_allclose(W[1] - W[0], simple.coef_[0], atol=2e-3)


def test_a_class_that_clean_learning_drops_has_no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    class Dropping:
        def __init__(self, clf: LogisticRegression, **_: Any) -> None:
            self.clf = clf

        def fit(self, x: np.ndarray, labels: np.ndarray) -> None:
            if len(labels) < 100:
                raise ValueError("pred_probs must have at least 3 columns")
            self.clf.fit(x[labels != 1], labels[labels != 1])
            self.issues = labels == 1

        def get_label_issues(self) -> pd.DataFrame:
            return pd.DataFrame({"is_label_issue": self.issues})

    module = types.ModuleType("cleanlab.classification")
    module.CleanLearning = Dropping  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cleanlab", types.ModuleType("cleanlab"))
    monkeypatch.setitem(sys.modules, "cleanlab.classification", module)
    cell = problem()
    some = cell.data.given != 1
    made = clean_learning(cell.data.x, cell.data.given, 3, 1.0, 0)
    simple = LogisticRegression(C=1.0, fit_intercept=False, tol=1e-8).fit(cell.data.x[some], cell.data.given[some])
    assert made
    np.testing.assert_array_equal(made.fitted.weights[:2], np.zeros((2, 4)))
    np.testing.assert_allclose(made.fitted.weights[2], simple.coef_[0], atol=2e-2)
    np.testing.assert_array_equal(made.issues, ~some)
    assert clean_learning(cell.data.x[:99], cell.data.given[:99], 3, 1.0, 0) is None


# what is measured


@pytest.fixture(scope="module")
def measured() -> Record:
    return measure(problem(), 1)


def without_test(record: Record) -> Record:
    """What must not depend on test rows."""
    chosen = {name: each["C"] for name, each in record["methods"].items()}
    return {**record, "methods": chosen, "seconds": None}


def test_test_labels_change_no_number_but_test_metrics(measured: Record) -> None:
    cell = problem()
    changed = measure(cell._replace(test=(cell.test + 1) % 3, x_test=-cell.x_test), 1)
    assert without_test(changed) == without_test(measured)
    for name in COLUMNS[:-2]:
        assert changed["methods"][name]["log_loss"] != measured["methods"][name]["log_loss"]


def test_a_line_has_every_method_with_its_metrics(measured: Record) -> None:
    assert list(measured["methods"])[:11] == ["Repaired", *OTHERS[:10]]
    cell = problem()
    assert measured["methods"]["Repaired"]["se_loss"] == 0.0
    W = Others(cell.data, np.random.default_rng([1, 2])).erm(measured["methods"]["ERM"]["C"])
    logits = cell.x_test @ W.T
    assert measured["methods"]["ERM"]["log_loss"] == pytest.approx(log_losses(logits, cell.test).mean(), rel=5e-3)
    assert (measured["n_train"], measured["n_test"], measured["classes"]) == (120, 60, 3)
    assert measured["wrong"] == (cell.data.given != cell.true).sum()
    assert measured["average_precision"]["p_wrong"] > 0.8
    assert measured["count"]["low"] <= measured["count"]["estimate"] <= measured["count"]["high"]


def test_a_standard_error_is_that_of_the_mean() -> None:
    assert standard_error(np.array([1.0, 2.0, 3.0, 6.0])) == pytest.approx(np.sqrt(14 / 3 / 4))


def test_floats_are_kept_with_five_digits() -> None:
    assert rounded({"a": 0.123456789, "b": {"c": 2, "d": 1.0}}) == {"a": 0.12346, "b": {"c": 2, "d": 1.0}}


def repaired_of(**parts: Any) -> Repaired:
    """A result of which only these parts are used."""
    return Repaired(**{**dict.fromkeys(Repaired._fields), **parts})


def test_a_list_counts_what_is_listed_and_wrong() -> None:
    scores, trusted = np.array([0.9, 0.8, 0.1, 0.95]), np.linspace(0.0, 0.5, 19)
    wrong = np.array([True, False, True, True])
    assert listed(repaired_of(scores=scores, calibration_scores=trusted), wrong, 0.1) == {"listed": 3, "wrong": 2}
    assert listed(repaired_of(scores=scores, calibration_scores=trusted), wrong, 0.05) == {"listed": 0, "wrong": 0}


# tables, from lines made by hand


def line(dataset: str, noise: str, trusted: int, seed: int, best: float, ours: float) -> Record:
    """The k-th method has a loss of best + k / 10, accuracy 0.9 - k / 100; ours as given, and accuracy 0.89."""
    methods = {
        name: {
            "log_loss": best + place / 10, "accuracy": 0.9 - place / 100, "macro_f1": 0.5, "se_loss": 0.05, "se_accuracy": 0.02,
            "seconds": 2.0 + seed, "C": 1.0,
        }
        for place, name in enumerate(OTHERS)
    }  # fmt: skip
    own = {"log_loss": ours, "accuracy": 0.89, "macro_f1": 0.6, "se_loss": 0.0, "se_accuracy": 0.0, "seconds": 9.0, "C": 0.0}
    return {
        "config": {"dataset": dataset, "noise": noise, "trusted": trusted, "seed": seed},
        "n_train": 200, "n_test": 100, "classes": 2, "wrong": 50, "methods": {"Repaired": own, **methods},
        "average_precision": {"p_wrong": 0.9, "phi": 0.6, "self_confidence": 0.8, "trusted_confidence": 0.7},
        "suggested": {"rows": 20, "right": 15},
        "count": {"estimate": 40.0, "low": 30.0 if seed == 1 else 60.0, "high": 80.0},
        "lists": {"0.05": {"listed": 0, "wrong": 0}, "0.1": {"listed": 10, "wrong": 9}, "0.2": {"listed": 40, "wrong": 30 + seed}},
    }  # fmt: skip


LINES = [
    line("wdbc", "symmetric", 30, 1, 0.5, 0.6),
    line("trec", "real", 100, 1, 0.5, 0.4),
    line("trec", "real", 100, 2, 0.5, 0.3),
    line("trec", "real", 30, 1, 0.5, 0.51),
]


def rows_of(table: str) -> list[list[str]]:
    """The rows of a table, without its head."""
    found = [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines() if row.startswith("|")]
    return found[2:]


def test_cell_sets_are_real_ones_first_with_all_their_seeds() -> None:
    assert [group.title() for group in groups(LINES)] == [
        ["trec", "real", "30", "1"], ["trec", "real", "100", "2"], ["wdbc", "symmetric", "30", "1"],
    ]  # fmt: skip


def test_the_readme_shows_real_noise_with_a_hundred_trusted_rows() -> None:
    others = [f"{0.9 - OTHERS.index(name) / 100:.3f}" for name in IN_README[:-1]]
    assert rows_of(real_table(groups(LINES))) == [["trec", "25%", f"**{others[0]}**", *others[1:], "0.890"]]


def test_the_verdict_says_where_ours_wins_and_where_it_loses() -> None:
    text = verdict_table(groups(LINES))
    assert rows_of(text) == [
        ["trec", "real", "30", "1", "0.510", "0.500", "ERM", "1.020", "loses", "-0.5", "ERM", "+3.8"],
        ["trec", "real", "100", "2", "0.350", "0.500", "ERM", "0.700", "wins", "-0.5", "ERM", "+7.0"],
        ["wdbc", "symmetric", "30", "1", "0.600", "0.500", "ERM", "1.200", "**loses**", "-0.5", "ERM", "+2.0"],
    ]
    mean = (1.02 * 0.7 * 1.2) ** (1 / 3)
    assert f"geometric mean {mean:.3f}, largest 1.200; above 1 in 2, above 1.05 in 1." in text
    assert "the most accurate other method in 3." in text
    assert "above that of ERM + Trusted in 0." in text


def test_a_metric_has_its_means_and_the_best_is_bold() -> None:
    rows = rows_of(metric_table(groups(LINES), "log_loss", 2))
    assert rows[1][:8] == ["trec", "real", "100", "2", "**0.35**", "0.50", "0.60", "0.70"]
    assert rows[0][4:6] == ["0.51", "**0.50**"]
    assert rows_of(metric_table(groups(LINES), "accuracy", 2, largest=True))[0][4:7] == ["0.89", "**0.90**", "0.89"]


def test_a_method_that_was_not_run_is_a_dash_and_never_the_best() -> None:
    few = line("wdbc", "symmetric", 30, 1, 0.5, 0.6)
    del few["methods"]["ERM"]
    assert rows_of(metric_table(groups([few]), "log_loss", 2))[0][4:7] == ["**0.60**", "-", "**0.60**"]
    assert rows_of(verdict_table(groups([few])))[0][6] == "Trusted"


def test_ranks_are_means_over_lines() -> None:
    rows = {row[0]: row[1:] for row in rows_of(rank_table(LINES))}
    assert rows["Repaired"] == [f"{4 / 3:.2f}", f"{6.5 / 4:.2f}", "2.50", "2.50", "9.0"]  # wdbc: second and third are equal
    assert rows["ERM"] == [f"{5 / 3:.2f}", f"{6 / 4:.2f}", "1.00", "1.00", "3.0"]


def test_average_precision_of_each_score() -> None:
    rows = rows_of(precision_table(groups(LINES)))
    assert rows[0] == ["trec", "real", "30", "1", "**0.900**", "0.600", "0.800", "0.700", "1.125"]
    assert rows[-1] == ["mean", "", "", "", "0.900", "0.600", "0.800", "0.700", "least 1.125"]


def test_lists_have_their_share_of_right_labels_and_power() -> None:
    assert rows_of(lists_table(LINES)) == [
        ["trec", "3", "0.000 ± 0.000", "0.00", "0.100 ± 0.000", "0.18", "0.217 ± 0.008", "0.63"],
        ["symmetric", "1", "0.000", "0.00", "0.100", "0.18", "0.225", "0.62"],
    ]


def test_counts_are_shares_of_the_rows_and_say_how_often_the_truth_is_covered() -> None:
    assert rows_of(count_table(LINES)) == [
        ["trec", "3", "25.0", "20.0", "20.0", "40.0", "0.67", "0.75", "0.30"],
        ["symmetric", "1", "25.0", "20.0", "15.0", "40.0", "1.00", "0.75", "0.30"],
    ]


# the target


def test_the_target_wants_every_cell_and_makes_its_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = bench_targets.bench_runs(2)
    assert len(runs) == 2 * (11 + 39)
    assert runs[0].config == {"dataset": "semeval", "noise": "real", "trusted": 30, "seed": 1}
    assert not runs[0].possible(tmp_path)
    monkeypatch.setattr(bench_targets, "draw_bench", lambda *_: None)
    tables: dict[str, str] = {}
    output: Any = types.SimpleNamespace(table=tables.__setitem__, picture=lambda name: tmp_path / name)
    bench_targets.show_bench(LINES, output, tmp_path)
    pages = "".join(page.read_text() for page in documents())
    assert list(tables) == [name for name in tables if f"<!-- {name} -->" in pages]
    assert len(tables) == 9


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    found: list[Any] = []
    monkeypatch.setattr(bench_plot, "save_figure", lambda figure, _: found.append(figure))
    yield found
    plt.close("all")


def test_the_picture_has_a_line_a_method(figures: list[Any]) -> None:
    assert list(BENCH_LOOKS) == list(COLUMNS)
    draw_bench(LINES, ("trec", "wdbc"), NOWHERE)
    left = {drawn.get_label(): drawn.get_xydata() for drawn in figures[0].axes[0].lines}
    assert set(left) == set(COLUMNS)
    np.testing.assert_allclose(left["Repaired"], [[30, 0.51], [100, 0.35]])
    np.testing.assert_allclose(left["Trusted"], [[30, 0.6], [100, 0.6]])
    assert figures[0].axes[0].get_title() == "trec, n = 1 to 2 seeds"

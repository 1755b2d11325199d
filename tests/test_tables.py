"""Every cell of the paper's tables, from lines made by hand."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from data.errors import InputError
from data.noise import NoiseType
from Figure import tables
from Figure.cifar10_target import cifar10_run, cifar10_table
from Figure.compare import COMPARED, Comparison
from Figure.deep_targets import VARIANTS, deep_table, loses_a_class, mnist_run, objective_table, warmup_table
from Figure.linear_targets import ALPHA_NOISES, ALPHAS, alpha_table, best_in_bold, many_table, methods_table, noise_table
from Figure.lines import Run
from Figure.many import MANY_METHODS
from Figure.recipe import CANDIDATES, RATES, Candidate, recipe_table
from Figure.tables import documents, markdown, marked, mean_sd, paste_into, place_of, seeds
from Figure.target import FIGURES, Output, in_clone
from models.settings import FAST, METHODS
from run.records import Record


def cells(table: str) -> list[list[str]]:
    """Head and rows of a Markdown table, under its heading and without the line of dashes."""
    rows = [row.split("|")[1:-1] for row in table.splitlines() if row.startswith("|")]
    assert set("".join(rows[1])) <= {"-", " "}
    return [[cell.strip() for cell in row] for row in (rows[0], *rows[2:])]


def by_first(table: str) -> dict[str, list[str]]:
    """The rest of each row by its first cell."""
    return {row[0]: row[1:] for row in cells(table)}


# alpha and cancer


def alpha_line(alpha: float, noise: float, seed: int, relabeled: int, **losses: float) -> Record:
    config = {"dataset": "mnist", "noise": noise, "alpha": alpha, "seed": seed, "C": 0.1, "solver": "auto"}
    methods = {name: {"test": {"log_loss": losses.get(name, 9.0)}, "validation": {"log_loss": 7.0}} for name in COMPARED}
    return {"config": config, "n_train": 9_088, "relabeled": relabeled, "methods": methods}


def alpha_lines() -> list[Record]:
    """Two seeds of every cell: RDIA at 0.01 alpha + noise -+ 0.001, Random ten times that."""
    return [
        alpha_line(alpha, noise, seed, 1_000 * seed, RDIA=loss, Random=10 * loss, ERM=2 + noise, Dropout=3 + noise)
        for alpha in ALPHAS
        for noise in ALPHA_NOISES
        for seed, loss in ((1, 0.1 + alpha + noise - 0.001), (2, 0.1 + alpha + noise + 0.001))
    ]


def test_the_alpha_table_has_the_mean_of_each_alpha_and_noise() -> None:
    head, *rows = cells(alpha_table(alpha_lines(), "cancer"))
    assert head == ["method", "alpha", "noise 0", "noise 0.2", "noise 0.5", "noise 0.8"]
    expected = []
    for alpha, shown in ((0.01, "0.01"), (0.002, "0.002"), (0.0002, "0.0002")):
        expected += [
            ["RDIA", shown, *(f"{0.1 + alpha + noise:.4f} ± 0.0014" for noise in ALPHA_NOISES)],
            ["relabeled", shown, *["1,500"] * 4],
        ]
    for alpha, shown in ((0.01, "0.01"), (0.002, "0.002"), (0.0002, "0.0002")):
        expected.append(["Random", shown, *(f"{10 * (0.1 + alpha + noise):.4f} ± 0.0141" for noise in ALPHA_NOISES)])
    expected.append(["ERM", "", "2.0000 ± 0.0000", "2.2000 ± 0.0000", "2.5000 ± 0.0000", "2.8000 ± 0.0000"])
    expected.append(["Dropout", "", "3.0000 ± 0.0000", "3.2000 ± 0.0000", "3.5000 ± 0.0000", "3.8000 ± 0.0000"])
    assert rows == expected
    assert alpha_table(alpha_lines(), "cancer").startswith(
        "cancer: test log-loss, mean ± sd of n = 2 seeds, C = 0.1; relabeled: of 9,088.\n\n"
    )


PUBLISHED = {  # the README of the authors' released code
    "0.01": ["0.0235", "0.0443", "0.0903", "0.1009"],
    "0.002": ["0.0207", "0.0315", "0.0519", "0.0465"],
    "0.0002": ["0.0903", "0.0392", "0.0410", "0.0405"],
}


def test_mnist_stands_beside_what_is_published_and_what_is_more_than_a_tenth_off_is_bold() -> None:
    lines = [alpha_line(0.01, 0.0, 1, 14, RDIA=0.0235 * 1.09), alpha_line(0.01, 0.2, 1, 14, RDIA=0.0443 * 1.11)]
    lines += [alpha_line(0.01, 0.5, 1, 14, RDIA=0.0903 * 0.91), alpha_line(0.01, 0.8, 1, 14, RDIA=0.1009 * 0.89)]
    _, *rows = cells(alpha_table(lines, "mnist"))
    assert [row[0] for row in rows[:9]] == ["RDIA, published", "RDIA", "relabeled"] * 3
    assert {row[1]: row[2:] for row in rows[0:9:3]} == PUBLISHED
    assert rows[1] == ["RDIA", "0.01", "0.0256", "**0.0492**", "0.0822", "**0.0898**"]
    assert rows[4] == ["RDIA", "0.002", "-", "-", "-", "-"]
    assert rows[5] == ["relabeled", "0.002", "-", "-", "-", "-"]


def test_a_table_of_no_lines_says_so() -> None:
    table = alpha_table([], "mnist")
    assert table.startswith("mnist: test log-loss, mean ± sd of n = 0 seeds, C = 0.1.\n\n")
    assert by_first(table)["ERM"] == ["", "-", "-", "-", "-"]


def test_the_mark_is_for_more_than_a_tenth_of_the_published_value() -> None:
    assert [marked([value], 1.0) for value in (0.89, 0.91, 1.0, 1.09, 1.11)] == [
        "**0.8900**",
        "0.9100",
        "1.0000",
        "1.0900",
        "**1.1100**",
    ]
    assert marked([], 1.0) == "-"
    assert marked([0.8, 1.2], 1.0) == "1.0000 ± 0.2828"  # by the mean


def test_spread_is_the_sample_standard_deviation() -> None:
    """Of 1, 2, 6: mean 3, sum of squares 14, over n - 1 = 2."""
    assert mean_sd([1, 2, 6]) == "3.0000 ± 2.6458"
    assert mean_sd([1, 2, 6], 2) == "3.00 ± 2.65"
    assert mean_sd([5], 1) == "5.0"


# methods and noise


def compare_line(dataset: str, noise: float, seed: int, alpha: float = 0.01, **losses: float) -> Record:
    methods = {
        name: {"test": {"log_loss": losses.get(name.replace(" ", "_"), 0.5)}, "validation": {"log_loss": 0.01}} for name in COMPARED
    }
    return {"config": Comparison(dataset, noise, seed, 0.1)._asdict(), "methods": methods, "alpha": alpha}


def test_the_methods_table_is_of_clean_data_and_names_the_alphas_that_were_chosen(tmp_path: Path) -> None:
    lines = [
        compare_line("wdbc", 0.0, 1, 0.2, ERM=0.1, Random=0.3, UIDS_linear=0.2),
        compare_line("wdbc", 0.0, 2, 0.002, ERM=0.2, Random=0.3, UIDS_linear=0.4),
        compare_line("wdbc", 0.0, 3, 0.2, ERM=0.3, Random=0.3, UIDS_linear=0.6),
        compare_line("wdbc", 0.4, 1, 0.05, ERM=8.0),
        compare_line("digits", 0.0, 1, 0.0, RDIA=0.4, Random=0.4),
    ]
    table = methods_table(lines, tmp_path)
    head, *rows = cells(table)
    assert head == ["data set", "alpha", *COMPARED]
    wdbc = ["0.002, 0.2", "**0.2000 ± 0.1000**", "0.3000 ± 0.0000", *["0.5000 ± 0.0000"] * 3, "0.4000 ± 0.2000"]
    assert by_first(table)["wdbc"] == [*wdbc, *["0.5000 ± 0.0000"] * 2]
    assert by_first(table)["digits"] == ["0", "0.5000", "**0.4000**", *["0.5000"] * 5, "**0.4000**"]
    assert by_first(table)["news20"] == ["not there", *[""] * 8]
    assert [row[0] for row in rows] == [
        *("wdbc", "digits", "cancer", "diabetes", "adult", "news20", "realsim", "covtype", "skin", "avazu", "criteo", "mnist"),
        *("cifar10", "svhn"),
    ]
    assert "C = 0.1; alpha by validation loss from 0.2, 0.05, 0.01, 0.002, 0.0002, 0. " in table


def test_the_noise_table_is_mnists_and_the_best_of_each_column_is_bold() -> None:
    lines = [compare_line("mnist", noise, seed, ERM=noise + 0.1 * seed) for noise in (0.0, 0.2, 0.6) for seed in (1, 2)]
    lines += [compare_line("wdbc", 0.2, 1, ERM=0.0)]
    table = noise_table(lines)
    head, *rows = cells(table)
    assert head == ["method", "noise 0", "noise 0.2", "noise 0.4", "noise 0.6", "noise 0.8"]
    assert [row[0] for row in rows] == list(COMPARED)
    assert by_first(table)["ERM"] == ["**0.1500 ± 0.0707**", "**0.3500 ± 0.0707**", "-", "0.7500 ± 0.0707", "-"]
    assert by_first(table)["RDIA"] == ["0.5000 ± 0.0000", "0.5000 ± 0.0000", "-", "**0.5000 ± 0.0000**", "-"]
    assert table.startswith("mnist: test log-loss, mean ± sd of n = 2 seeds, C = 0.1; alpha by validation loss.")


def test_the_best_is_the_least_loss_or_the_largest_accuracy_and_of_equals_all() -> None:
    given = ["0.2000 ± 0.1000", "-", "0.3000", "0.2000"]
    assert best_in_bold(given) == ["**0.2000 ± 0.1000**", "-", "0.3000", "**0.2000**"]
    assert best_in_bold(given, largest=True) == ["0.2000 ± 0.1000", "-", "**0.3000**", "0.2000"]
    assert best_in_bold(["-", "-"]) == ["-", "-"]


# classes and networks


def many_line(noise: float, seed: int, methods: Sequence[str]) -> Record:
    found = {
        name: {"test": {"log_loss": 0.1 * place + 0.01 * seed, "accuracy": 0.9 - 0.1 * place}, "validation": {"log_loss": 5.0}}
        for place, name in enumerate(methods)
    }
    shares = {"precision": 0.1 * seed, "recall": 0.2 * seed, "right": 0.3 * seed}
    return {"config": {"noise": noise, "seed": seed}, "n_train": 42_000, "methods": found, **shares}


@pytest.mark.parametrize("methods", [MANY_METHODS, (*MANY_METHODS, "RDIA-LS")])
def test_the_table_of_many_classes_has_losses_accuracies_and_what_became_of_the_labels(methods: tuple[str, ...]) -> None:
    table = many_table([many_line(noise, seed, methods) for noise in (0.2, 0.8) for seed in (1, 3)], "the settings", methods)
    head, *rows = cells(table)
    assert head == ["noise", "test", *methods, "precision", "recall", "true label"]
    losses = [f"{0.1 * place + 0.02:.4f} ± 0.0141" for place in range(len(methods))]
    accuracies = [f"{0.9 - 0.1 * place:.4f} ± 0.0000" for place in range(len(methods))]
    found = ["0.200 ± 0.141", "0.400 ± 0.283", "0.600 ± 0.424"]
    for place, noise in ((0, "0.2"), (4, "0.8")):
        assert rows[place] == [noise, "log-loss", f"**{losses[0]}**", *losses[1:], *found]
        assert rows[place + 1] == ["", "accuracy", f"**{accuracies[0]}**", *accuracies[1:], "", "", ""]
    assert rows[2] == ["0.5", "log-loss", *["-"] * (len(methods) + 3)]
    assert table.startswith("mnist10, the settings: mean ± sd of n = 2 seeds, alpha = 0; ")
    assert " of the relabeled of 42,000 training samples against " in table


# networks trained by loss


def deep_line(run: Run, seed: int, last10: float, best: float = 95.0, recall: Sequence[float | None] = (90.0, None)) -> Record:
    names = ("dataset", "noise_type", "noise_rate", "objective", "gamma", "method")
    line = {**{name: run.config[name] for name in names}, "epochs": run.config["n_epoch"], "last10": last10, "best": best}
    line |= {"precision": 0.9, "recall": 0.8}
    return {"config": {**run.config, "seed": seed}, "seed": seed, "test_recall": list(recall), **line}


AT_80: tuple[NoiseType, float] = ("symmetric", 0.8)
NOISES_OF_COLUMNS: list[tuple[NoiseType, float]] = [("symmetric", 0.2), ("symmetric", 0.5), AT_80, ("pairflip", 0.45)]


def test_a_line_is_in_the_row_of_its_method_and_the_column_of_its_noise() -> None:
    lines = [
        deep_line(mnist_run((kind, rate), 1, **changes), seed, 10.0 * row + column + seed)
        for row, changes in enumerate(VARIANTS.values())
        for column, (kind, rate) in enumerate(NOISES_OF_COLUMNS)
        for seed in (1, 2)
    ]
    table = deep_table(lines)
    head, *rows = cells(table)
    assert head == ["method", "mnist 20% symmetric", "mnist 50% symmetric", "mnist 80% symmetric", "mnist 45% pairflip"]
    assert [row[0] for row in rows] == [
        *METHODS[1:],
        *("rdia-ls", "rdia-ls, balanced warm-up", "rdia-ls, fast recipe", "rdia-ls, fast recipe, crops"),
        *("rdia-ls, crops, 80 epochs", "rdia-ls, published"),
    ]
    for place, row in enumerate(rows[:-1]):
        assert row[1:] == [f"{10 * place + column + 1.5:.2f} ± 0.71" for column in range(4)]
    assert rows[-1][1:] == ["-", "-", "87.85 ± 0.21", "-"]
    assert "n = 2 seeds. MNIST, MLP, gamma 0.2, weight decay 1e-5. In brackets" in table


CHANGES: list[dict[str, Any]] = [
    {"average": 0.0005}, {"lr": 0.002}, {"n_epoch": 40}, {"warmup": "balanced"}, {"objective": "corrected"}, {"gamma": 0.4},
    {"epoch_decay_start": 16}, {"optimizer": "sgd"}, {"amp": True}, {"weight_decay": 0.0}, {"init_epoch": 20}, {"batch_size": 64},
    {"discard_rate": 0.05},
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_line_with_any_other_setting_is_in_no_row_of_the_released_one(change: dict[str, Any]) -> None:
    lines = [deep_line(mnist_run(AT_80, 1), 1, 80.0), deep_line(mnist_run(AT_80, 1, **change), 2, 90.0)]
    assert by_first(deep_table(lines))["rdia-ls"] == ["-", "-", "80.00", "-"]
    first = next(row for row in cells(warmup_table(lines)) if row[0] == "rdia-ls")
    assert first[1:4] == ["80%", "1", "80.00"]


@pytest.mark.parametrize("name", FAST)
def test_the_fast_recipe_is_told_from_what_is_but_for_one_setting_the_same(name: str) -> None:
    almost = {key: value for key, value in FAST.items() if key != name}
    lines = [deep_line(mnist_run(AT_80, 1, **FAST), 1, 91.0), deep_line(mnist_run(AT_80, 1, **almost), 2, 50.0)]
    assert by_first(deep_table(lines))["rdia-ls, fast recipe"] == ["-", "-", "91.00", "-"]


def test_cifar10_has_a_row_for_what_was_run() -> None:
    lines = [deep_line(cifar10_run(1), seed, 24.0 + seed) for seed in (1, 2)]
    lines += [deep_line(cifar10_run(1, method="erm"), 1, 17.0, 20.0)]
    table = cifar10_table(lines)
    assert [row[0] for row in cells(table)[1:]] == ["rdia-ls", "erm", "rdia-ls, published"]
    assert by_first(table)["rdia-ls"][:2] == ["2", "25.50 ± 0.71"]
    assert by_first(table)["erm"] == ["1", "17.00", "20.00", "0.900", "0.800", "200"]
    assert by_first(table)["rdia-ls, published"] == ["-", "25.35 ± 0.17", "-", "-", "-", "200"]


def test_a_class_is_lost_below_5_per_cent_of_its_test_samples() -> None:
    assert [loses_a_class({"test_recall": recall}) for recall in ([99.0, 5.0, None], [4.9, 80.0], [0.0], [None])] == [
        False,
        True,
        True,
        False,
    ]


def test_seeds_that_lose_a_class_are_counted_and_taken_apart() -> None:
    run, lost = mnist_run(("symmetric", 0.5), 1), (0.0, 99.0)
    lines = [deep_line(run, 1, 80.0, 85.0), deep_line(run, 2, 84.0, 87.0), deep_line(run, 3, 70.0, 80.0, lost)]
    assert by_first(deep_table(lines))["rdia-ls"] == ["-", "78.00 ± 7.21 (1 of 3)", "-", "-"]
    head, row = cells(warmup_table(lines))
    assert head == [
        "variant",
        "noise",
        "seeds",
        "last ten, all seeds",
        "seeds that lose a class",
        "last ten, the others",
        "best epoch",
        "epochs",
    ]
    assert row == ["rdia-ls", "50%", "3", "78.00 ± 7.21", "1", "82.00 ± 2.83", "84.00 ± 3.61", "200"]
    fast = [deep_line(mnist_run(AT_80, 1, **FAST), 1, 90.0)]
    assert cells(warmup_table(fast))[1:] == [["rdia-ls, fast recipe", "80%", "1", "90.00", "0", "90.00", "95.00", "40"]]


def test_objectives_are_compared_over_the_seeds_of_both_at_the_released_settings() -> None:
    released, corrected = mnist_run(AT_80, 1), mnist_run(AT_80, 1, objective="corrected")
    lines = [deep_line(released, seed, 80.0 + seed, 90.0 + seed) for seed in (1, 2, 3)]
    lines += [deep_line(corrected, 2, 70.0, recall=(1.0, 9.0)), deep_line(corrected, 3, 76.0), deep_line(corrected, 9, 0.0)]
    lines += [deep_line(mnist_run(AT_80, 1, warmup="balanced"), 2, 50.0)]
    head, *rows = cells(objective_table(lines))
    assert head == ["objective", "last ten, all seeds", "seeds that lose a class", "last ten, the others", "best epoch"]
    assert rows == [
        ["released", "82.50 ± 0.71", "0", "82.50 ± 0.71", "92.50 ± 0.71"],
        ["corrected", "73.00 ± 4.24", "1", "76.00", "95.00 ± 0.00"],
    ]
    assert "n = 2 seeds that have been run with both" in objective_table(lines)


# the recipe


def test_the_recipes_candidates_are_ranked_by_the_mean_over_the_rates() -> None:
    lines = []
    for place, candidate in enumerate(CANDIDATES[:3]):
        for rate in RATES:
            for seed in (101, 102):
                estimated = 90 + place + 10 * rate + (seed - 101.5)
                lines.append({"config": Candidate(seed, rate, *candidate)._asdict(), "estimated": estimated, "held_out": 1.0})
    lines.append({"config": Candidate(101, 0.2, *CANDIDATES[3])._asdict(), "estimated": 100.0, "held_out": 1.0})  # one rate only
    table = recipe_table(lines)
    head, *rows = cells(table)
    assert head == ["epochs", "constant", "lr", "average", "augment", "noise 0.2", "noise 0.5", "noise 0.8", "mean"]
    assert rows == [
        ["40", "0.4", "0.002", "0.0005", "none", "94.00 ± 0.71", "97.00 ± 0.71", "100.00 ± 0.71", "97.00"],
        ["50", "0.4", "0.001", "0.0005", "none", "93.00 ± 0.71", "96.00 ± 0.71", "99.00 ± 0.71", "96.00"],
        ["40", "0.4", "0.001", "0.0005", "none", "92.00 ± 0.71", "95.00 ± 0.71", "98.00 ± 0.71", "95.00"],
    ]


# places in the documents


def test_a_table_replaces_what_stands_between_its_marks_and_nothing_else(tmp_path: Path) -> None:
    before = "a\n<!-- deep -->\nold\nrows\n<!-- /deep -->\nb\n<!-- deeper -->\nkept\n<!-- /deeper -->\n"
    after = "a\n<!-- deep -->\n| x |\n| --- |\n<!-- /deep -->\nb\n<!-- deeper -->\nkept\n<!-- /deeper -->\n"
    (tmp_path / "page.md").write_text(before)
    paste_into(tmp_path / "page.md", "deep", markdown(["x"], []))
    assert (tmp_path / "page.md").read_text() == after
    paste_into(tmp_path / "page.md", "deep", markdown(["x"], []))
    assert (tmp_path / "page.md").read_text() == after


def test_a_table_goes_into_the_document_that_has_a_place_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("<!-- deeper -->\n<!-- /deeper -->\n")
    for name in ("a", "b"):
        (tmp_path / "docs" / f"{name}.md").write_text(f"<!-- {name} -->\n<!-- /{name} -->\n")
    monkeypatch.setattr(tables, "ROOT", tmp_path)
    assert [path.name for path in documents()] == ["README.md", "a.md", "b.md"]
    assert place_of("deeper") == tmp_path / "README.md"
    assert place_of("b") == tmp_path / "docs" / "b.md"
    with pytest.raises(InputError, match="a place for the table deep; add the lines <!-- deep --> and <!-- /deep -->"):
        place_of("deep")
    Output(tmp_path, own=False).table("b", "| new |")
    assert (tmp_path / "docs" / "b.md").read_text() == "<!-- b -->\n| new |\n<!-- /b -->\n"
    Output(tmp_path, own=True).table("b", "| new |")
    assert (tmp_path / "b.md").read_text() == "| new |\n"
    assert Output(tmp_path, own=True).picture("b") == tmp_path / "b.png"
    made = f"b: table in {tmp_path}/docs/b.md", f"b: table in {tmp_path}/b.md", f"b: picture {tmp_path}/b.png"
    assert capsys.readouterr().out.splitlines() == list(made)
    assert in_clone(FIGURES / "noise.png") == Path("Figure/noise.png")


def test_how_many_seeds_stand_behind_the_cells() -> None:
    lines = [{"config": {"noise": noise, "seed": seed}} for noise, seed in ((0.1, 1), (0.1, 2), (0.1, 3), (0.2, 1), (0.2, 2))]
    found = [seeds(lines), seeds(lines[:3]), seeds(lines[:1]), seeds([])]
    assert found == ["n = 2 to 3 seeds", "n = 3 seeds", "n = 1 seed", "n = 0 seeds"]

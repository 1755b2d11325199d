import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.errors import InputError
from Figure import deep_targets, linear_targets, recipe, reproduce
from Figure.compare import COMPARED, Comparison
from Figure.deep_targets import deep_table, objective_table, warmup_table
from Figure.flips import Flips, flip_each
from Figure.influence_plot import draw_influence, slope_and_correlation
from Figure.linear_targets import ALPHA_NOISES, ALPHAS, best_in_bold, methods_table, noise_table
from Figure.lines import Store
from Figure.tables import documents, marked, mean_sd, place_of, sample_sd, seeds
from Figure.target import Output
from models.settings import FAST
from run.records import ROOT, Record

# Means of the released procedure run on the real data: three noise draws on MNIST 1 vs 7, twenty on breast-cancer.
MNIST = {
    0.01: (0.0228, 0.0312, 0.0520, 0.0505),
    0.002: (0.0209, 0.0319, 0.0485, 0.0427),
    0.0002: (0.0797, 0.0359, 0.0491, 0.0412),
    "ERM": (0.0240, 0.2508, 0.7086, 1.5992),
    "relabeled 0.01": (14, 1_738, 4_343, 7_076),
    "relabeled 0.002": (81, 1_870, 4_520, 7_164),
    "relabeled 0.0002": (538, 1_925, 4_559, 7_183),
}
CANCER = {
    0.01: (0.0677, 0.0757, 0.094, 0.0894),
    0.002: (0.0669, 0.078, 0.0922, 0.0758),
    0.0002: (0.0783, 0.0855, 0.0921, 0.0729),
    "ERM": (0.0914, 0.292, 0.704, 1.43),
    "Dropout": (0.0731, 0.082, 0.115, 0.152),
}


def kept(dataset: str, alpha: float, seeds: int = 20) -> list[list[Record]]:
    """The kept lines of one data set and alpha, a list a noise rate."""
    lines = [line for line in Store().read("alpha") if (line["config"]["dataset"], line["config"]["alpha"]) == (dataset, alpha)]
    return [
        [line for line in lines if line["config"]["noise"] == noise and line["config"]["seed"] <= seeds] for noise in ALPHA_NOISES
    ]


def kept_means(dataset: str, alpha: float, method: str) -> list[float]:
    return [float(np.mean([line["methods"][method]["test"]["log_loss"] for line in lines])) for lines in kept(dataset, alpha)]


@pytest.mark.parametrize("alpha", ALPHAS)
def test_the_kept_runs_reach_the_released_procedure(alpha: float) -> None:
    np.testing.assert_allclose(kept_means("mnist", alpha, "RDIA"), MNIST[alpha], rtol=0.10)
    np.testing.assert_allclose(kept_means("mnist", alpha, "ERM"), MNIST["ERM"], rtol=0.03)
    np.testing.assert_allclose(kept_means("cancer", alpha, "RDIA"), CANCER[alpha], rtol=0.15)
    np.testing.assert_allclose(kept_means("cancer", alpha, "ERM"), CANCER["ERM"], rtol=0.15)
    np.testing.assert_allclose(kept_means("cancer", alpha, "Dropout"), CANCER["Dropout"], rtol=0.15)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_the_kept_runs_relabel_as_many_as_the_released_procedure(alpha: float) -> None:
    counts = [np.mean([line["relabeled"] for line in lines]) for lines in kept("mnist", alpha)]
    np.testing.assert_allclose(counts, MNIST[f"relabeled {alpha:g}"], rtol=0.03)


@pytest.mark.parametrize("name", reproduce.MODULES)
def test_what_is_kept_is_what_the_target_would_make(name: str) -> None:
    runs = reproduce.target(name).wanted(1)
    assert len(Store().missing(runs)) < len(runs) or not runs


@pytest.mark.parametrize("noise_rate", recipe.RATES)
@pytest.mark.parametrize("truth", [10.0, 50.0, 97.0, 100.0])
def test_accuracy_on_true_labels_is_found_from_that_on_noisy_ones(truth: float, noise_rate: float) -> None:
    noisy = truth * (1 - noise_rate) + (100 - truth) * noise_rate / 9
    assert recipe.estimate(noisy, noise_rate) == pytest.approx(truth)


def test_the_recipe_is_the_candidate_with_the_best_mean() -> None:
    configs = [recipe.Candidate(101, rate, *values) for rate in recipe.RATES for values in recipe.CANDIDATES]
    lines = [
        {"config": config._asdict(), "estimated": 90.0 + (config[2:] == (40, 0.4, 0.004, 0.0005, "none"))} for config in configs
    ]
    rows = recipe.recipe_table(lines).splitlines()
    assert rows[4] == "| 40 | 0.4 | 0.004 | 0.0005 | none | 91.00 | 91.00 | 91.00 | 91.00 |"
    assert len(rows) == 4 + len(recipe.CANDIDATES)


def test_the_fast_recipe_is_the_one_that_was_chosen() -> None:
    """Of the candidates that any picture can be trained by: small ones lose too much to a crop."""
    rows = [row.split("|")[1:6] for row in recipe.recipe_table(Store().read("recipe")).splitlines()[4:]]
    epochs, constant, lr, average = map(float, next(row[:4] for row in rows if row[4].strip() == "none"))
    chosen = [FAST[name] for name in ("n_epoch", "epoch_decay_start", "lr", "average")]
    assert [epochs, epochs * constant, lr, average] == chosen


def deep_line(seed: int, last10: float, worst: float = 50.0, **changes: Any) -> Record:
    """A kept line of `RDIA-LS` on MNIST at 80%."""
    run = deep_targets.mnist_run(("symmetric", 0.8), seed, **changes)
    shown = {name: run.config[name] for name in ("dataset", "seed", "noise_rate", "noise_type", "gamma", "objective")}
    return {"config": run.config, **shown, "last10": last10, "best": 91.0, "epochs": 200, "test_recall": [99.0, worst, None]}


def test_a_seed_that_loses_a_class_is_counted_apart() -> None:
    lines = [deep_line(1, 88.0, 70.0), deep_line(2, 86.0, 60.0), deep_line(3, 79.0, 0.0)]
    row = warmup_table(lines).splitlines()[-1]
    assert row == "| rdia-ls | 80% | 3 | 84.33 ± 4.73 | 1 | 87.00 ± 1.41 | 91.00 ± 0.00 | 200 |"
    row = next(row for row in deep_table(lines).splitlines() if row.startswith("| rdia-ls |"))
    assert row == "| rdia-ls | - | - | 84.33 ± 4.73 (1 of 3) | - |"


def test_objectives_are_compared_over_the_seeds_that_have_both() -> None:
    released = [deep_line(seed, 80.0 + seed) for seed in (1, 2, 3)]
    corrected = [deep_line(seed, 70.0, objective="corrected") for seed in (2, 3, 9)]
    table = objective_table(released + corrected)
    assert "n = 2 seeds" in table
    assert "| released | 82.50 ± 0.71 |" in table
    assert "| corrected | 70.00 ± 0.00 |" in table


def compare_line(dataset: str, noise: float, seed: int, **losses: float) -> Record:
    methods = {name: {"test": {"log_loss": losses.get(name, 0.5)}} for name in COMPARED}
    return {"config": Comparison(dataset, noise, seed, 0.1)._asdict(), "methods": methods, "alpha": 0.01}


def test_the_methods_table_names_what_is_not_there_and_marks_the_best(tmp_path: Path) -> None:
    table = methods_table([compare_line("wdbc", 0.0, 1, RDIA=0.1), compare_line("wdbc", 0.0, 2, RDIA=0.2)], tmp_path)
    assert "| wdbc | 0.01 | 0.5000 ± 0.0000 |" in table
    assert "| **0.1500 ± 0.0707** |" in table
    assert table.count("**") == 2
    assert "| news20 | not there |" in table
    assert "| digits | still to be run |" in table
    assert "n = 2 seeds" in table


def test_the_noise_table_has_a_dash_where_nothing_was_run() -> None:
    table = noise_table([compare_line("mnist", 0.2, 1, ERM=0.3)])
    assert "| ERM | - | **0.3000** | - | - | - |" in table
    assert "| RDIA | - | 0.5000 | - | - | - |" in table


def test_the_least_mean_is_bold() -> None:
    assert best_in_bold(["0.2000 ± 0.1", "-", "0.1000", "0.1000 ± 0.2"]) == ["0.2000 ± 0.1", "-", "**0.1000**", "**0.1000 ± 0.2**"]


def test_a_cell_far_from_what_is_published_is_bold() -> None:
    assert (marked([0.1], 0.105), marked([0.1], 0.2), marked([0.1], float("nan"))) == ("0.1000", "**0.1000**", "0.1000")


def test_how_many_seeds_stand_behind_a_cell() -> None:
    lines = [{"config": {"noise": noise, "seed": seed}} for noise, seed in ((0.1, 1), (0.1, 2), (0.2, 1))]
    assert (seeds(lines), seeds(lines[:2]), seeds(lines[2:]), seeds([])) == (
        "n = 1 to 2 seeds",
        "n = 2 seeds",
        "n = 1 seed",
        "n = 0 seeds",
    )


def test_the_kept_predictions_agree_with_retraining() -> None:
    lines = Store().read("influence")
    assert [line["config"]["dataset"] for line in lines] == ["wdbc", "digits", "mnist"]
    for line in lines:
        slope, correlation = slope_and_correlation(np.array(line["predicted"]), np.array(line["actual"]))
        assert slope == pytest.approx(1, abs=0.02)
        assert correlation > 0.995


def test_a_flip_changes_the_validation_loss_as_predicted(tmp_path: Path) -> None:
    config = Flips("digits", 1, flips=20)
    line = flip_each(config, tmp_path)
    np.testing.assert_allclose(line["actual"], line["predicted"], rtol=0.1)
    draw_influence([{"config": config._asdict(), **line}], tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_slope_and_correlation_of_a_known_line() -> None:
    slope, correlation = slope_and_correlation(np.array([-1.0, 1, 2]), np.array([-3.0, 3, 6]))
    assert (slope, correlation) == (pytest.approx(3), pytest.approx(1))


def test_mean_and_sample_standard_deviation() -> None:
    assert (mean_sd([0.1, 0.3]), mean_sd([0.25]), mean_sd([]), mean_sd([1, 2], 1)) == (
        "0.2000 ± 0.1414",
        "0.2500",
        "-",
        "1.5 ± 0.7",
    )


def test_a_table_goes_between_its_markers_and_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = tmp_path / "a.md", tmp_path / "b.md"
    pages[0].write_text("no markers\n")
    pages[1].write_text("before\n<!-- mnist -->\nold\n<!-- /mnist -->\nafter\n")
    monkeypatch.setattr("Figure.tables.documents", lambda: list(pages))
    Output(tmp_path, own=False).table("mnist", "| a |")
    assert pages[0].read_text() == "no markers\n"
    assert pages[1].read_text() == "before\n<!-- mnist -->\n| a |\n<!-- /mnist -->\nafter\n"
    with pytest.raises(InputError, match=r"no page has a place for the table cancer; add the lines <!-- cancer -->"):
        place_of("cancer")


def test_the_documents_are_the_readme_and_the_pages_of_docs() -> None:
    assert documents()[0] == ROOT / "README.md"
    assert all(path.parent == ROOT / "docs" and path.suffix == ".md" for path in documents()[1:])


def test_a_sample_standard_deviation_divides_by_n_minus_1() -> None:
    np.testing.assert_allclose(sample_sd([[1.0, 5.0], [3.0, 5.0]]), [2**0.5, 0.0])  # of two: their distance over sqrt 2
    assert sample_sd([7.0]) == 0.0


def band(figure: Any, axes: int, place: int) -> list[float]:
    """The least and the largest height of a band in a figure."""
    heights = figure.axes[axes].collections[place].get_paths()[0].vertices[:, 1]
    return [heights.min(), heights.max()]


@pytest.mark.slow
@pytest.mark.skipif(not (Path(os.environ.get("RDIA_DATA", "")) / "MNIST").exists(), reason="RDIA_DATA has no MNIST")
@pytest.mark.parametrize("noise", ALPHA_NOISES)
def test_a_run_on_mnist_gives_the_kept_line_again(noise: float) -> None:
    (kept_line,) = (line for lines in kept("mnist", 0.0002, seeds=1) for line in lines if line["config"]["noise"] == noise)
    record = json.loads(json.dumps(linear_targets.run_rdia(kept_line["config"], Path(os.environ["RDIA_DATA"]))))
    assert abs(record["relabeled"] - kept_line["relabeled"]) <= 1  # another BLAS may move one sample over alpha
    for name, splits in record["methods"].items():
        assert splits["test"]["log_loss"] == pytest.approx(kept_line["methods"][name]["test"]["log_loss"], rel=1e-3)

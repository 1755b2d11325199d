import itertools
import json
import os
from pathlib import Path

import numpy as np
import pytest

import RDIA
from data.errors import InputError
from Figure import recipe, reproduce, reproduce_ls
from Figure.influence_plot import draw, slope_and_correlation
from Figure.lines import FOLDER, by_key, read_lines
from Figure.results import ROOT
from Figure.tables import ALPHAS, NOISES, alpha_table, mean_sd, paste
from models.settings import FAST

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


def kept_means(dataset: str, alpha: float, method: str) -> list[float]:
    lines = [line for line in read_lines(FOLDER / f"{dataset}.jsonl") if line["alpha"] == alpha]
    losses = [[line["methods"][method]["test"]["log_loss"] for line in lines if line["noise"] == noise] for noise in NOISES]
    return [float(np.mean(loss)) for loss in losses]


@pytest.mark.parametrize("alpha", ALPHAS)
def test_the_kept_runs_reach_the_released_procedure(alpha: float) -> None:
    np.testing.assert_allclose(kept_means("mnist", alpha, "RDIA"), MNIST[alpha], rtol=0.10)
    np.testing.assert_allclose(kept_means("mnist", alpha, "ERM"), MNIST["ERM"], rtol=0.03)
    np.testing.assert_allclose(kept_means("cancer", alpha, "RDIA"), CANCER[alpha], rtol=0.15)
    np.testing.assert_allclose(kept_means("cancer", alpha, "ERM"), CANCER["ERM"], rtol=0.15)
    np.testing.assert_allclose(kept_means("cancer", alpha, "Dropout"), CANCER["Dropout"], rtol=0.15)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_the_kept_runs_relabel_as_many_as_the_released_procedure(alpha: float) -> None:
    lines = [line for line in read_lines(FOLDER / "mnist.jsonl") if line["alpha"] == alpha]
    counts = [np.mean([line["relabeled"] for line in lines if line["noise"] == noise]) for noise in NOISES]
    np.testing.assert_allclose(counts, MNIST[f"relabeled {alpha:g}"], rtol=0.03)


@pytest.mark.parametrize("dataset", ["mnist", "cancer"])
def test_the_readme_shows_what_the_kept_runs_say(dataset: str) -> None:
    readme = (ROOT / "README.md").read_text()
    assert paste(readme, dataset, alpha_table(read_lines(FOLDER / f"{dataset}.jsonl"), dataset)) == readme


def test_the_readme_shows_what_the_kept_trainings_say() -> None:
    readme = (ROOT / "README.md").read_text()
    lines = read_lines(FOLDER / "ls.jsonl")
    assert paste(readme, "ls", reproduce_ls.table(lines)) == readme
    assert paste(readme, "recipe", recipe.table(read_lines(FOLDER / "recipe.jsonl"))) == readme
    configs = [reproduce_ls.mnist_config(line["variant"], line["noise_rate"], line["seed"]).flat() for line in lines]
    assert configs == [line["config"] for line in lines]


@pytest.mark.parametrize("noise_rate", recipe.RATES)
@pytest.mark.parametrize("truth", [10.0, 50.0, 97.0, 100.0])
def test_accuracy_on_true_labels_is_found_from_that_on_noisy_ones(truth: float, noise_rate: float) -> None:
    noisy = truth * (1 - noise_rate) + (100 - truth) * noise_rate / 9
    assert recipe.estimate(noisy, noise_rate) == pytest.approx(truth)


def test_the_recipe_is_the_candidate_with_the_best_mean() -> None:
    keys = itertools.product(recipe.RATES, recipe.EPOCHS, recipe.AVERAGES)
    lines = [
        {"noise_rate": rate, "n_epoch": n_epoch, "average": average, "estimated": 90.0 + (n_epoch == 40) + 2 * (average == 0.0005)}
        for rate, n_epoch, average in keys
    ]
    rows = recipe.table(lines).splitlines()
    assert rows[2] == "| 40 | 0.0005 | 93.00 | 93.00 | 93.00 | 93.00 |"
    assert len(rows) == 2 + len(recipe.EPOCHS) * len(recipe.AVERAGES)


def test_the_fast_recipe_is_the_one_that_was_chosen() -> None:
    best = recipe.table(read_lines(FOLDER / "recipe.jsonl")).splitlines()[2].split("|")
    assert (int(best[1]), float(best[2])) == (FAST["n_epoch"], FAST["average"])


def test_a_seed_that_loses_a_class_is_counted_apart() -> None:
    base = {"variant": "released", "noise_rate": 0.8, "best": 91.0, "epochs": 200}
    lines = [{**base, "last10": last, "test_recall": [99.0, worst]} for last, worst in ((88.0, 70.0), (86.0, 60.0), (79.0, 0.0))]
    row = reproduce_ls.table(lines).splitlines()[-1]
    assert row == "| released | 80% | 3 | 84.33 ± 4.73 | 1 | 87.00 ± 1.41 | 91.00 ± 0.00 | 200 |"


def test_the_kept_predictions_agree_with_retraining() -> None:
    lines = read_lines(FOLDER / "influence.jsonl")
    assert [line["dataset"] for line in lines] == ["wdbc", "digits", "mnist"]
    for line in lines:
        slope, correlation = slope_and_correlation(np.array(line["predicted"]), np.array(line["actual"]))
        assert slope == pytest.approx(1, abs=0.02)
        assert correlation > 0.995


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Figure/ and README.md in a folder of their own."""
    monkeypatch.setattr(reproduce, "FOLDER", tmp_path)
    monkeypatch.setattr(reproduce, "ROOT", tmp_path)
    (tmp_path / "README.md").write_text("before\n<!-- wdbc -->\n<!-- /wdbc -->\nafter\n")
    return tmp_path


def test_what_is_kept_is_not_run_again(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reproduce.alpha("wdbc", 1, elsewhere)
    lines = (elsewhere / "wdbc.jsonl").read_text()
    assert lines.count("\n") == len(ALPHAS) * len(NOISES)
    assert "n = 1 seeds" in (elsewhere / "README.md").read_text()
    runs = []

    def counted(config: RDIA.Config, *rest: object, run: object = RDIA.run) -> object:
        runs.append(config)
        return run(config, *rest)  # type: ignore[operator]

    monkeypatch.setattr(RDIA, "run", counted)
    reproduce.alpha("wdbc", 1, elsewhere)
    assert not runs
    (elsewhere / "wdbc.jsonl").write_text(lines[:-20])  # the last line is torn, as by a kill
    reproduce.alpha("wdbc", 2, elsewhere)
    assert len(runs) == 1 + len(ALPHAS) * len(NOISES)
    readme = (elsewhere / "README.md").read_text()
    assert "n = 2 seeds" in readme
    assert readme.startswith("before\n")
    assert readme.endswith("after\n")


def test_a_flip_changes_the_validation_loss_as_predicted(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reproduce, "FLIPS", 20)
    line = reproduce.flip_each("digits", elsewhere, 1)
    np.testing.assert_allclose(line["actual"], line["predicted"], rtol=0.1)
    draw([line], elsewhere / "plot.png")
    assert (elsewhere / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_slope_and_correlation_of_a_known_line() -> None:
    slope, correlation = slope_and_correlation(np.array([-1.0, 1, 2]), np.array([-3.0, 3, 6]))
    assert (slope, correlation) == (pytest.approx(3), pytest.approx(1))


def test_a_torn_line_is_passed_over_and_the_last_of_a_key_counts(tmp_path: Path) -> None:
    (tmp_path / "lines").write_text('{"a": 1, "b": 1}\n{"a": 1, "b"\n{"a": 1, "b": 2}\n')
    assert by_key(read_lines(tmp_path / "lines"), ["a"]) == {(1,): {"a": 1, "b": 2}}
    assert read_lines(tmp_path / "none") == []


def test_mean_and_sample_standard_deviation() -> None:
    assert mean_sd([0.1, 0.3]) == "0.2000 ± 0.1414"
    assert mean_sd([0.25]) == "0.2500"


def test_a_readme_without_a_place_is_an_error() -> None:
    with pytest.raises(InputError, match="<!-- mnist -->"):
        paste("no marks", "mnist", "table")


@pytest.mark.slow
@pytest.mark.skipif(not (Path(os.environ.get("RDIA_DATA", "")) / "MNIST").exists(), reason="RDIA_DATA has no MNIST")
@pytest.mark.parametrize("noise", NOISES)
def test_a_run_on_mnist_gives_the_kept_line_again(noise: float) -> None:
    kept = by_key(read_lines(FOLDER / "mnist.jsonl"), ("noise", "alpha", "seed"))[noise, 0.0002, 1]
    config = RDIA.Config("mnist", noise, 0.0002, 1, 0.1, "auto", Path(os.environ["RDIA_DATA"]))
    record = json.loads(json.dumps(RDIA.run(config, RDIA.Stages(8)).record))
    assert abs(record["relabeled"] - kept["relabeled"]) <= 1  # another BLAS may move one sample over alpha
    for name, splits in record["methods"].items():
        assert splits["test"]["log_loss"] == pytest.approx(kept["methods"][name]["test"]["log_loss"], rel=1e-3)

"""Which runs each target wants, written out, and what it makes of their lines."""

import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from Figure import deep_targets, linear_targets
from Figure.cifar10_target import cifar10_run
from Figure.deep_targets import cifar10_possible, mnist_run
from Figure.linear_targets import DATASETS, run_rdia, show_noise
from Figure.lines import Run
from Figure.reproduce import MODULES, target
from Figure.target import Output
from run.records import Record

RELEASED = {
    "dataset": "mnist", "noise_rate": 0.8, "noise_type": "symmetric", "seed": 3, "network": "mlp", "method": "rdia-ls",
    "objective": "released", "warmup": "released", "gamma": 0.2, "forget_rate": 0.8, "discard_rate": 0.4, "n_epoch": 200,
    "init_epoch": 10, "num_gradual": 10, "epoch_decay_start": 80, "lr": 0.001, "weight_decay": 1e-5, "optimizer": "adam",
    "batch_size": 128, "average": 0.0, "amp": False, "augment": "none",
}  # fmt: skip
FAST = {"n_epoch": 40, "epoch_decay_start": 16, "lr": 0.002, "warmup": "balanced", "average": 0.0005}
BALANCED = {"warmup": "balanced"}
CROPS = {**FAST, "augment": "crop"}
OF_RDIA_LS: list[Record] = [{}, BALANCED, FAST, CROPS, {**CROPS, "n_epoch": 80, "epoch_decay_start": 32}]
OTHERS = ("erm", "self-teaching", "co-teaching", "sigua", "f-correction", "s-model")
RATES_OF = {"symmetric": (0.2, 0.5, 0.8), "pairflip": (0.45,)}


def mnist(rate: float, kind: str, seed: int, **changes: Any) -> Record:
    of_noise = {"noise_rate": rate, "noise_type": kind, "forget_rate": rate, "discard_rate": rate / 2}
    return {**RELEASED, **of_noise, "seed": seed, **changes}


def key(config: Record) -> str:
    return repr(sorted(config.items()))


def assert_wanted(name: str, count: int, file: str, expected: list[Record]) -> list[Run]:
    """These configurations, in any order, each once."""
    runs = target(name).wanted(count)
    assert sorted(key(run.config) for run in runs) == sorted(map(key, expected))
    assert {run.file for run in runs} == {file}
    assert pickle.loads(pickle.dumps(runs[0].make))  # processes of their own make them
    return runs


def test_the_released_commands_are_what_the_authors_ran() -> None:
    assert mnist_run(("symmetric", 0.8), 3).config == RELEASED
    assert mnist_run(("pairflip", 0.45), 1, 0.6, method="erm").config == mnist(0.45, "pairflip", 1, gamma=0.6, method="erm")
    released = {**RELEASED, "dataset": "cifar10", "network": "cnn", "gamma": 0.05, "weight_decay": 0.0}
    assert cifar10_run(3).config == released
    assert cifar10_run(3, method="erm").config == {**released, "method": "erm"}


def test_the_deep_table_wants_every_method_at_every_noise() -> None:
    variants: list[Record] = [{"method": method} for method in OTHERS] + OF_RDIA_LS
    expected = [
        mnist(rate, kind, seed, **changes)
        for seed in (1, 2)
        for changes in variants
        for kind, rates in RATES_OF.items()
        for rate in rates
    ]
    runs = assert_wanted("deep", 2, "deep", expected)
    assert all(run.possible(Path("nowhere")) for run in runs)


FIFTH = {"noise_rate": 0.2, "forget_rate": 0.2, "discard_rate": 0.1}


def test_cifar10_wants_the_first_seed_of_everything_and_then_more() -> None:
    others = [{"method": method} for method in ("erm", "self-teaching", "co-teaching")]
    moved = {"augment": "both"}
    variants: list[Record] = [{}, FAST, BALANCED, {"objective": "corrected"}, *others]
    variants += [{**FAST, **change} for change in (*others, {"objective": "corrected"}, moved)]
    variants += [{**FAST, "gamma": gamma} for gamma in (0.2, 0.5, 0.8)]
    variants += [{**FAST, **FIFTH, **change} for change in ({}, {"method": "erm"}, moved)]
    expected = [{**cifar10_run(seed).config, **changes} for seed in (1, 2) for changes in variants]
    expected += [{**cifar10_run(3).config, **changes} for changes in ({}, FAST)]
    runs = assert_wanted("cifar10", 3, "cifar10", expected)
    assert [run.config["seed"] for run in runs] == [1] * 18 + [2] * 18 + [3] * 2
    assert {run.possible for run in runs} == {cifar10_possible}


def test_the_other_tables_of_networks_want_their_part_of_it() -> None:
    rates = RATES_OF["symmetric"]
    assert_wanted("warmup", 2, "deep", [mnist(r, "symmetric", s, **c) for r in rates for s in (1, 2) for c in OF_RDIA_LS])
    gammas = (0.2, 0.4, 0.6, 0.8)
    curves = [mnist(r, "symmetric", s, gamma=g, **BALANCED) for r in (0.2, 0.8) for s in (1, 2) for g in gammas]
    assert_wanted("gamma", 2, "deep", curves)
    objectives = ("released", "corrected")
    assert_wanted("objective", 2, "deep", [mnist(0.8, "symmetric", s, objective=o) for s in (1, 2) for o in objectives])
    networks = {"dataset": "mnist10", "model": "mlp", "n_validation": 1_000, "n_epoch": 10, "alpha": 0.0}
    assert_wanted("networks", 2, "networks", [{**networks, "noise": r, "seed": s} for r in rates for s in (1, 2)])


@pytest.mark.parametrize(("name", "dataset"), [("alpha", "mnist"), ("cancer", "cancer")])
def test_the_alpha_tables_want_three_alphas_at_four_noises(name: str, dataset: str) -> None:
    expected = [
        {"dataset": dataset, "noise": noise, "alpha": alpha, "seed": seed, "C": 0.1, "solver": "auto"}
        for noise in (0.0, 0.2, 0.5, 0.8)
        for alpha in (0.01, 0.002, 0.0002)
        for seed in (1, 2)
    ]
    assert_wanted(name, 2, "alpha", expected)


def test_the_comparisons_are_of_clean_data_and_of_nine_noise_rates() -> None:
    def compared(dataset: str, noise: float, seed: int) -> Record:
        alphas = (0.2, 0.05, 0.01, 0.002, 0.0002, 0.0)
        return {"dataset": dataset, "noise": noise, "seed": seed, "C": 0.1, "alphas": alphas}

    sets = ("wdbc", "digits", "cancer", "diabetes", "adult", "news20", "realsim", "covtype", "skin", "avazu", "criteo", "mnist")
    assert (*sets, "cifar10", "svhn") == DATASETS
    assert_wanted("methods", 2, "compare", [compared(name, 0.0, seed) for name in DATASETS for seed in (1, 2)])
    rates = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
    four = ("mnist", "cancer", "diabetes", "adult")
    runs = assert_wanted("noise", 2, "compare", [compared(name, r, s) for name in four for r in rates for s in (1, 2)])
    assert [run.config["dataset"] for run in runs] == [name for name in four for _ in range(18)]  # one after another: loaded once
    assert [run.config["seed"] for run in runs][:18] == [1] * 9 + [2] * 9
    assert not runs[0].possible(Path("nowhere"))
    assert target("methods").wanted(1)[0].possible(Path("nowhere"))  # wdbc is built in


def test_many_classes_and_flips() -> None:
    expected = [{"dataset": "mnist10", "noise": r, "seed": s, "C": 0.1, "alpha": 0.0} for r in (0.2, 0.5, 0.8) for s in (1, 2)]
    assert_wanted("classes", 2, "classes", expected)
    sets = ("wdbc", "digits", "mnist")
    flips = [{"dataset": d, "seed": s, "noise": 0.2, "C": 0.1, "flips": 150} for d in sets for s in (1, 2)]
    assert_wanted("influence", 2, "influence", flips)


def test_how_many_seeds_a_target_has() -> None:
    assert {name: target(name).seeds for name in MODULES} == {
        "alpha": 5, "cancer": 20, "methods": 5, "noise": 5, "classes": 5, "influence": 1, "networks": 3, "deep": 3, "warmup": 10,
        "gamma": 3, "objective": 3, "recipe": 1, "framework": 1, "flags": 1, "demo": 1, "headline": 5, "suspects": 3, "targets": 1,
        "bench": 3, "cifar10": 5, "rates": 3, "trusted": 3, "own": 3, "amp": 2, "promise": 3, "looks": 3, "chosen": 3,
        "examined": 3,
    }  # fmt: skip


# what is run


def test_a_run_of_the_alpha_table_is_what_rdia_prints(tmp_path: Path) -> None:
    record = run_rdia({"dataset": "digits", "noise": 0.2, "alpha": 0.002, "seed": 3, "C": 0.1, "solver": "auto"}, tmp_path)
    assert {name: record[name] for name in ("dataset", "noise", "alpha", "seed")} == {
        "dataset": "digits", "noise": 0.2, "alpha": 0.002, "seed": 3,
    }  # fmt: skip
    assert {"ERM", "Random", "Dropout", "RDIA"} <= set(record["methods"])


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_training_run_is_kept_with_the_device_that_trained_it(
    device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}

    def run_training(config: Any, where: torch.device) -> SimpleNamespace:
        seen.update(config=config, device=where, threads=torch.get_num_threads())
        return SimpleNamespace(record={"last10": 88.0})

    monkeypatch.setattr("run.rdia_ls.run_training", run_training)
    monkeypatch.setattr("models.devices.device.choose_device", lambda asked: torch.device(device) if asked is None else asked)
    run = mnist_run(("symmetric", 0.8), 3)
    assert run.make(tmp_path) == {"last10": 88.0, "device": device}
    assert (seen["config"].data_dir, seen["config"].flat(), seen["device"]) == (tmp_path, run.config, torch.device(device))
    assert seen["threads"] == 1


@pytest.mark.parametrize(("gpu", "there", "possible"), [(True, True, True), (True, False, False), (False, True, False)])
def test_cifar10_is_run_where_it_is_and_a_gpu(
    gpu: bool, there: bool, possible: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(deep_targets, "is_here", lambda name, folder: (name, folder) == ("cifar10", tmp_path) and there)
    assert cifar10_possible(tmp_path) is possible


# what is shown


def test_the_noise_target_has_a_table_and_a_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(linear_targets, "noise_table", lambda lines: f"table of {len(lines)}")
    monkeypatch.setattr(linear_targets, "draw_noise", lambda *given: drawn.append(given))
    show_noise([{"a": 1}], Output(tmp_path, own=True), tmp_path)
    assert (tmp_path / "noise.md").read_text() == "table of 1\n"
    rates = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
    assert drawn == [([{"a": 1}], ("mnist", "cancer", "diabetes", "adult"), rates, tmp_path / "noise.png")]


@pytest.mark.parametrize(
    "name", ["alpha", "cancer", "methods", "classes", "networks", "deep", "cifar10", "warmup", "objective", "recipe"]
)
def test_a_table_is_named_after_its_target(name: str, tmp_path: Path) -> None:
    target(name).show([], Output(tmp_path, own=True), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.md"]
    assert (tmp_path / f"{name}.md").read_text().splitlines()[3].startswith("| --- |")


BEGINNINGS = {
    "alpha": "mnist: test log-loss, ",
    "cancer": "cancer: test log-loss, ",
    "networks": "mnist10, MLP, 10 epochs, ",
    "classes": "mnist10, softmax regression, C = 0.1: ",
}


@pytest.mark.parametrize(("name", "start"), BEGINNINGS.items())
def test_a_table_begins_with_what_it_is_of(name: str, start: str, tmp_path: Path) -> None:
    target(name).show([], Output(tmp_path, own=True), tmp_path)
    text = (tmp_path / f"{name}.md").read_text()
    assert text.startswith(start)
    assert ("RDIA-LS |" in text) is (name == "networks")
    assert ("RDIA, published" in text) is (name == "alpha")

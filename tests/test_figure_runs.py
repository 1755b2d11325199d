"""The runs behind the tables of many classes, the recipe and the influence figure, each against its definition."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch import nn

from data.dataset import Validation, load
from data.noise import flip_share
from data.streams import generator, stream_seed
from Figure import on_network, recipe
from Figure.compare import load_once
from Figure.flips import Flips, flip_each
from Figure.many import MANY_METHODS, ManyClasses, relabel_many
from Figure.on_network import OnNetwork, fit_by_loss, relabel_on_network
from Figure.recipe import CANDIDATES, COUNTED_EPOCHS, RATES, SEED, Candidate, estimate, recipe_runs, train_candidate
from influence import SoftmaxFit, softmax_influence
from models.network_model import Fitting, NetworkModel
from models.settings import FAST, Settings
from models.softmax_regression import fit_softmax
from models.training import Epoch, Tensors
from run.records import Record
from tests.problems import C, weighted_fit

# flips


def summed_loss(logits: np.ndarray, labels: np.ndarray) -> float:
    return float(np.log1p(np.exp(np.where(labels == 1, -logits, logits))).sum())


def dense(x: Any) -> np.ndarray:
    return x.toarray() if sp.issparse(x) else x


def test_flips_are_the_largest_predictions_and_some_of_the_rest_each_fitted_again(tmp_path: Path) -> None:
    config, data = Flips("digits", 3, noise=0.3, flips=7), load("digits", tmp_path, 3)
    x, x_validation, labels_validation = dense(data.train.x), dense(data.validation.x), data.validation.labels
    labels = flip_share(data.train.labels, 0.3, generator(3, "noise")).labels
    w = weighted_fit(x, labels, np.ones(len(labels)))
    p, p_validation = 1 / (1 + np.exp(-x @ w)), 1 / (1 + np.exp(-x_validation @ w))
    hessian = np.eye(len(w)) + C * x.T @ np.diag(p * (1 - p)) @ x
    u = np.linalg.solve(hessian, C * x_validation.T @ (p_validation - labels_validation))
    predicted = -np.where(labels == 1, 1, -1) * (x @ u)  # eta / C: minus (g' - g)^T u, g' - g = (2 y - 1) x
    order = sorted(range(len(labels)), key=lambda i: -abs(predicted[i]))
    chosen = [*order[:3], *generator(3, "random").choice(order[3:], 4, replace=False)]
    line = flip_each(config, tmp_path)
    assert line["rows"] == data.train.rows[chosen].tolist()
    np.testing.assert_allclose(line["predicted"], predicted[chosen], rtol=1e-4)
    before = summed_loss(x_validation @ w, labels_validation)
    for i, actual in zip(chosen, line["actual"], strict=True):
        flipped = np.where(np.arange(len(labels)) == i, 1 - labels, labels)
        after = summed_loss(x_validation @ weighted_fit(x, flipped, np.ones(len(labels))), labels_validation)
        assert actual == pytest.approx(after - before, abs=1e-4)


# many classes


def softmax(z: np.ndarray) -> np.ndarray:
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


def judged(logits: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    right = np.mean(logits.argmax(axis=1) == labels)
    loss = -np.log(softmax(logits)[np.arange(len(labels)), labels]).mean()
    return {"log_loss": pytest.approx(loss, rel=1e-4), "accuracy": pytest.approx(right, abs=0.005), "auc": None}


@pytest.mark.parametrize("alpha", [0.0, 0.02])
def test_of_many_classes_each_method_fits_what_it_says(alpha: float, tmp_path: Path) -> None:
    data = load("digits10", tmp_path, 2)
    x, n = data.train.x, len(data.train.labels)
    given = flip_share(data.train.labels, 0.3, generator(2, "noise"), 10)
    erm = fit_softmax(x, given.labels, 10, C)
    scores = softmax_influence(
        SoftmaxFit(x, given.labels, x @ erm.T), SoftmaxFit(data.validation.x, data.validation.labels, data.validation.x @ erm.T), C
    )
    chosen, harmless = scores.phi > alpha, scores.phi <= 0
    best = scores.eta_labels.argmin(axis=1)
    weights = {
        "ERM": erm,
        "Dropout": fit_softmax(x[harmless], given.labels[harmless], 10, C),
        "RDIA, R": fit_softmax(x, given.labels, 10, C, chosen),
        "RDIA, best label": fit_softmax(x, np.where(chosen, best, given.labels), 10, C),
    }
    record = relabel_many(ManyClasses("digits10", 0.3, 2, alpha=alpha), tmp_path)
    assert list(record["methods"]) == list(MANY_METHODS)
    for name in MANY_METHODS:
        for part in ("validation", "test"):
            rows = getattr(data, part)
            assert record["methods"][name][part] == judged(rows.x @ weights[name].T, rows.labels), (name, part)
    wrong = given.labels != data.train.labels
    assert (record["n_train"], record["relabeled"]) == (n, chosen.sum())
    assert record["precision"] == pytest.approx((chosen & wrong).sum() / chosen.sum())
    assert record["recall"] == pytest.approx((chosen & wrong).sum() / wrong.sum())
    assert record["right"] == pytest.approx((best == data.train.labels)[chosen].mean())
    assert (record["damping"], record["largest_eigenvalue"]) == (None, None)
    assert set(record["seconds"]) == {"load", "fit", "solve", "evaluate"}


def test_runs_of_one_data_set_share_it(tmp_path: Path) -> None:
    assert load_once("wdbc", tmp_path, 1) is load_once("wdbc", tmp_path, 1)
    assert load_once("wdbc", tmp_path, 2).train.rows.tolist() != load_once("wdbc", tmp_path, 1).train.rows.tolist()


# a network


def test_on_a_network_all_methods_start_from_the_same_seeds_and_see_the_same_wrong_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}

    def compared(model: NetworkModel, dataset: Any, given: Any, alpha: float, stages: Any) -> Record:
        seen.update(model=model, dataset=dataset, given=given, alpha=alpha, stages=stages)
        return {"methods": {}}

    def by_loss(model: NetworkModel, data: Tensors, noise: float) -> nn.Module:
        seen.update(tensors=data, noise=noise)
        return model.start(data.x).eval()

    monkeypatch.setattr("models.devices.device.choose_device", lambda asked: torch.device("cuda" if asked else "cpu"))
    monkeypatch.setattr(on_network, "compare_relabelings", compared)
    monkeypatch.setattr(on_network, "fit_by_loss", by_loss)
    record = relabel_on_network(OnNetwork("digits10", 0.4, 5, n_validation=300, n_epoch=3, alpha=0.01), tmp_path)
    model, data, given = seen["model"], seen["dataset"], seen["given"]
    assert (model.start_seed, model.order_seed) == (stream_seed(5, "initialisation"), stream_seed(5, "order"))
    assert (model.classes, model.network, model.fitting, seen["alpha"], seen["noise"]) == (10, "mlp", Fitting(3), 0.01, 0.4)
    expected = load("digits10", tmp_path, 5, Validation("train", 300))
    assert len(expected.validation.labels) == 300
    assert data.train.rows.tolist() == expected.train.rows.tolist()
    noisy = flip_share(expected.train.labels, 0.4, generator(5, "noise"), 10)
    assert given.labels.tolist() == seen["tensors"].labels.tolist() == noisy.labels.tolist()
    assert seen["tensors"].correct.tolist() == (noisy.labels == expected.train.labels).tolist()
    assert seen["tensors"].labels_test.tolist() == expected.test.labels.tolist()
    np.testing.assert_allclose(seen["tensors"].x.flatten(1).numpy(), dense(expected.train.x), rtol=1e-6)
    np.testing.assert_allclose(seen["tensors"].x_test.flatten(1).numpy(), dense(expected.test.x), rtol=1e-6)
    assert list(record["methods"]) == ["RDIA-LS"]
    assert set(record["methods"]["RDIA-LS"]) == {"validation", "test"}
    assert record["device"] == "cpu"
    assert seen["stages"].seconds.keys() == {"load", "RDIA-LS"}


def test_rdia_ls_on_a_network_is_the_average_of_the_fast_recipe_as_it_evaluates(monkeypatch: pytest.MonkeyPatch) -> None:
    model = NetworkModel(3, (8, 8, 3), "cnn", 11, 12, torch.device("cpu"))
    x = torch.zeros(4, 3, 8, 8)
    data = Tensors(x, torch.zeros(4, dtype=torch.int64), None, x, torch.zeros(4, dtype=torch.int64), 3)
    seen: dict[str, Any] = {}

    def trained(state: Any, given: Tensors, settings: Settings) -> Iterator[None]:
        seen.update(state=state, data=given, settings=settings)
        state.averaged.train()
        yield None

    monkeypatch.setattr("models.training.train", trained)
    network = fit_by_loss(model, data, 0.6)
    state = seen["state"]
    assert network is state.averaged is not state.network
    assert not any(module.training for module in network.modules())  # batch norm by its running statistics
    assert seen["data"] is data
    assert seen["settings"] == Settings(**FAST, forget_rate=0.6, discard_rate=0.3, weight_decay=1e-5)
    assert torch.equal(next(state.network.parameters()), next(model.start(x).parameters()))
    assert state.order.initial_seed() == 12


# the recipe


def test_a_candidate_counts_the_last_ten_epochs_on_held_out_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    accuracies = [*range(30), 60.0, 61.0, 62.0, 63.0, 64.0, 65.0, 66.0, 67.0, 68.0, 69.0]
    seen: dict[str, Any] = {}

    def trained(state: Any, data: Any, settings: Settings) -> Iterator[Epoch]:
        seen.update(state=state, data=data, settings=settings)
        yield from (Epoch(epoch, None, accuracy, [], None, None) for epoch, accuracy in enumerate(accuracies))

    def held(seed: int, rate: float, _: Path) -> Any:
        return SimpleNamespace(seed=seed, rate=rate)

    monkeypatch.setattr("models.training.train", trained)
    monkeypatch.setattr(recipe, "held_out", held)
    record = train_candidate(Candidate(103, 0.5, 50, 0.25, 0.002, 0.0005, "crop"), Path())
    assert COUNTED_EPOCHS == 10
    assert record["held_out"] == pytest.approx(64.5)
    strayed = 0.5 / 9
    assert record["estimated"] == pytest.approx(100 * (0.645 - strayed) / (0.5 - strayed))
    assert (seen["data"].seed, seen["data"].rate) == (103, 0.5)
    assert seen["settings"] == Settings(
        gamma=0.2, weight_decay=1e-5, forget_rate=0.5, discard_rate=0.25, warmup="balanced",
        n_epoch=50, epoch_decay_start=12, lr=0.002, average=0.0005, augment="crop",
    )  # fmt: skip
    assert seen["state"].order.initial_seed() == stream_seed(103, "order")
    assert seen["state"].moves.initial_seed() == stream_seed(103, "augment")
    sizes = [tuple(value.shape) for value in seen["state"].network.parameters()]
    assert sizes == [(256, 784), (256,), (10, 256), (10,)]


@pytest.mark.parametrize(
    ("accuracy", "rate", "truth"), [(80.0, 0.2, 100.0), (20.0, 0.8, 100.0), (45.0, 0.5, 88.75), (10.0, 0.5, 10.0)]
)
def test_the_estimate_undoes_symmetric_noise(accuracy: float, rate: float, truth: float) -> None:
    """45% on labels half wrong, 1 in 18 of them strayed to a given class: (0.45 - 1/18) / (0.5 - 1/18) = 0.8875."""
    assert estimate(accuracy, rate) == pytest.approx(truth)


def test_every_candidate_is_run_at_every_rate_with_seeds_of_its_own() -> None:
    runs = recipe_runs(2)
    assert [tuple(run.config.values()) for run in runs] == [
        (seed, rate, *candidate) for seed in (101, 102) for rate in RATES for candidate in CANDIDATES
    ]
    assert SEED == 101  # the tables' seeds go from 1
    assert {run.file for run in runs} == {"recipe"}
    assert max(epochs for epochs, *_, augment in CANDIDATES if augment == "none") <= 200 / 4
    assert max(epochs for epochs, *_ in CANDIDATES) <= 80  # with crops

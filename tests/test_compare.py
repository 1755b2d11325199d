"""`compare`, which makes the two largest tables, against every method written out once more with numpy alone."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.sparse as sp

from data.dataset import Dataset, load
from data.streams import Stream
from Figure.compare import ALPHA_GRID, COMPARE_STAGES, COMPARED, Comparison, compare
from influence import resampling
from tests.problems import C, weighted_fit

PLACES = {"noise": 1, "random": 2, "subsample": 6, "optlr": 7, "uids": 8}  # of the streams, which never change


def stream(seed: int, name: Stream) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(PLACES[name],)))


def flip(labels: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    flipped = labels.copy()
    for i in rng.choice(len(labels), count, replace=False):
        flipped[i] = 1 - flipped[i]
    return flipped


def loaded(name: str, seed: int, folder: Path) -> Dataset:
    """The data set with dense rows."""
    data = load(name, folder, seed)
    parts = {part: getattr(data, part) for part in ("train", "validation", "test")}
    return data._replace(
        **{name: part._replace(x=part.x.toarray() if sp.issparse(part.x) else part.x) for name, part in parts.items()}
    )


class Expected(NamedTuple):
    weights: dict[str, np.ndarray]
    alpha: float
    validation_losses: list[float]
    relabeled: int
    phi: np.ndarray
    labels: np.ndarray  # noisy


def log_losses(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.log1p(np.exp(np.where(labels == 1, -logits, logits)))


def uids_kept(keep: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """95% of each class's samples that can be kept: those that are drawn first. A wait is geometric, a fraction breaks ties."""
    waits = rng.geometric(np.maximum(keep, np.finfo(float).tiny)) + rng.random(len(labels))
    kept = np.zeros(len(labels), dtype=bool)
    for label in (0, 1):
        places = [i for i in range(len(labels)) if labels[i] == label and keep[i] > 0]
        kept[sorted(places, key=lambda i: waits[i])[: int(0.95 * len(places))]] = True
    return kept


def share_of_each(scores: np.ndarray, expected: float) -> np.ndarray:
    """min(1, c s), c by bisection so that they sum to `expected`."""
    low, high = 0.0, 1.0
    while np.minimum(1, high * scores).sum() < expected:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if np.minimum(1, middle * scores).sum() < expected else (low, middle)
    return np.minimum(1, high * scores)


def expected(config: Comparison, data: Dataset, norms: np.ndarray | None = None) -> Expected:
    """norms: |H^-1 x_i|, solved for if None."""
    x, clean, n, seed = data.train.x, data.train.labels, len(data.train.labels), config.seed
    labels = flip(clean, int(config.noise * n), stream(seed, "noise"))
    everything = np.ones(n)
    weights = {"ERM": weighted_fit(x, labels, everything)}
    p, p_validation = (1 / (1 + np.exp(-part.x @ weights["ERM"])) for part in (data.train, data.validation))
    hessian = np.eye(x.shape[1]) + C * x.T @ np.diag(p * (1 - p)) @ x
    u = np.linalg.solve(hessian, C * data.validation.x.T @ (p_validation - data.validation.labels))
    phi = -C * (p - labels) * (x @ u)

    losses = []
    for alpha in config.alphas:
        weights[f"RDIA {alpha}"] = weighted_fit(x, np.where(phi > alpha, 1 - labels, labels), everything)
        losses.append(log_losses(data.validation.x @ weights[f"RDIA {alpha}"], data.validation.labels).mean())
    alpha = config.alphas[[round(loss, 9) for loss in losses].index(round(min(losses), 9))]
    weights["RDIA"] = weights[f"RDIA {alpha}"]
    relabeled = int((phi > alpha).sum())

    weights["Random"] = weighted_fit(x, flip(labels, relabeled, stream(seed, "random")), everything)
    kept = {"subsample": np.zeros(n, dtype=bool), "Dropout": phi <= 0}
    kept["subsample"][stream(seed, "subsample").choice(n, int(0.95 * n), replace=False)] = True
    rng, spread = stream(seed, "uids"), phi.max() - phi.min()
    kept["UIDS linear"] = uids_kept(np.clip(-10 * phi / spread, 0, 1), labels, rng)
    kept["UIDS sigmoid"] = uids_kept(1 / (1 + np.exp(10 * phi / spread)), labels, rng)
    weights |= {name: weighted_fit(x[rows], labels[rows], np.ones(rows.sum())) for name, rows in kept.items()}

    solved = np.array([np.linalg.norm(np.linalg.solve(hessian, row)) for row in x]) if norms is None else norms
    drawn = share_of_each(np.abs(p - labels) * solved, 0.95 * n)
    rng = stream(seed, "optlr")
    if norms is not None:
        rng.standard_normal((32, x.shape[1]))  # by which they were estimated
    rows = rng.random(n) < drawn
    weights["OptLR"] = weighted_fit(x[rows], labels[rows], 1 / drawn[rows])
    return Expected(weights, alpha, losses, relabeled, phi, labels)


def by_hand(logits: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    pairs = [(a > b) + (a == b) / 2 for a in logits[labels == 1] for b in logits[labels == 0]]
    return {
        "log_loss": pytest.approx(log_losses(logits, labels).mean(), rel=1e-5),
        "accuracy": pytest.approx(np.mean((logits > 0) == labels), abs=1e-9),
        "auc": pytest.approx(np.mean(pairs), abs=1e-4),
    }


@pytest.mark.parametrize(("dataset", "noise", "seed"), [("wdbc", 0.0, 1), ("wdbc", 0.3, 2), ("digits", 0.5, 2), ("digits", 0.8, 4)])
def test_every_method_is_what_it_is_by_hand(dataset: str, noise: float, seed: int, tmp_path: Path) -> None:
    config = Comparison(dataset, noise, seed)
    record, data = compare(config, tmp_path), loaded(dataset, seed, tmp_path)
    known = expected(config, data)
    assert (record["alpha"], record["relabeled"], record["n_train"]) == (known.alpha, known.relabeled, len(known.labels))
    assert record["validation_losses"] == pytest.approx(known.validation_losses, rel=1e-5)
    assert list(record["methods"]) == list(COMPARED)
    for name in COMPARED:
        for part in ("validation", "test"):
            rows = getattr(data, part)
            assert record["methods"][name][part] == by_hand(rows.x @ known.weights[name], rows.labels), (name, part)
    assert set(record["seconds"]) == set(COMPARE_STAGES)


def test_the_cases_above_tell_the_methods_and_the_choices_apart(tmp_path: Path) -> None:
    """Else a method that is mistaken for another would go unseen, or an alpha that is chosen by the test loss."""
    by_test = []
    for dataset, noise, seed in (("wdbc", 0.3, 2), ("digits", 0.5, 2), ("digits", 0.8, 4)):
        known, data = expected(Comparison(dataset, noise, seed), loaded(dataset, seed, tmp_path)), loaded(dataset, seed, tmp_path)
        losses = {name: log_losses(data.test.x @ weights, data.test.labels).mean() for name, weights in known.weights.items()}
        of_methods = sorted(losses[name] for name in COMPARED)
        assert min(np.diff(of_methods)) > 1e-4
        best = min(losses[f"RDIA {alpha}"] for alpha in ALPHA_GRID)
        by_test.append(bool(losses["RDIA"] > best + 1e-4))
    assert any(by_test)


@pytest.mark.parametrize("alphas", [(9.0, 5.0), (5.0, 9.0)])
def test_of_alphas_with_the_same_loss_the_first_is_taken(alphas: tuple[float, ...], tmp_path: Path) -> None:
    record = compare(Comparison("wdbc", 0.3, 2, alphas=alphas), tmp_path)
    assert record["validation_losses"][0] == record["validation_losses"][1]  # above every Phi: both relabel nothing
    assert (record["alpha"], record["relabeled"]) == (alphas[0], 0)
    assert record["methods"]["RDIA"] == record["methods"]["ERM"] == record["methods"]["Random"]


def test_the_grid_falls_so_that_of_equal_losses_the_fewest_are_changed() -> None:
    assert list(ALPHA_GRID) == sorted(ALPHA_GRID, reverse=True)
    assert ALPHA_GRID[-1] == 0.0


def test_where_norms_are_estimated_the_sample_is_drawn_with_other_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resampling, "CHOLESKY_MAX", 5)
    config, data = Comparison("wdbc", 0.3, 2), loaded("wdbc", 2, tmp_path)
    w = weighted_fit(data.train.x, expected(config, data).labels, np.ones(len(data.train.labels)))
    p = 1 / (1 + np.exp(-data.train.x @ w))
    hessian = np.eye(data.train.x.shape[1]) + C * data.train.x.T @ np.diag(p * (1 - p)) @ data.train.x
    probes = stream(2, "optlr").standard_normal((32, len(w)))
    norms = np.sqrt(np.mean([(data.train.x @ np.linalg.solve(hessian, probe)) ** 2 for probe in probes], axis=0))
    logits = data.test.x @ expected(config, data, norms).weights["OptLR"]
    record = compare(config, tmp_path)
    assert record["methods"]["OptLR"]["test"]["log_loss"] == pytest.approx(log_losses(logits, data.test.labels).mean(), rel=1e-3)

"""What is chosen and which of equals: the class, the best label, the candidate that changes least."""

from typing import Any

import numpy as np
import pytest
import torch

from influence import LabelInfluence, SoftmaxFit, Solution, softmax_influence
from influence.network import NetworkInfluence
from models import choose as choosing
from models import network_model
from models.choose import Choice, choose, settle
from models.estimator import RDIAClassifier
from models.linear import LinearModel
from models.metrics import evaluate
from models.model import Mode, Scores
from models.network_model import NetworkModel


@pytest.mark.filterwarnings("ignore:.* rows of X_val are rows of X")
def test_of_equal_logits_the_first_class_is_predicted_by_metrics_and_estimator_alike() -> None:
    zeros = np.zeros(4)
    assert evaluate(zeros, np.array([0, 0, 0, 1])).accuracy == 0.75
    assert evaluate(np.zeros((4, 3)), np.array([0, 0, 1, 2])).accuracy == 0.5
    x, y = np.array([[1.0], [-1.0], [2.0], [-2.0]]), np.array(["b", "a", "b", "a"])
    model = RDIAClassifier(protocol="paper", alpha=0.0, relabel="R").fit(x, y, x, y)
    assert model.decision_function([[0.0]]).tolist() == [0.0]
    assert model.predict([[0.0]]).tolist() == ["a"]
    assert model.predict([[1e-9], [-1e-9]]).tolist() == ["b", "a"]


class Told:
    """A model of two classes whose fit is worth what a table says: by mode and number of changed samples."""

    def __init__(self, phi: list[float], losses: dict[tuple[str, int], float], classes: int = 2) -> None:
        self.phi, self.losses, self.classes = np.array(phi), losses, classes
        self.fits: list[tuple[str, int]] = []

    def influence(self, _: Any, labels: np.ndarray, *__: Any) -> Scores:
        return Scores(self.phi, -self.phi, 1 - labels, -self.phi, 0.0)

    def logits(self, x: np.ndarray, weights: float) -> np.ndarray:
        return np.full(len(x), -np.log(np.expm1(weights)))  # ln(1 + exp(-z)) = loss, of labels 1


def chosen(
    told: Told, monkeypatch: pytest.MonkeyPatch, modes: tuple[Mode, ...] = ("R", "drop"), alpha: float | None = None
) -> Choice:
    def refitted(*given: Any) -> float:
        changed, mode = given[-2:]
        told.fits.append((mode, int(changed.sum())))
        return told.losses[mode, int(changed.sum())]

    monkeypatch.setattr(choosing, "refit", refitted)
    n = len(told.phi)
    train, validation = (np.zeros((n, 1)), np.zeros(n, dtype=int)), (np.zeros((7, 1)), np.ones(7, dtype=int))
    return choose(told, train, validation, 0.5, modes, np.random.default_rng(0), alpha)  # type: ignore[arg-type]


def test_the_least_loss_is_chosen_in_the_unit_of_all_validation_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 7 validation rows 3 are seen: alpha is 7 / 3 of the threshold on their Phi."""
    losses = {("R", 1): 0.4, ("R", 2): 0.3, ("drop", 1): 0.2, ("drop", 2): 0.35}
    told = Told([3.0, 2.0, -1.0], losses)
    found = chosen(told, monkeypatch)
    assert [(point.relabel, point.changed) for point in found.curve] == [
        *(("R", 0), ("R", 1), ("R", 2), ("drop", 0), ("drop", 1), ("drop", 2))
    ]
    assert [point.loss for point in found.curve] == pytest.approx([0.5, 0.4, 0.3, 0.5, 0.2, 0.35])
    assert [point.alpha for point in found.curve] == pytest.approx([7.0, 14 / 3, 0.0] * 2)
    assert (found.relabel, found.alpha) == ("drop", pytest.approx(14 / 3))
    assert told.fits == [("R", 1), ("R", 2), ("drop", 1), ("drop", 2)]  # what changes nothing is not fitted again


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ({("R", 1): 0.3, ("R", 2): 0.3, ("drop", 1): 0.3, ("drop", 2): 0.3}, ("R", 1)),  # fewest changed, then the first mode
        ({("R", 1): 0.4, ("R", 2): 0.3, ("drop", 1): 0.3, ("drop", 2): 0.4}, ("drop", 1)),  # fewest changed before the first mode
        ({("R", 1): 0.5, ("R", 2): 0.5, ("drop", 1): 0.5, ("drop", 2): 0.5}, ("R", 0)),  # nothing helps: nothing is changed
        ({("R", 1): 0.3, ("R", 2): 0.2, ("drop", 1): 0.3, ("drop", 2): 0.3}, ("R", 2)),  # the least loss before the fewest
    ],
)
def test_of_equal_losses_the_fewest_are_changed(
    losses: dict[tuple[str, int], float], expected: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = chosen(Told([3.0, 2.0, -1.0], losses), monkeypatch)
    (point,) = (point for point in found.curve if (point.relabel, point.changed) == expected)
    assert (found.relabel, found.alpha) == (point.relabel, point.alpha)


def test_a_given_alpha_is_brought_to_the_seen_half_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """4.2 on 7 rows is 1.8 on the 3 that are seen: two samples are above it."""
    found = chosen(Told([3.0, 2.0, 1.7, -1.0], {("R", 2): 0.3, ("drop", 2): 0.4}), monkeypatch, alpha=4.2)
    assert [(point.relabel, point.changed, point.alpha) for point in found.curve] == [
        ("R", 2, pytest.approx(4.2)),
        ("drop", 2, pytest.approx(4.2)),
    ]


@pytest.mark.parametrize(("classes", "modes"), [(2, ["R", "drop"]), (3, ["R", "best", "drop"])])
def test_auto_tries_the_modes_that_differ(classes: int, modes: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def noted(*given: Any) -> Choice:
        asked.append(given)
        return Choice(1.0, "R", [])

    monkeypatch.setattr(choosing, "choose", noted)
    model, rng = Told([1.0], {}, classes), np.random.default_rng(0)
    data = (np.zeros((1, 1)), np.zeros(1, dtype=int))
    settle(model, data, data, 0.5, None, "auto", rng)  # type: ignore[arg-type]
    settle(model, data, data, 0.5, None, "best", rng)  # type: ignore[arg-type]
    settle(model, data, data, 0.5, 0.3, "auto", rng)  # type: ignore[arg-type]
    assert [(list(given[4]), given[6]) for given in asked] == [(modes, None), (["best"], None), (modes, 0.3)]
    assert settle(model, data, data, 0.5, 0.3, "drop", rng) == Choice(0.3, "drop", [])  # type: ignore[arg-type]
    assert len(asked) == 3


def test_the_best_label_of_many_has_the_least_eta_and_of_two_it_is_the_flip_where_that_helps() -> None:
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal((40, 4)), rng.integers(0, 3, 40)
    many = LinearModel(3, 0.1)
    w = many.fit(x[:30], labels[:30])
    found = many.influence(x[:30], labels[:30], x[30:], labels[30:], w)
    exact = softmax_influence(
        SoftmaxFit(x[:30], labels[:30], x[:30] @ w.T), SoftmaxFit(x[30:], labels[30:], x[30:] @ w.T), 0.1
    ).eta_labels
    assert found.best.tolist() == [min(range(3), key=lambda k: row[k]) for row in exact.tolist()]
    assert found.eta_best.tolist() == pytest.approx([min(row) for row in exact.tolist()])
    two, labels = LinearModel(2, 0.1), labels % 2
    pair = two.influence(x[:30], labels[:30], x[30:], labels[30:], two.fit(x[:30], labels[:30]))
    helps = pair.eta < 0
    assert 0 < helps.sum() < 30
    assert pair.best.tolist() == np.where(helps, 1 - labels[:30], labels[:30]).tolist()
    assert pair.eta_best.tolist() == np.where(helps, pair.eta, 0.0).tolist()
    x[0] = 0.0  # whose label changes nothing: it stays
    pair = two.influence(x[:30], labels[:30], x[30:], labels[30:], two.fit(x[:30], labels[:30]))
    assert (pair.phi[0], pair.eta[0], pair.best[0]) == (0.0, 0.0, labels[0])


def test_where_nothing_does_harm_the_only_threshold_is_zero() -> None:
    scores = Scores(np.array([-1.0, 0.0]), np.zeros(2), np.zeros(2, dtype=int), np.zeros(2), 0.0)
    assert choosing.thresholds(scores) == [0.0]
    assert choosing.thresholds(scores._replace(phi=np.array([-1.0, 2.0, 3.0]))) == [3.0, 2.0, 0.0]


def test_the_best_label_of_a_network_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    eta = np.array([[0.0, -1.0, 2.0], [3.0, 0.0, 1.0], [-2.0, -3.0, 0.0]])
    scores = LabelInfluence(np.ones(3), -np.ones(3), eta, Solution(np.zeros(1), 0.25, 7))
    asked: list[Any] = []

    def told(*given: Any, **options: Any) -> NetworkInfluence:
        asked.append((given, options))
        return NetworkInfluence(scores, 0.5, 5.0)

    monkeypatch.setattr(network_model, "network_influence", told)
    model = NetworkModel(3, (4,), "mlp", 1, 9, torch.device("cpu"), "lissa", 0.5)
    x, labels = model.inputs(np.eye(4)[:3]), np.array([0, 1, 2])
    found = model.influence(x, labels, x[:2], labels[:2], model.start(x))
    assert found.best.tolist() == [1, 1, 1]
    assert found.eta_best.tolist() == [-1.0, 0.0, -3.0]
    assert (found.residual, found.damping, found.largest) == (0.25, 0.5, 5.0)
    (_, train, validation, damping), options = asked[0]
    assert (train.labels.tolist(), validation.labels.tolist(), damping) == ([0, 1, 2], [0, 1], 0.5)
    assert options == {"solver": "lissa", "seed": 9}

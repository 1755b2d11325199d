"""Which of equals is taken: of logits the first class, of candidates the one that changes least."""

from typing import Any

import numpy as np
import pytest

from models import choose as choosing
from models.choose import Choice, choose, settle
from models.estimator import RDIAClassifier
from models.metrics import evaluate
from models.model import Mode, Scores


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

"""The benchmark beside other libraries: our side of it, and what it says of a library that is not there."""

import sys
from typing import Any

import numpy as np
import pytest

from models.logistic_regression import fit_logistic
from tests.benchmarks import peers


@pytest.mark.parametrize("kind", ["text", "table"])
def test_our_influences_are_those_of_the_formula_that_the_peers_compute(kind: str) -> None:
    case, C = peers.made(kind, 200, 20, 2), 0.5
    w = fit_logistic(*case.train, C)
    (x, x_val), (labels, labels_val) = (
        [rows.x.toarray() if kind == "text" else rows.x for rows in (case.train, case.test)],
        [rows.labels for rows in (case.train, case.test)],
    )
    p, p_val = (1 / (1 + np.exp(-rows @ w)) for rows in (x, x_val))
    hessian = (x.T * (p * (1 - p))) @ x + np.eye(20) / C
    wanted = -((p - labels)[:, None] * x) @ np.linalg.solve(hessian, x_val.T @ (p_val - labels_val))
    assert peers.apart(peers.ours(peers.Task(case.train, case.test, w, C)), wanted) < 1e-6


def test_a_library_that_is_not_installed_is_left_out_with_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nothing(_: str) -> None:
        return None

    def skip(*_: Any) -> None:
        pass

    monkeypatch.setattr(peers, "find_spec", nothing)
    monkeypatch.setattr(peers, "repairs", skip)
    monkeypatch.setattr(peers, "INFLUENCES", [("table", 50, 5, 1.0)])
    monkeypatch.setattr(sys, "argv", ["peers"])
    peers.main()
    printed = capsys.readouterr().out.splitlines()
    for line, name in zip(printed, ("cleanlab", "pydvl", "dattri"), strict=False):
        assert line.startswith(f"{name}: not installed, left out; ")
        assert "requirement-peers.txt" in line
    assert [line.split()[0] for line in printed[-2:]] == ["table", "ours"]  # and no peer

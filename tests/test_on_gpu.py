"""Rows as torch's tensors: on its CPU device everywhere, on a GPU where there is one."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import torch

import RDIA
from data.dataset import load
from data.matrix import Features
from influence import Fit, Influence, logistic_influence
from influence.rows import each, times
from models.devices.on_gpu import on_device
from models.linear import LinearModel
from models.logistic_regression import fit_logistic, gradient
from run.rdia import STAGES
from tests.invoke import Invoke
from tests.problems import C, Problem, digits, sparse, wdbc, weighted_fit

NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that torch can use")
DEVICES = ["cpu", pytest.param("cuda", marks=NO_GPU)]
KINDS: dict[str, Callable[[np.ndarray], Features]] = {"dense": np.asarray, "csr": sp.csr_array}


@pytest.fixture(params=[wdbc, digits, sparse])
def problem(request: pytest.FixtureRequest) -> Problem:
    return request.param()


def influence_on(device: str | None, problem: Problem, w: np.ndarray, kind: Callable[[np.ndarray], Features]) -> Influence:
    """By numpy without a device."""
    fits = []
    for matrix, labels in ((problem.x, problem.labels), (problem.x_validation, problem.labels_validation)):
        x = on_device(kind(matrix), torch.device(device)) if device else kind(matrix)
        fits.append(Fit(x, x.vector(labels) if device else labels, each(x, times, shared=(w,))))
    return logistic_influence(fits[0], fits[1], C, rtol=1e-12)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_influence_is_numpys(device: str, kind: Callable[[np.ndarray], Features], problem: Problem) -> None:
    w = weighted_fit(problem.x, problem.labels, np.ones(len(problem.labels)))
    expected, found = (influence_on(where, problem, w, kind) for where in (None, device))
    assert found.phi.dtype == torch.float64
    assert found.phi.device.type == device
    np.testing.assert_allclose(found.phi.cpu(), expected.phi, rtol=1e-8, atol=1e-13)
    np.testing.assert_allclose(found.eta.cpu(), expected.eta, rtol=1e-8, atol=1e-13)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_fit_is_the_optimum(device: str, kind: Callable[[np.ndarray], Features], problem: Problem) -> None:
    x, omega = on_device(kind(problem.x), torch.device(device)), np.random.default_rng(0).random(len(problem.labels)) < 0.8
    w = fit_logistic(x, x.vector(problem.labels), C, x.vector(omega))
    at_zero = np.linalg.norm(gradient(np.zeros_like(w), problem.x, problem.labels, C, omega))
    assert np.linalg.norm(gradient(w, problem.x, problem.labels, C, omega)) <= 1.001e-7 * at_zero
    np.testing.assert_allclose(w, weighted_fit(problem.x, problem.labels, omega.astype(float)), atol=1e-6)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["wdbc", "digits"])
def test_rows_may_be_left_out(name: str, device: str, tmp_path: Path) -> None:
    train, validation = load(name, tmp_path, 1)[:2]
    given = train.labels.copy()
    given[::3] = 1 - given[::3]
    here = LinearModel(2, C)
    there = LinearModel(2, C, place=lambda x: on_device(x, torch.device(device)))
    keep, some = np.random.default_rng(0).random((2, len(given)))[0] < 0.7, np.arange(0, len(validation.labels), 2)
    w = weighted_fit(sp.csr_array(train.x).toarray(), given, keep.astype(float))
    x, x_validation = there.inputs(train.x), there.inputs(validation.x)
    np.testing.assert_allclose(there.fit(x[keep], given[keep]), w, atol=1e-6)
    np.testing.assert_allclose(there.logits(x_validation[some], w), here.logits(validation.x[some], w), rtol=1e-9, atol=1e-12)
    expected = here.influence(train.x, given, validation.x[some], validation.labels[some], w)
    found = there.influence(x, given, x_validation[some], validation.labels[some], w)
    np.testing.assert_allclose(found.phi, expected.phi, rtol=1e-5, atol=1e-9)  # two solves to 1e-8
    np.testing.assert_array_equal(found.best, expected.best)
    np.testing.assert_allclose(found.eta_best, expected.eta_best, rtol=1e-5, atol=1e-9)
    assert found.best.dtype.kind == "i"


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Invoke:
    return Invoke(RDIA, "RDIA.py", monkeypatch, capsys)


def test_a_gpu_that_is_not_there_is_one_line(invoke: Invoke) -> None:
    ended = invoke("--gpu", 99, "--quiet")
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "--gpu 99: is not there" in ended.err


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["wdbc", "digits"])
def test_the_program_gives_its_numbers_there(name: str, device: str, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.devices.device.choose_device", lambda _: torch.device(device))
    records = [json.loads(invoke("--dataset", name, "--json", *flags).out) for flags in ((), ("--gpu", 0))]
    methods = [record.pop("methods") for record in records]
    assert [record.pop("seconds").keys() for record in records] == [{*STAGES}] * 2
    assert {**records[0], "residual": 0} == {**records[1], "residual": 0}
    for method, splits in methods[0].items():
        for split, metrics in splits.items():
            assert methods[1][method][split] == pytest.approx(metrics, rel=1e-5)


def test_more_than_two_classes_are_one_line(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.devices.device.choose_device", lambda _: torch.device("cpu"))
    ended = invoke("--dataset", "digits10", "--gpu", 0, "--quiet")
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "10 classes" in ended.err

"""The rows that a page shows beside a sample: of one label and the other, by relative influence."""

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from page.alike import ALIKE_EACH, SURE_LABEL, alike, in_metric
from tests.invoke import Invoke, script
from tests.test_repairing import digits_with_noise
from tests.test_trained import shown

N, D, K = 120, 5, 3


def problem() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features, q and p of the true labels, and given labels; of a third of the rows no label is sure."""
    rng = np.random.default_rng(0)
    p, given = rng.dirichlet(np.ones(K), N), rng.integers(K, size=N)
    q = np.where(rng.random((N, 1)) < 2 / 3, 0.98 * np.eye(K)[given] + 0.02 / K, 1 / K)
    return rng.standard_normal((N, D)) * (1, 2, 3, 4, 5), q, p, given


def relative(x: np.ndarray, hessian: np.ndarray, i: int, j: int) -> float:
    inverse = np.linalg.inv(hessian)
    return x[j] @ inverse @ x[i] / np.sqrt(x[j] @ inverse @ x[j])


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_the_rows_are_those_with_the_largest_relative_influence(kind: type) -> None:
    x, q, p, given = problem()
    curvature = (1 - (p**2).sum(axis=1)).mean() / (K - 1)
    hessian = np.eye(D) + curvature * x.T @ x
    if kind is not np.asarray:
        hessian = np.diag(np.diag(hessian))
    first, sure = np.array([3, 70, 110]), q[np.arange(N), given] >= SURE_LABEL
    pairs = np.array([[given[i], (given[i] + 1) % K] for i in first])
    found = alike(kind(x), q, p, given, first, pairs)
    for i, labels, rows in zip(first, pairs, found, strict=True):
        for side, label in enumerate(labels):
            allowed = [j for j in range(N) if sure[j] and given[j] == label and j != i]
            expected = sorted(allowed, key=lambda j: -relative(x, hessian, i, j))[:ALIKE_EACH]
            assert rows[side * ALIKE_EACH : (side + 1) * ALIKE_EACH].tolist() == expected


def test_where_no_row_is_left_the_place_is_empty() -> None:
    x, q, p, given = problem()
    q[given == 2] = 1 / K
    only = np.flatnonzero((given == 1) & (q.max(axis=1) > 0.9))
    q[only[1:]] = 1 / K  # one sure row of class 1, which is not shown beside itself
    found = alike(x, q, p, given, np.array([0, only[0]]), np.array([[2, 1], [1, 2]]))
    assert found.tolist() == [[-1, -1, only[0], -1], [-1, -1, -1, -1]]


def test_wide_features_take_the_diagonal() -> None:
    x = np.random.default_rng(0).standard_normal((4, 2_000))
    np.testing.assert_allclose(in_metric(x, 0.5), x / np.sqrt(1 + 0.5 * (x**2).sum(axis=0)))


def test_the_page_of_pictures_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    digits_with_noise(tmp_path / "mine.npz")
    arrays = dict(np.load(tmp_path / "mine.npz"))
    np.savez(tmp_path / "mine.npz", x_train=arrays["x_train"].reshape(-1, 8, 8), y_train=arrays["y_train"])
    invoke = Invoke(script("RDIA"), "RDIA.py", monkeypatch, capsys)
    assert invoke("--dataset", tmp_path / "mine.npz", "--audit", tmp_path / "p.html").status == 0
    facts, shown_arrays = shown(tmp_path / "p.html")
    rows, labels = shown_arrays["example_rows"], shown_arrays["example_labels"]
    np.testing.assert_array_equal(np.array(facts["classes"])[labels], arrays["y_train"][rows])
    beside = shown_arrays["alike"].reshape(-1, 2 * ALIKE_EACH)
    assert len(beside) == len(shown_arrays["alike_samples"])
    given = shown_arrays["given"][shown_arrays["alike_samples"]]
    for side in beside[:, :ALIKE_EACH].T:
        np.testing.assert_array_equal(labels[side[side >= 0]], given[side >= 0])
    assert (tmp_path / "p.html").read_text().count("data:image/png;base64,") >= 2

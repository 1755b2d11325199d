"""The target `rates`: the sets that it makes, a run of it, and its table."""

from pathlib import Path

import numpy as np
import pytest

from Figure import rates_target
from Figure.rates_target import NoisySet, RateOf, estimate_rate, noisy_set, rate_runs, rates_table


def test_the_noise_is_put_into_the_labels_of_the_training_pictures_alone(tmp_path: Path) -> None:
    clean, noisy = (noisy_set(RateOf("digits", rate, "symmetric", 2), tmp_path) for rate in (0.0, 0.4))
    assert (clean.given == clean.true).all()
    assert (noisy.given != noisy.true).mean() == pytest.approx(0.4, abs=0.05)
    assert (noisy.true == clean.true).all()
    assert (noisy.test == clean.test).all()


def test_a_run_trains_with_the_estimate_and_with_the_true_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    true = rng.integers(3, size=400)
    x = (rng.random((400, 9)) + 2 * np.eye(9)[true]).astype(np.float32)
    given = np.where(rng.random(400) < 0.3, (true + 1) % 3, true)
    monkeypatch.setattr(rates_target, "noisy_set", lambda _config, _folder: NoisySet(x, given, true, x, true))
    found = estimate_rate(RateOf("music", 0.0, "none", 1), tmp_path)
    assert found["true"] == (given != true).mean()
    assert found["low"] <= found["true"] <= found["high"]
    assert found["estimate"] == pytest.approx(found["true"], abs=0.08)
    assert min(found["accuracy"], found["accuracy_told"]) > 90
    assert min(found["precision"], found["recall"]) > 0.8


def test_the_table_has_a_row_for_each_kind_of_noise_that_was_run() -> None:
    first, last = rate_runs(1)[1], rate_runs(1)[-1]
    numbers = {"true": 0.2, "low": 0.1, "high": 0.25, "accuracy": 90.0, "accuracy_told": 91.0}
    lines = [{"config": {**first.config, "seed": seed}, **numbers, "estimate": 0.1 * seed} for seed in (1, 2)]
    lines.append({"config": last.config, **numbers, "estimate": 0.2, "high": 0.15})
    rows = [row for row in rates_table(lines).splitlines() if row.startswith("| m")]
    assert rows == [
        "| mnist | 20% symmetric | 0.200 ± 0.000 | 0.150 ± 0.071 | 0.100 | 2 of 2 | 90.00 ± 0.00 | 91.00 ± 0.00 |",
        "| music | real | 0.200 | 0.200 | 0.000 | 0 of 1 | 90.00 | 91.00 |",
    ]

"""The targets `trusted` and `amp`: the sets that they make, a run, and their tables."""

from pathlib import Path

import numpy as np
import pytest

from data.dataset import Dataset
from data.source import Part
from Figure import amp_target, trusted_target
from Figure.amp_target import AMP_TEST, AMP_TRAINING, AmpOf, amp_runs, amp_table, train_in
from Figure.rates_target import NoisySet
from Figure.trusted_target import TrustedOf, trained_with_trusted, trusted_runs, trusted_table, write_set
from run.records import Record
from run.training_config import TrainingConfig


def small_set() -> NoisySet:
    rng = np.random.default_rng(0)
    true, test = rng.integers(3, size=400), rng.integers(3, size=200)
    x, x_test = ((rng.random((len(of), 9)) + 2 * np.eye(9)[of]).astype(np.float32) for of in (true, test))
    return NoisySet(x, np.where(rng.random(400) < 0.3, (true + 1) % 3, true), true, x_test, test)


def test_the_trusted_rows_are_taken_from_the_test_rows_in_both_sets(tmp_path: Path) -> None:
    config, rows = TrustedOf("music", 0.0, "none", 30, 1), small_set()
    for trusted in (True, False):
        write_set(rows, config, tmp_path / f"{trusted}.npz", trusted)
    with_rows, without = (np.load(tmp_path / f"{trusted}.npz") for trusted in (True, False))
    assert with_rows["x_val"].shape == (30, 9)
    assert "x_val" not in without
    assert (with_rows["x_test"] == without["x_test"]).all()
    assert len(np.unique(np.vstack([with_rows["x_val"], with_rows["x_test"]]), axis=0)) == 200
    assert set(map(bytes, with_rows["x_val"])) <= set(map(bytes, rows.x_test))


def test_a_run_trains_with_and_without_trusted_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trusted_target, "noisy_set", lambda _config, _folder: small_set())
    found = trained_with_trusted(TrustedOf("music", 0.0, "none", 100, 1), tmp_path)
    assert found["true"] == pytest.approx(0.3, abs=0.05)
    assert min(found["accuracy_with"], found["accuracy_without"]) > 85
    assert found["estimate_with"] == pytest.approx(0.3, abs=0.1)
    assert found["estimate_without"] == pytest.approx(0.3, abs=0.1)


def test_the_table_of_trusted_has_a_row_for_what_was_run() -> None:
    run = trusted_runs(1)[1]
    assert run.config == {"dataset": "digits", "noise_rate": 0.0, "noise_type": "symmetric", "trusted": 100, "seed": 1}
    numbers = {"true": 0.0, "accuracy_without": 90.0, "accuracy_with": 91.0, "estimate_without": 0.1, "estimate_with": 0.05}
    rows = trusted_table([{"config": run.config, **numbers}]).splitlines()
    assert rows[-1] == "| digits | none | 100 | 90.00 | 91.00 | 0.00 | 0.10 | 0.05 |"


def test_amp_trains_on_the_first_pictures_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    x, labels = rng.integers(0, 256, (AMP_TRAINING + 5, 1, 1, 1), dtype=np.uint8), rng.integers(2, size=AMP_TRAINING + 5)
    part = Part(x, labels, np.arange(len(labels)))
    read = Dataset(part, part, part, ("a", "b"), None, None, ())
    amp_target.of_first(read, tmp_path / "fifth.npz")
    kept = np.load(tmp_path / "fifth.npz")
    assert (len(kept["x_train"]), len(kept["y_test"])) == (AMP_TRAINING, AMP_TEST)
    assert (kept["y_train"] == labels[:AMP_TRAINING]).all()

    seen = []
    monkeypatch.setattr(amp_target, "load_pictures", lambda *_: read)

    def trained(config: TrainingConfig, _folder: Path) -> Record:
        seen.append(config)
        return {"last10": 1.0}

    monkeypatch.setattr(amp_target, "train_run", trained)
    assert train_in(AmpOf(True, 2), tmp_path) == {"last10": 1.0, "dataset": "cifar10"}
    (config,) = seen
    assert (config.settings.amp, config.seed, config.noise_rate, config.settings.n_epoch) == (True, 2, 0.2, 21)


def test_the_table_of_amp_has_the_time_as_a_ratio() -> None:
    numbers = {"last10": 50.0, "best": 60.0, "precision": 0.6, "recall": 0.7, "test_recall": [50.0]}
    lines = [{"config": run.config, **numbers, "seconds": seconds} for run, seconds in zip(amp_runs(1), (100.0, 40.0), strict=True)]
    assert amp_table(lines).splitlines()[-1] == "| bfloat16 (`--amp`) | 50.00 | 60.00 | 0.600 | 0.700 | 0.40 | 40 |"

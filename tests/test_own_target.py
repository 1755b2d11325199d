"""The target `own`: its runs, one of them on a small set, and its table."""

from pathlib import Path

import pytest

from Figure import own_target
from Figure.own_target import TRIED_RECIPES, own_runs, own_table, train_variants
from Figure.rates_target import RateOf
from tests.test_trusted_target import small_set


def test_a_run_trains_by_every_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_target, "noisy_set", lambda _config, _folder: small_set())
    monkeypatch.setattr(own_target, "TRIED_RECIPES", {name: TRIED_RECIPES[name] for name in ("fast", "own")})
    monkeypatch.setattr(own_target, "FIRST_ROWS", 300)
    found = train_variants(RateOf("music", 0.0, "none", 1), tmp_path)
    assert found["wrong"] == pytest.approx(0.3, abs=0.05)
    assert min(found["accuracy, fast"], found["accuracy, own"]) > 80
    assert found["seconds, own"] > found["seconds, fast"]


def test_the_table_has_means_and_times() -> None:
    runs = own_runs(1)
    assert [run.config["dataset"] for run in runs].count("mnist") == 5
    lines = []
    for run, start in ((runs[0], 80.0), (runs[10], 60.0)):
        accuracies = {f"accuracy, {name}": start + place for place, name in enumerate(TRIED_RECIPES)}
        lines.append(
            {"config": run.config, **accuracies, **{f"seconds, {name}": 10.0 + place for place, name in enumerate(TRIED_RECIPES)}}
        )
    rows = own_table(lines).splitlines()
    assert rows[-4] == "| digits | none | 80.0 | 81.0 | 82.0 | 83.0 | 84.0 |"
    assert rows[-3] == "| music | real | 60.0 | 61.0 | 62.0 | 63.0 | 64.0 |"
    assert rows[-2] == "| mean |  | 70.0 | 71.0 | 72.0 | 73.0 | 74.0 |"
    assert rows[-1] == "| time |  | 1.00 | 1.10 | 1.20 | 1.30 | 1.40 |"

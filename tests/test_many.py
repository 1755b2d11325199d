"""The runs of the targets `classes`, `networks` and `recipe`, on small data."""

from pathlib import Path

import numpy as np
import pytest

from data.noise import redraw_labels
from data.streams import generator
from Figure.many import MANY_METHODS, ManyClasses, relabel_many
from Figure.on_network import OnNetwork, relabel_on_network
from Figure.recipe import COUNTED_EPOCHS, Candidate, estimate, held_out, train_candidate
from run.records import Record
from tests.problems import write_mnist


def losses(record: Record) -> dict[str, float]:
    return {name: splits["test"]["log_loss"] for name, splits in record["methods"].items()}


def test_of_ten_classes_half_wrong_the_best_label_mends_more_than_r_and_r_more_than_dropout(tmp_path: Path) -> None:
    record = relabel_many(ManyClasses("digits10", 0.5, 1), tmp_path)
    found = losses(record)
    assert list(found) == list(MANY_METHODS)
    assert found["RDIA, best label"] < found["RDIA, R"] < found["Dropout"] < found["ERM"]
    assert record["precision"] > 0.9
    assert record["recall"] > 0.9
    assert record["right"] > 0.8
    assert record["residual"] < 1e-6


def test_alpha_is_for_relabeling_and_dropout_has_zero(tmp_path: Path) -> None:
    record = relabel_many(ManyClasses("digits10", 0.5, 1, alpha=np.inf), tmp_path)
    found = losses(record)
    assert record["relabeled"] == 0
    assert found["RDIA, best label"] == found["RDIA, R"] == found["ERM"]
    assert found["Dropout"] < found["ERM"]


def test_on_a_network_both_ways_to_relabel_mend_it(tmp_path: Path) -> None:
    record = relabel_on_network(OnNetwork("digits10", 0.5, 1, n_validation=300), tmp_path)
    found = losses(record)
    assert list(found) == [*MANY_METHODS, "RDIA-LS"]
    assert max(found["RDIA-LS"], found["RDIA, best label"], found["RDIA, R"], found["Dropout"]) < found["ERM"] / 1.5
    assert record["n_train"] == 1_438 - 300
    assert record["precision"] > 0.9
    assert record["recall"] > 0.8
    assert 0 < record["damping"] <= 0.1 * record["largest_eigenvalue"] * (1 + 1e-9)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """200 training pictures in the place of MNIST's, each a bright row whose number is the class."""
    labels = np.arange(200) % 10
    pixels = np.random.default_rng(0).integers(0, 40, (200, 28, 28))
    pixels[np.arange(200), 2 * labels] = 250
    for part in ("train", "t10k"):
        write_mnist(tmp_path, part, pixels, labels)
    return tmp_path


def test_a_candidate_is_judged_on_a_tenth_of_the_noisy_labels(data_dir: Path) -> None:
    data = held_out(101, 0.5, data_dir)
    given = redraw_labels(np.arange(200) % 10, 10, 0.5, "symmetric", generator(101, "noise"))
    order = generator(101, "split").permutation(200)
    assert (len(data.labels), len(data.labels_test)) == (180, 20)
    assert data.labels.tolist() == given.labels[order[:180]].tolist()
    assert data.correct is not None
    assert data.correct.tolist() == (~given.flipped[order[:180]]).tolist()
    assert data.labels_test.tolist() == given.labels[order[180:]].tolist()
    rows = data.x_test[:, 0, ::2].mean(dim=-1).argmax(dim=-1)
    assert rows.tolist() == (order[180:] % 10).tolist()


def test_a_candidate_is_trained_to_a_kept_line(data_dir: Path) -> None:
    config = Candidate(101, 0.2, n_epoch=COUNTED_EPOCHS + 20, constant=0.4, lr=0.01, average=0.0005, augment="none")
    record = train_candidate(config, data_dir)
    assert record["estimated"] == pytest.approx(estimate(record["held_out"], 0.2))
    assert record["estimated"] > 70  # by chance it would be 10
    assert record == train_candidate(config, data_dir)

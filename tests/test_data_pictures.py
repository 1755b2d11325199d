from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from data.errors import InputError
from data.noise import redraw_labels
from data.pictures import load_pictures


def save_pictures(folder: Path, classes: list[str], n: int, size: tuple[int, int] = (6, 5), mode: str = "L") -> None:
    for label, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for number in range(n):
            Image.new(mode, size, color=(40 * label + number) if mode == "L" else (40 * label, number, 7)).save(
                folder / name / f"{number}.png"
            )


def test_digits_are_all_ten_classes_in_two_parts() -> None:
    pictures = load_pictures("digits", Path(), 1)
    assert pictures.x.shape == (1438, 1, 8, 8)
    assert pictures.x_test.shape == (359, 1, 8, 8)
    assert (pictures.x.dtype, pictures.x.max()) == (np.float32, 1)
    assert len(np.unique(pictures.labels)) == len(pictures.classes) == 10
    np.testing.assert_array_equal(load_digits().target[pictures.rows], pictures.labels)


def test_the_seed_cuts_the_digits() -> None:
    first, again, other = (load_pictures("digits", Path(), seed).labels.tolist() for seed in (1, 1, 2))
    assert first == again != other


def test_a_folder_of_colour_pictures_is_channels_first(tmp_path: Path) -> None:
    save_pictures(tmp_path / "train", ["cat", "dog", "owl"], 4, mode="RGB")
    save_pictures(tmp_path / "test", ["dog", "owl"], 2, mode="RGB")
    pictures = load_pictures(str(tmp_path), Path(), 1)
    assert pictures.classes == ("cat", "dog", "owl")
    assert pictures.x.shape == (12, 3, 5, 6)
    assert pictures.x[:, :, 0, 0].tolist() == [[40 * label, number, 7] for label in range(3) for number in range(4)]
    assert pictures.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert pictures.labels_test.tolist() == [1, 1, 2, 2]
    assert pictures.rows.tolist() == [*range(12)]
    assert pictures.files == tuple(f"{name}/{number}.png" for name in pictures.classes for number in range(4))


def test_a_folder_without_test_pictures_is_shuffled_and_cut(tmp_path: Path) -> None:
    save_pictures(tmp_path / "train", ["a", "b"], 10)
    pictures = load_pictures(str(tmp_path), Path(), 1)
    assert (len(pictures.labels), len(pictures.labels_test)) == (16, 4)
    assert sorted([*pictures.x[:, 0, 0, 0], *pictures.x_test[:, 0, 0, 0]]) == [*range(10), *range(40, 50)]
    colours = [*range(10), *range(40, 50)]
    assert [colours[row] for row in pictures.rows] == pictures.x[:, 0, 0, 0].tolist()
    assert list(pictures.files) == [f"{'ab'[row // 10]}/{row % 10}.png" for row in pictures.rows]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((5, 7), (5, 1, 1, 7)),
        ((5, 4, 6), (5, 1, 4, 6)),
        ((5, 4, 6, 3), (5, 3, 4, 6)),
        ((5, 3, 4, 6), (5, 3, 4, 6)),
        ((5, 2, 2, 2, 2), (5, 1, 1, 16)),
    ],
)
def test_arrays_of_any_shape_become_pictures(shape: tuple[int, ...], expected: tuple[int, ...], tmp_path: Path) -> None:
    x = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    np.savez(tmp_path / "a.npz", x_train=x, y_train=["a", "b", "a", "b", "c"], x_test=x, y_test=["c"] * 5)
    pictures = load_pictures(str(tmp_path / "a.npz"), Path(), 1)
    assert pictures.x.shape == expected
    assert pictures.x.dtype == np.uint8
    assert (pictures.classes, pictures.labels_test.tolist()) == (("a", "b", "c"), [2] * 5)
    assert (pictures.rows.tolist(), pictures.files) == ([*range(5)], ())
    last = np.moveaxis(x, -1, 1) if shape == (5, 4, 6, 3) else x
    assert pictures.x.ravel().tolist() == last.ravel().tolist()


@pytest.mark.parametrize("name", ["nothing.npz", "imagenet", "file.txt"])
def test_what_is_no_data_set_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("")
    with pytest.raises(InputError, match=name):
        load_pictures(str(tmp_path / name), Path(), 1)


@pytest.mark.parametrize(
    ("x", "y", "named"),
    [
        (
            np.eye(40),
            np.arange(40) + 0.5,
            r"has 40 classes \(0.5, 1.5, 2.5, 3.5, 4.5, \.\.\.\), expected 2 to 20; labels name classes",
        ),
        (np.zeros((4, 0)), [0, 1, 0, 1], "has labels and no features"),
    ],
)
def test_measurements_and_rows_of_nothing_are_refused(x: np.ndarray, y: np.ndarray, named: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y)
    with pytest.raises(InputError, match=named):
        load_pictures(str(tmp_path / "a.npz"), Path(), 1)


def test_one_class_is_refused(tmp_path: Path) -> None:
    save_pictures(tmp_path / "train", ["cat"], 3)
    with pytest.raises(InputError, match=r"one class \(cat\)"):
        load_pictures(str(tmp_path), Path(), 1)


def test_a_test_label_that_training_has_not_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=np.eye(4), y_train=[0, 1, 0, 1], x_test=np.eye(4), y_test=[0, 1, 7, 1])
    with pytest.raises(InputError, match="label 7"):
        load_pictures(str(tmp_path / "a.npz"), Path(), 1)


def test_too_few_samples_to_take_a_test_part_from_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=np.eye(4), y_train=[0, 1, 0, 1])
    with pytest.raises(InputError, match="has 4 samples, expected 5 or more"):
        load_pictures(str(tmp_path / "a.npz"), Path(), 1)


def test_bytes_beside_other_numbers_are_refused(tmp_path: Path) -> None:
    x = np.eye(4, dtype=np.uint8)
    np.savez(tmp_path / "a.npz", x_train=x, y_train=[0, 1, 0, 1], x_test=x.astype(int), y_test=[0, 1, 0, 1])
    with pytest.raises(InputError, match="x_test holds int64, x_train uint8"):
        load_pictures(str(tmp_path / "a.npz"), Path(), 1)


def test_symmetric_noise_goes_to_every_other_class_alike() -> None:
    labels = np.repeat(np.arange(5), 20_000)
    noisy, flipped = redraw_labels(labels, 5, 0.4, "symmetric", np.random.default_rng(0))
    assert np.array_equal(flipped, noisy != labels)
    table = np.zeros((5, 5))
    np.add.at(table, (labels, noisy), 1 / 20_000)
    np.testing.assert_allclose(table, 0.5 * np.eye(5) + 0.1, atol=0.012)  # four standard deviations of a share of 0.1 to 0.6


def test_pairflip_goes_to_the_next_class_alone() -> None:
    labels = np.repeat(np.arange(3), 20_000)
    noisy, flipped = redraw_labels(labels, 3, 0.45, "pairflip", np.random.default_rng(0))
    assert np.array_equal(noisy, np.where(flipped, (labels + 1) % 3, labels))
    assert [flipped[labels == label].mean() for label in range(3)] == pytest.approx([0.45] * 3, abs=0.015)


def test_no_noise_changes_nothing() -> None:
    labels = np.arange(10)
    noisy, flipped = redraw_labels(labels, 10, 0.9, "none", np.random.default_rng(0))
    assert noisy.tolist() == labels.tolist()
    assert not flipped.any()

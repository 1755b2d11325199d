"""The one loader: the same cuts for rows and for pictures, which rows are where, and notes on a user's own data."""

import bz2
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from data.dataset import Dataset, Validation, divide, is_libsvm, load, load_pictures
from data.errors import InputError
from data.source import Part, Source
from data.streams import generator
from tests.problems import all_rows, assert_rows_are_the_sources, dense, numbered, sizes, write

# --- A user's LIBSVM file


def test_a_file_alone_is_shuffled_and_cut_into_56_24_20(tmp_path: Path) -> None:
    dataset = load(str(write(tmp_path / "a", numbered(50))), tmp_path, 1)
    parts = dataset.train, dataset.validation, dataset.test
    assert sizes(dataset) == (28, 12, 10)
    assert all_rows(*parts) != list(range(50))
    assert sorted(all_rows(*parts)) == list(range(50))
    assert_rows_are_the_sources(*parts)
    assert dataset.classes == ("-1", "+1")
    assert dataset.files is None


def test_the_seed_alone_governs_the_shuffle(tmp_path: Path) -> None:
    name = str(write(tmp_path / "a", numbered(50)))
    first, again, other = (load(name, tmp_path, seed).train.rows.tolist() for seed in (1, 1, 2))
    assert first == again != other
    assert first == [row for row in generator(1, "split").permutation(50).tolist() if row in first]


def test_with_a_test_file_the_rows_keep_their_order(tmp_path: Path) -> None:
    path = write(tmp_path / "a", numbered(20))
    write(tmp_path / "a.t", numbered(7, start=100))
    dataset = load(str(path), tmp_path, 1)
    assert dataset.train.rows.tolist() == list(range(14))
    assert dataset.validation.rows.tolist() == list(range(14, 20))
    assert dataset.test.rows.tolist() == list(range(7))
    assert_rows_are_the_sources(dataset.train, dataset.validation)
    assert_rows_are_the_sources(dataset.test, start=100)


def test_a_val_file_is_the_validation_set(tmp_path: Path) -> None:
    path = write(tmp_path / "a", numbered(20))
    write(tmp_path / "a.val", numbered(5, start=200))
    dataset = load(str(path), tmp_path, 1)
    assert sizes(dataset) == (16, 5, 4)
    assert sorted(all_rows(dataset.train, dataset.test)) == list(range(20))
    assert_rows_are_the_sources(dataset.train, dataset.test)
    assert_rows_are_the_sources(dataset.validation, start=200)


def test_with_a_test_and_a_val_file_all_rows_are_trained_on(tmp_path: Path) -> None:
    path = write(tmp_path / "a", numbered(20))
    write(tmp_path / "a.t", numbered(3, start=100))
    write(tmp_path / "a.val", numbered(5, start=200))
    dataset = load(str(path), tmp_path, 1)
    assert dataset.train.rows.tolist() == list(range(20))
    assert_rows_are_the_sources(dataset.validation, start=200)
    assert_rows_are_the_sources(dataset.test, start=100)


def test_a_packed_file_finds_its_packed_or_plain_companions(tmp_path: Path) -> None:
    path = tmp_path / "a.bz2"
    path.write_bytes(bz2.compress(numbered(20).encode()))
    (tmp_path / "a.val.bz2").write_bytes(bz2.compress(numbered(5, start=200).encode()))
    write(tmp_path / "a.t", numbered(3, start=100))
    dataset = load(str(path), tmp_path, 1)
    assert sizes(dataset) == (20, 5, 3)
    assert_rows_are_the_sources(dataset.train)


@pytest.mark.parametrize(
    ("train", "test", "first_rows"),
    [
        ("1 1:1 2:2\n-1 1:3\n", "1 1:5 3:6\n", ([1, 2, 0], [5, 0, 6])),
        ("1 1:1 3:2\n-1 1:3\n", "1 1:5\n", ([1, 0, 2], [5, 0, 0])),
        ("1 0:1 1:2\n-1 0:3\n", "1 1:5 2:6\n", ([1, 2, 0], [0, 5, 6])),
        ("1 1:1 2:2\n-1 1:3\n", "1 0:5\n", ([0, 1, 2], [5, 0, 0])),
    ],
    ids=["test file wider", "training file wider", "training file from 0", "test file from 0"],
)
def test_both_files_get_the_same_columns(train: str, test: str, first_rows: tuple[list[int], list[int]], tmp_path: Path) -> None:
    path = write(tmp_path / "a", train * 5)
    write(tmp_path / "a.t", test)
    dataset = load(str(path), tmp_path, 1)
    assert (dense(dataset.train.x)[0].tolist(), dense(dataset.test.x)[0].tolist()) == first_rows


@pytest.mark.parametrize(("labels", "classes"), [(("2", "4"), ("2", "4")), (("+1", "-1"), ("-1", "+1")), (("1", "0"), ("0", "1"))])
def test_the_greater_label_is_1_and_spelled_as_in_the_file(
    labels: tuple[str, str], classes: tuple[str, str], tmp_path: Path
) -> None:
    dataset = load(str(write(tmp_path / "a", numbered(20, labels=labels))), tmp_path, 1)
    assert dataset.classes == classes
    written = [labels[row % 2] for row in dataset.train.rows]
    assert [classes[label] for label in dataset.train.labels] == written


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1 1:1\n", r"a: has one class \(1\), expected 2 to 1,000; add samples of another"),
        ("".join(f"{label} 1:1\n" for label in range(1_001)), r"a: has 1001 classes \(0, 1, .*\.\.\.\), expected 2 to 1,000"),
        ("".join(f"{label}.5 1:1\n" for label in range(21)), r"a: has 21 classes \(0.5, 1.5, .*\.\.\.\), expected 2 to 20;"),
    ],
)
def test_one_class_or_measurements_are_refused(rows: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        load(str(write(tmp_path / "a", rows * 5)), tmp_path, 1)


@pytest.mark.parametrize("suffix", ["t", "val"])
def test_a_label_that_training_has_not_is_refused(suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a", numbered(20))
    write(tmp_path / f"a.{suffix}", "1 1:1\n7 1:1\n")
    with pytest.raises(InputError, match=rf"a\.{suffix}: has the label 7, which no training sample has"):
        load(str(path), tmp_path, 1)


@pytest.mark.parametrize(("n", "role"), [(4, "test"), (3, "test")])
def test_too_few_rows_are_refused(n: int, role: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a", numbered(n))
    with pytest.raises(InputError, match=f"^--dataset {path}: {n} rows leave no {role} rows; add rows$"):
        load(str(path), tmp_path, 1)


def test_parts_are_cut_disjoint_and_complete_for_any_number_of_rows() -> None:
    for n in range(10, 60):
        whole = Part(np.arange(n)[:, np.newaxis] + 1.0, np.arange(n) % 2, np.arange(n))
        dataset = divide(Source(whole, ("0", "1"), shuffle=True), "a", generator(n, "split"))
        parts = dataset.train, dataset.validation, dataset.test
        assert sizes(dataset) == (((n - n // 5) * 7) // 10, n - n // 5 - ((n - n // 5) * 7) // 10, n // 5)
        assert sorted(all_rows(*parts)) == list(range(n))
        assert_rows_are_the_sources(*parts)


# --- A user's .npz


def test_an_npz_without_test_rows_is_shuffled_and_cut(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=np.arange(50)[:, np.newaxis] + 1.0, y_train=np.arange(50) % 2)
    dataset = load(str(tmp_path / "a.npz"), tmp_path, 1)
    assert sizes(dataset) == (28, 12, 10)
    assert all_rows(dataset.train) != list(range(28))
    assert_rows_are_the_sources(dataset.train, dataset.validation, dataset.test)


def test_an_npz_with_test_rows_keeps_its_order_and_its_words_as_classes(tmp_path: Path) -> None:
    x, y = np.arange(20)[:, np.newaxis] + 1.0, np.array(["cat", "dog"] * 10)
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y, x_test=x[:4], y_test=y[:4], x_val=x[:6], y_val=y[:6])
    dataset = load(str(tmp_path / "a.npz"), tmp_path, 1)
    assert dataset.classes == ("cat", "dog")
    assert [part.rows.tolist() for part in dataset[:3]] == [list(range(n)) for n in (20, 6, 4)]
    assert_rows_are_the_sources(dataset.train, dataset.validation, dataset.test)


@pytest.mark.parametrize(("dtype", "scale"), [(np.uint8, 255), (np.float32, 1), (np.int64, 1)])
def test_bytes_are_pixels_and_other_numbers_are_taken_as_they_are(dtype: type, scale: int, tmp_path: Path) -> None:
    x: np.ndarray = np.random.default_rng(0).integers(0, 256, (20, 2, 3)).astype(dtype)
    y = np.arange(20) % 2
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    dataset = load(str(tmp_path / "a.npz"), tmp_path, 1)
    np.testing.assert_array_equal(dataset.test.x, x.reshape(20, 6).astype(float) / scale)


@pytest.mark.parametrize("shape", [(2,), (2, 3), (2, 3, 3), (1, 2, 3), (5, 2, 4), (2, 3, 1, 1)])
def test_rows_of_two_axes_or_of_one_or_three_channels_are_pictures(shape: tuple[int, ...], tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).random((20, *shape)), np.arange(20) % 2
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    assert load(str(tmp_path / "a.npz"), tmp_path, 1).shape == (shape if shape in {(2, 3), (2, 3, 3), (1, 2, 3)} else None)


def test_an_npz_of_one_class_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=np.ones((20, 1)), y_train=np.array(["cat"] * 20))
    with pytest.raises(InputError, match=r"a\.npz: has one class \(cat\), expected 2"):
        load(str(tmp_path / "a.npz"), tmp_path, 1)


def test_labels_of_bytes_are_text(tmp_path: Path) -> None:
    y = np.array(["käse", "wurst"] * 10)
    np.savez(tmp_path / "a.npz", x_train=np.eye(20), y_train=np.char.encode(y, "utf-8"))
    assert load(str(tmp_path / "a.npz"), tmp_path, 1).classes == ("käse", "wurst")
    np.savez(tmp_path / "a.npz", x_train=np.eye(20), y_train=np.char.encode(y, "latin-1"))
    with pytest.raises(InputError, match=r"y_train holds bytes that are not UTF-8"):
        load(str(tmp_path / "a.npz"), tmp_path, 1)


def test_labels_of_two_kinds_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=np.eye(4), y_train=["0", "1", "0", "1"], x_test=np.eye(4), y_test=[0, 1, 0, 1])
    with pytest.raises(InputError, match=r"y_test holds int64, y_train <U1; make them alike"):
        load(str(tmp_path / "a.npz"), tmp_path, 1)


# --- A user's pictures


def save_shades(folder: Path, start: int, n: int) -> None:
    """Pictures all of one shade, which is their name."""
    folder.mkdir(parents=True)
    for shade in range(start, start + n):
        Image.fromarray(np.full((2, 2), shade, dtype=np.uint8)).save(folder / f"{shade}.png")


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_picture_folder_is_shuffled_so_that_each_part_has_both_classes(seed: int, tmp_path: Path) -> None:
    save_shades(tmp_path / "train" / "cat", 100, 25)
    save_shades(tmp_path / "train" / "dog", 200, 25)
    dataset = load(str(tmp_path), tmp_path, seed)
    assert sizes(dataset) == (28, 12, 10)
    assert dataset.classes == ("cat", "dog")
    assert dataset.files
    for part in (dataset.train, dataset.validation, dataset.test):
        assert set(part.labels) == {0, 1}
        shades = (dense(part.x)[:, 0] * 255).round().astype(int)
        named = [f"{dataset.classes[label]}/{shade}.png" for label, shade in zip(part.labels, shades, strict=True)]
        assert [dataset.files[row] for row in part.rows] == named


def test_pictures_are_shuffled_beside_a_test_folder_too(tmp_path: Path) -> None:
    save_shades(tmp_path / "train" / "cat", 100, 25)
    save_shades(tmp_path / "train" / "dog", 200, 25)
    save_shades(tmp_path / "test" / "dog", 0, 2)
    dataset = load(str(tmp_path), tmp_path, 1)
    assert sizes(dataset) == (35, 15, 2)
    assert set(dataset.validation.labels) == {0, 1}


def test_val_and_test_folders_are_those_parts(tmp_path: Path) -> None:
    for part, start, n in (("train", 0, 10), ("val", 100, 3), ("test", 200, 2)):
        save_shades(tmp_path / part / "cat", start, n)
        save_shades(tmp_path / part / "dog", start + 50, n)
    dataset = load(str(tmp_path), tmp_path, 1)
    assert sizes(dataset) == (20, 6, 4)
    assert sorted(dataset.train.rows) == list(range(20))
    shades = (dense(dataset.validation.x)[:, 0] * 255).round().tolist()
    assert shades == [100, 101, 102, 150, 151, 152]
    assert dataset.validation.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert (dense(dataset.test.x)[:, 3] * 255).round().tolist() == [200, 201, 250, 251]


def test_labels_of_a_part_without_one_class_stay_the_same(tmp_path: Path) -> None:
    save_shades(tmp_path / "train" / "cat", 0, 10)
    save_shades(tmp_path / "train" / "dog", 50, 10)
    save_shades(tmp_path / "test" / "dog", 200, 2)
    assert load(str(tmp_path), tmp_path, 1).test.labels.tolist() == [1, 1]


def test_a_class_that_training_has_not_is_refused(tmp_path: Path) -> None:
    save_shades(tmp_path / "train" / "cat", 0, 10)
    save_shades(tmp_path / "train" / "dog", 50, 10)
    save_shades(tmp_path / "test" / "bird", 200, 2)
    with pytest.raises(InputError, match="test: has the label bird, which no training sample has"):
        load(str(tmp_path), tmp_path, 1)


def test_what_is_no_picture_file_or_folder_is_named(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        save_shades(tmp_path / "train" / name, 0, 10)
    (tmp_path / "test").write_text("not pictures")
    with pytest.raises(InputError, match=r"/test: is a file, expected a folder of .*/test/CLASS/\*\.png; rename it"):
        load(str(tmp_path), tmp_path, 1)
    (tmp_path / "test").unlink()
    os.mkfifo(tmp_path / "train" / "cat" / "pipe.png")
    with pytest.raises(InputError, match=r"pipe\.png: cannot be read as a picture \(it is not a file\)"):
        load(str(tmp_path), tmp_path, 1)


def test_a_test_picture_of_another_size_is_named(tmp_path: Path) -> None:
    save_shades(tmp_path / "train" / "cat", 0, 10)
    save_shades(tmp_path / "train" / "dog", 50, 10)
    (tmp_path / "test" / "cat").mkdir(parents=True)
    Image.fromarray(np.zeros((3, 3), dtype=np.uint8)).save(tmp_path / "test" / "cat" / "9.png")
    with pytest.raises(
        InputError, match=r"/test/cat/9\.png: cannot be read as a picture \(it is 3 by 3 pixels, expected 2 by 2: give --size\)"
    ):
        load(str(tmp_path), tmp_path, 1)


# --- Names


@pytest.mark.parametrize("loaded", [load, load_pictures])
def test_a_folder_with_the_name_of_a_set_is_not_taken_for_it_in_silence(
    loaded: Callable[..., Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert not loaded("digits", tmp_path, 1).notes
    (tmp_path / "digits").mkdir()
    assert loaded("digits", tmp_path, 1).notes == (
        "digits is the public data set of that name; for the file or folder that is here give ./digits",
    )
    with pytest.raises(InputError, match=r"^--size 8: is for a folder of pictures, and digits is a data set by name"):
        loaded("digits", tmp_path, 1, size=8)


TOO_LONG = "x" * 300


@pytest.mark.parametrize("name", ["mnits", "absent/a.svm", "a.npz", TOO_LONG])
def test_a_name_that_is_neither_a_set_nor_a_path_is_refused_with_those_there_are(name: str, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=f"^--dataset {name}: no such data set or file; .* wdbc, digits, digits10, cancer, .* svhn$"
    ):
        load(name, tmp_path, 1)


def test_labels_without_features_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.svm").write_text("+1\n-1\n" * 20)
    with pytest.raises(InputError, match="has labels and no features"):
        load(str(tmp_path / "a.svm"), Path(), 1)


def test_columns_that_no_row_uses_cost_nothing(tmp_path: Path) -> None:
    """One index of two thousand million: the columns in use are kept, in order, the same ones in every part."""
    rows = [f"{row % 2} 3:{row + 1} 2147483600:{row + 2}" for row in range(20)]
    (tmp_path / "a.svm").write_text("\n".join(rows))
    (tmp_path / "a.svm.t").write_text("1 5:7 2147483600:8\n0 3:9\n")
    dataset = load(str(tmp_path / "a.svm"), Path(), 1)
    x, x_test = (part.x.toarray() if hasattr(part.x, "toarray") else part.x for part in (dataset.train, dataset.test))
    assert x[:2].tolist() == [[1, 0, 2], [2, 0, 3]]
    assert x_test.tolist() == [[0, 7, 8], [9, 0, 0]]


def test_a_few_fractions_may_be_classes(tmp_path: Path) -> None:
    path = write(tmp_path / "a", "".join(f"{row % 3 / 2} 1:{row + 1}\n" for row in range(30)))
    assert load(str(path), tmp_path, 1).classes == ("0.0", "0.5", "1.0")


# --- Pictures for networks


def test_digits_are_all_ten_classes_in_two_parts() -> None:
    pictures, target = load_pictures("digits", Path("absent"), 1), load_digits().target
    assert (pictures.train.x.shape, pictures.test.x.shape) == ((1438, 1, 8, 8), (359, 1, 8, 8))
    assert (pictures.train.x.dtype, pictures.train.x.max()) == (np.float32, 1)
    assert pictures.classes == tuple("0123456789")
    assert len(pictures.validation.labels) == 0
    assert pictures.notes == ()
    for part in (pictures.train, pictures.test):
        assert part.labels.tolist() == target[part.rows].tolist()
        assert (part.x * 16).reshape(-1, 64).tolist() == load_digits().data[part.rows].tolist()


def test_rows_and_pictures_of_a_set_are_cut_alike() -> None:
    """The same permutation, and the same test rows, of which rows take 30% of the others for validation."""
    order = generator(3, "split").permutation(1797)
    rows, pictures = load("digits10", Path("absent"), 3), load_pictures("digits", Path("absent"), 3)
    assert all_rows(rows.train, rows.validation) == pictures.train.rows.tolist() == order[:1438].tolist()
    assert rows.test.rows.tolist() == pictures.test.rows.tolist() == order[1438:].tolist()
    assert (dense(rows.test.x) * 16).tolist() == (pictures.test.x * 16).reshape(-1, 64).tolist()
    assert rows.test.labels.tolist() == pictures.test.labels.tolist()


def save_pictures(folder: Path, classes: list[str], n: int, mode: str = "L") -> None:
    """Pictures 5 by 6, of a shade or colour that tells the class and the number."""
    for label, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for number in range(n):
            colour = (40 * label + number) if mode == "L" else (40 * label, number, 7)
            Image.new(mode, (6, 5), color=colour).save(folder / name / f"{number}.png")


def test_a_folder_of_colour_pictures_is_channels_first_and_shuffled(tmp_path: Path) -> None:
    save_pictures(tmp_path / "train", ["cat", "dog", "owl"], 4, mode="RGB")
    save_pictures(tmp_path / "test", ["dog", "owl"], 2, mode="RGB")
    pictures = load_pictures(str(tmp_path), Path(), 1)
    assert pictures.classes == ("cat", "dog", "owl")
    assert pictures.train.x.shape == (12, 3, 5, 6)
    assert pictures.train.rows.tolist() == generator(1, "split").permutation(12).tolist()
    assert pictures.train.x[:, :, 0, 0].tolist() == [[40 * (row // 4), row % 4, 7] for row in pictures.train.rows]
    assert pictures.train.labels.tolist() == [row // 4 for row in pictures.train.rows]
    assert pictures.test.labels.tolist() == [1, 1, 2, 2]
    assert pictures.files == tuple(f"{name}/{number}.png" for name in pictures.classes for number in range(4))
    (note,) = pictures.notes
    assert note.startswith("4 of the 4 test rows have the features of a training row")


def test_a_folder_without_test_pictures_is_shuffled_and_cut(tmp_path: Path) -> None:
    save_pictures(tmp_path / "train", ["a", "b"], 10)
    pictures = load_pictures(str(tmp_path), Path(), 1)
    order = generator(1, "split").permutation(20)
    test = {row for label in range(2) for row in order[order // 10 == label][-2:]}  # the last two of each class
    expected = [[row for row in order if (row in test) == is_test] for is_test in (False, True)]
    assert [part.rows.tolist() for part in (pictures.train, pictures.test)] == expected
    for part in (pictures.train, pictures.test):
        assert part.x[:, 0, 0, 0].tolist() == [40 * (row // 10) + row % 10 for row in part.rows]
    assert pictures.files == tuple(f"{name}/{number}.png" for name in "ab" for number in range(10))


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
@pytest.mark.parametrize(("dtype", "kept"), [(np.uint8, np.uint8), (np.float64, np.float32)])
def test_arrays_of_any_shape_become_pictures(
    shape: tuple[int, ...], expected: tuple[int, ...], dtype: type, kept: type, tmp_path: Path
) -> None:
    x: np.ndarray = (np.arange(np.prod(shape)) + 100).astype(dtype).reshape(shape)
    np.savez(tmp_path / "a.npz", x_train=x, y_train=["a", "b", "a", "b", "c"], x_test=x, y_test=["c"] * 5)
    pictures = load_pictures(str(tmp_path / "a.npz"), Path(), 1)
    assert (pictures.train.x.shape, pictures.train.x.dtype) == (expected, kept)
    assert (pictures.classes, pictures.test.labels.tolist()) == (("a", "b", "c"), [2] * 5)
    assert (pictures.train.rows.tolist(), pictures.files) == ([*range(5)], None)
    last = np.moveaxis(x, -1, 1) if shape == (5, 4, 6, 3) else x
    assert pictures.train.x.ravel().tolist() == last.ravel().tolist()


def test_numbers_that_networks_cannot_hold_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=np.eye(10) * 1e39, y_train=np.arange(10) % 2)
    with pytest.raises(InputError, match=r"^features go up to 1e\+39, networks take 3.4e\+38 at most; scale the features$"):
        load_pictures(str(tmp_path / "a.npz"), Path(), 1)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing.npz", "no such data set or file; expected a path, or one of digits, mnist, cifar10, cifar100, svhn$"),
        ("imagenet", "no such data set or file"),
        ("file.txt", r"is neither an \.npz file nor a folder of pictures; use RDIA\.py for other files$"),
    ],
)
def test_what_is_no_set_of_pictures_is_named(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("1 1:1\n")
    with pytest.raises(InputError, match=f"^--dataset {tmp_path / name}: {message}"):
        load_pictures(str(tmp_path / name), Path(), 1)


def test_too_few_samples_to_take_a_test_part_from_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=np.eye(4), y_train=[0, 1, 0, 1])
    with pytest.raises(InputError, match=r"a\.npz: 4 rows leave no test rows; add rows$"):
        load_pictures(str(tmp_path / "a.npz"), Path(), 1)


# --- Which rows are for validation


FROM_TEST = Validation("test")


def test_validation_rows_are_the_last_30_percent_of_the_training_rows_or_as_many_as_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "a", numbered(20))
    write(tmp_path / "a.t", numbered(7, start=100))
    for asked, count in ((Validation(), 6), (Validation("train", 3), 3)):
        dataset = load(str(path), tmp_path, 1, asked)
        assert dataset.train.rows.tolist() == [*range(20 - count)]
        assert dataset.validation.rows.tolist() == [*range(20 - count, 20)]
    with pytest.raises(InputError, match=r"20 rows leave no training rows; give a smaller --n_validation than 20$"):
        load(str(path), tmp_path, 1, Validation("train", 20))


def test_validation_rows_are_drawn_from_the_test_rows_100_half_of_them_or_as_many_as_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "a", numbered(20))
    for n, asked, count in ((300, FROM_TEST, 100), (9, FROM_TEST, 4), (300, Validation("test", 7), 7)):
        write(tmp_path / "a.t", numbered(n, start=100))
        dataset = load(str(path), tmp_path, 1, asked)
        drawn = generator(1, "split").permutation(n)
        assert dataset.train.rows.tolist() == [*range(20)]
        assert dataset.validation.rows.tolist() == sorted(drawn[:count].tolist())
        assert dataset.test.rows.tolist() == sorted(drawn[count:].tolist())
        assert_rows_are_the_sources(dataset.validation, dataset.test, start=100)
    with pytest.raises(InputError, match=r"leave no test rows; give a smaller --n_validation than 300$"):
        load(str(path), tmp_path, 1, Validation("test", 300))


def test_rows_are_not_drawn_where_the_data_have_validation_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "a", numbered(20))
    write(tmp_path / "a.val", numbered(5, start=200))
    assert sizes(load(str(path), tmp_path, 1, FROM_TEST)) == (16, 5, 4)
    with pytest.raises(InputError, match=rf"^--n_validation 3: {path} has validation rows of its own, all of them used; leave it"):
        load(str(path), tmp_path, 1, Validation("train", 3))


# --- Notes on a user's own data


OWN_TRAIN_ROWS = (
    "24 of your own training rows are used for validation: their labels count as true, and they are not examined themselves;"
    " better give rows that you have checked as NAME.val.csv, FILE.val, x_val and y_val, or in val/"
)
OWN_TEST_ROWS = (
    "10 of your own test rows are used for validation: their labels count as true, and they are not tested on themselves;"
    " better give rows that you have checked as NAME.val.csv, FILE.val, x_val and y_val, or in val/"
)
OWN_TEST = (
    "20 of your own rows are used as test rows, with their labels as given, and are not examined; give test rows as"
    " NAME.test.csv, FILE.t, x_test and y_test, or in test/"
)


def test_a_user_is_told_which_of_the_rows_are_not_examined(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=np.arange(100)[:, np.newaxis] + 1.0, y_train=np.arange(100) % 2)
    name = str(tmp_path / "a.npz")
    assert load(name, tmp_path, 1).notes == (OWN_TEST, OWN_TRAIN_ROWS)
    assert load(name, tmp_path, 1, FROM_TEST).notes == (OWN_TEST.replace("20", "10", 1), OWN_TEST_ROWS)
    assert load_pictures(name, tmp_path, 1).notes == (OWN_TEST,)
    write(tmp_path / "a", numbered(50))
    write(tmp_path / "a.val", numbered(5, start=200))
    assert load(str(tmp_path / "a"), tmp_path, 1).notes == (OWN_TEST.replace("20", "10", 1),)
    write(tmp_path / "a.t", numbered(5, start=300))
    assert load(str(tmp_path / "a"), tmp_path, 1).notes == ()
    assert load("wdbc", tmp_path, 1).notes == load("wdbc", tmp_path, 1, FROM_TEST).notes == ()


def test_a_user_is_told_of_a_sorted_file_and_of_classes_without_validation_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "a", "".join(f"{row // 10} 1:{row + 1}\n" for row in range(30)))
    write(tmp_path / "a.t", "0 1:0.5\n1 1:0.7\n")
    write(tmp_path / "a.val", "2 1:40\n2 1:41\n")
    assert load(str(path), tmp_path, 1).notes == (
        "the validation rows are all of class 2: is the file sorted?",
        "no validation row is of class 0, 1: little can be said of such labels; add some",
    )


def test_each_part_has_its_share_of_each_class(tmp_path: Path) -> None:
    """Of a sorted file, and of classes with one row and three."""
    labels = np.repeat([0, 1, 2, 3], [50, 46, 1, 3])
    path = write(tmp_path / "a", "".join(f"{label} 1:{row + 1}\n" for row, label in enumerate(labels)))
    for seed in range(5):
        dataset = load(str(path), tmp_path, seed)
        counts = [np.bincount(part.labels, minlength=4).tolist() for part in (dataset.train, dataset.validation, dataset.test)]
        assert np.abs(np.array(counts) - np.outer([0.56, 0.24, 0.2], [50, 46, 1, 3])).max() <= 1
        assert min(counts[0]) >= 1
    write(tmp_path / "a.t", "0 1:0.5\n1 1:0.7\n2 1:0.2\n3 1:0.1\n")
    dataset = load(str(path), tmp_path, 1)
    assert np.bincount(dataset.train.labels).tolist() == [35, 32, 1, 2]
    assert dataset.train.rows.tolist() == sorted(dataset.train.rows)


def test_validation_and_test_rows_that_are_training_rows_are_counted(tmp_path: Path) -> None:
    rows = [f"{row % 2} 1:{row + 1} 2:{row % 3}\n" for row in range(30)]
    path = write(tmp_path / "a", "".join(rows))
    write(tmp_path / "a.t", "".join(rows[:4]).replace("1:1 ", "1:1.5 "))
    write(tmp_path / "a.val", "".join(rows[20:]))
    notes = load(str(path), tmp_path, 1).notes
    assert "10 of the 10 validation rows have the features of a training row" in notes[0]
    assert "3 of the 4 test rows have the features of a training row" in notes[1]


def test_files_that_count_their_columns_from_0_and_from_1_are_not_mixed(tmp_path: Path) -> None:
    """Each feature would be taken for the one beside it."""

    def rows(first: int, last: int, n: int) -> str:
        return "".join(f"{row % 2} {first}:{row + 1} {last}:0.5\n" for row in range(n))

    path = write(tmp_path / "a", rows(0, 3, 30))
    write(tmp_path / "a.t", rows(0, 3, 20).replace("0.5", "0.7"))
    write(tmp_path / "a.val", rows(1, 4, 20))
    with pytest.raises(
        InputError, match=r"a counts its columns from 0, and .*/a\.val seems to count from 1: its columns are 1 to 4;"
    ):
        load(str(path), tmp_path, 1)
    write(tmp_path / "a.val", rows(1, 3, 20))
    assert (
        f"{path}.val seems to count from 1: it has no column 0, which 100% of the rows of" in load(str(path), tmp_path, 1).notes[0]
    )
    write(tmp_path / "a.val", rows(1, 3, 5))  # too few to tell
    assert load(str(path), tmp_path, 1).notes == ()


def test_rows_on_another_scale_are_said(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, x_val = rng.random((40, 3)), rng.random((10, 3))
    y, y_val = np.arange(40) % 2, np.arange(10) % 2
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y, x_val=x_val * 255, y_val=y_val, x_test=x + 0.01, y_test=y)
    (note,) = load(str(tmp_path / "a.npz"), tmp_path, 1).notes
    assert note.startswith("the validation rows have a mean norm of ")


def test_networks_say_that_test_or_trusted_pictures_are_training_pictures(tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).integers(0, 256, (20, 4, 4), dtype=np.uint8), np.arange(20) % 2
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y, x_test=np.flip(x, 1)[:6], y_test=y[:6], x_val=x[:5], y_val=y[:5])
    (note,) = load_pictures(str(tmp_path / "a.npz"), tmp_path, 1).notes
    assert note.startswith("5 of the 5 validation rows have the features of a training row")
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y, x_test=x[:6], y_test=y[:6])
    (note,) = load_pictures(str(tmp_path / "a.npz"), tmp_path, 1).notes
    assert note.startswith("6 of the 6 test rows have the features of a training row")
    np.savez(tmp_path / "a.npz", x_train=x[:8], y_train=y[:8], x_test=x[8:], y_test=y[8:], x_val=x[10:14], y_val=y[10:14])
    (note,) = load_pictures(str(tmp_path / "a.npz"), tmp_path, 1).notes
    assert note.startswith("4 of the validation rows have the features of a test row")


def test_networks_say_that_trusted_pictures_are_on_another_scale(tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).random((40, 4, 4)), np.arange(40) % 2
    x_val, y_val = x[30:] * 255, y[30:]
    np.savez(tmp_path / "a.npz", x_train=x[:20], y_train=y[:20], x_test=x[20:30], y_test=y[20:30], x_val=x_val, y_val=y_val)
    assert any(
        note.startswith("the validation rows have a mean norm")
        for note in load_pictures(str(tmp_path / "a.npz"), tmp_path, 1).notes
    )


# --- Files of other formats


@pytest.mark.parametrize("loaded", [load, load_pictures])
def test_a_single_array_is_refused_with_what_to_do(loaded: Callable[..., Dataset], tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.eye(3))
    message = rf"^--dataset {tmp_path}/a\.npy: is one array; save x_train and y_train in an \.npz with numpy\.savez$"
    with pytest.raises(InputError, match=message):
        loaded(str(tmp_path / "a.npy"), tmp_path, 1)


def test_a_table_is_not_for_networks(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "a,label\n1,0\n2,1\n")
    with pytest.raises(InputError, match=r"is neither an \.npz file nor a folder of pictures; use RDIA\.py for other files$"):
        load_pictures(str(path), tmp_path, 1)


# --- Which sets --block_rows and --dask are for


def test_rows_elsewhere_are_for_libsvm_files(tmp_path: Path) -> None:
    for name in ("cancer", "avazu", "a.svm", "absent", str(tmp_path / "a.gz")):
        assert is_libsvm(name)
    for name in ("wdbc", "digits10", "mnist", "svhn", "a.npz", "a.csv", "a.csv.gz", "a.parquet", str(tmp_path)):
        assert not is_libsvm(name)

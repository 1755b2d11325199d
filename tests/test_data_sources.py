import bz2
import hashlib
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from PIL import Image
from sklearn.datasets import load_breast_cancer, load_digits, load_svmlight_file

from data import images
from data.dataset import Dataset, divide, load
from data.errors import InputError
from data.matrix import Features
from data.sources import LIBSVM_SETS, LIBSVM_TEST_ROWS, Part, Source
from data.streams import generator
from tests.problems import write_mnist

PUBLIC = Path(os.environ.get("RDIA_DATA") or "absent")


def dense(x: Features) -> np.ndarray:
    return x if isinstance(x, np.ndarray) else x.toarray()


def numbered(n: int, start: int = 0, labels: tuple[str, str] = ("-1", "+1")) -> str:
    """LIBSVM rows that tell their own number: column 1 is the row + 1, column 2 is 1, the label goes with the row's parity."""
    return "".join(f"{labels[row % 2]} 1:{row + 1} 2:1\n" for row in range(start, start + n))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def assert_rows_are_the_sources(*parts: Part, start: int = 0) -> None:
    for part in parts:
        assert dense(part.x)[:, 0].tolist() == (part.rows + start + 1).tolist()
        assert part.labels.tolist() == ((part.rows + start) % 2).tolist()


def sizes(dataset: Dataset) -> tuple[int, int, int]:
    return len(dataset.train.labels), len(dataset.validation.labels), len(dataset.test.labels)


def all_rows(*parts: Part) -> list[int]:
    return np.concatenate([part.rows for part in parts]).tolist()


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
    assert first == again == generator(1, "split").permutation(50)[:28].tolist()
    assert first != other


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


# --- Built-in sets


def test_wdbc_is_scikit_learns_with_standard_features() -> None:
    dataset = load("wdbc", Path("absent"), 1)
    x, y = load_breast_cancer(return_X_y=True)
    parts = dataset.train, dataset.validation, dataset.test
    assert sizes(dataset) == (319, 137, 113)  # of 569: 113 = 569 // 5, 319 = 456 * 7 // 10
    assert sorted(all_rows(*parts)) == list(range(569))
    whole = np.concatenate([part.x for part in parts])
    np.testing.assert_allclose(whole.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(whole.var(axis=0), 1, rtol=1e-12)
    for part in parts:
        assert part.labels.tolist() == y[part.rows].tolist()
        np.testing.assert_allclose(part.x, (x[part.rows] - x.mean(axis=0)) / x.std(axis=0), rtol=1e-9, atol=1e-12)


def test_digits_are_scikit_learns_ones_and_sevens_by_their_number_among_all() -> None:
    dataset = load("digits", Path("absent"), 1)
    x, y = load_digits(return_X_y=True)
    parts = dataset.train, dataset.validation, dataset.test
    assert sorted(all_rows(*parts)) == np.flatnonzero((y == 1) | (y == 7)).tolist()
    assert dataset.classes == ("7", "1")
    for part in parts:
        assert (dense(part.x) * 16).tolist() == x[part.rows].tolist()
        assert [int(dataset.classes[label]) for label in part.labels] == y[part.rows].tolist()


# --- Sets of the LIBSVM page


@pytest.mark.parametrize("name", ["cancer", "diabetes", "news20", "realsim", "covtype", "skin"])
def test_a_set_of_another_size_is_divided_in_the_same_proportion(name: str, tmp_path: Path) -> None:
    entry = LIBSVM_SETS[name]
    write(tmp_path / "libsvm" / entry.file, numbered(100))
    dataset = load(name, tmp_path, 1)
    assert dataset.notes == (f"{entry.file} has 100 rows, not {entry.rows}: it is divided in the same proportion",)
    n_train = 100 * (entry.n_train or 0) // entry.rows
    assert sizes(dataset) == (n_train * 7 // 10, n_train - n_train * 7 // 10, 100 - n_train)
    parts = dataset.train, dataset.validation, dataset.test
    assert_rows_are_the_sources(*parts)
    assert sorted(all_rows(*parts)) == list(range(100))
    shuffled = name in {"news20", "realsim", "skin"}  # experiments.md: those it calls random
    assert (all_rows(*parts) != list(range(100))) == shuffled


def test_realsim_keeps_60000_of_72309_for_training(tmp_path: Path) -> None:
    write(tmp_path / "libsvm" / "real-sim", numbered(100))
    assert sizes(load("realsim", tmp_path, 1)) == (57, 25, 18)  # 82 = 100 * 60,000 // 72,309, of which 57 = 82 * 7 // 10


@pytest.mark.parametrize(
    ("name", "train", "test"),
    [
        ("adult", "a1a.t", "a1a"),
        ("a1a", "a1a.t", "a1a"),
        ("avazu", "avazu-app", "avazu-app.t"),
        ("criteo", "criteo.kaggle2014.svm/train.txt.svm", "criteo.kaggle2014.svm/test.txt.svm"),
    ],
)
def test_a_set_with_a_test_file_keeps_the_order_of_both(name: str, train: str, test: str, tmp_path: Path) -> None:
    write(tmp_path / "libsvm" / train, numbered(20))
    write(tmp_path / "libsvm" / test, numbered(6, start=100))
    dataset = load(name, tmp_path, 1)
    assert all_rows(dataset.train, dataset.validation) == list(range(20))
    assert dataset.test.rows.tolist() == list(range(6))
    assert_rows_are_the_sources(dataset.train, dataset.validation)
    assert_rows_are_the_sources(dataset.test, start=100)


def test_a_set_may_lie_there_packed(tmp_path: Path) -> None:
    (tmp_path / "libsvm").mkdir()
    (tmp_path / "libsvm" / "diabetes_scale.bz2").write_bytes(bz2.compress(numbered(100).encode()))
    assert_rows_are_the_sources(load("diabetes", tmp_path, 1).train)


REAL_SETS = {
    "cancer": (("breast-cancer_scale", "breast-cancer_scale"), (350, 150, 183), ("2", "4")),
    "diabetes": (("diabetes_scale", "diabetes_scale"), (350, 150, 268), ("-1", "+1")),
    "adult": (("a1a.t", "a1a"), (21_669, 9_287, 1_605), ("-1", "+1")),  # 21,669 = 30,956 * 7 // 10
}


@pytest.mark.parametrize("name", REAL_SETS)
def test_a_real_set_is_divided_as_published(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (train, test), expected, classes = REAL_SETS[name]
    (tmp_path / "libsvm").mkdir()
    for file in {train, test}:
        if not (PUBLIC / "libsvm" / file).is_file():
            pytest.skip(f"RDIA_DATA has no libsvm/{file}")
        (tmp_path / "libsvm" / file).symlink_to((PUBLIC / "libsvm" / file).resolve())
    dataset = load(name, tmp_path, 1)
    assert sizes(dataset) == expected
    assert dataset.classes == classes
    assert caplog.text == ""
    columns = dataset.train.x.shape[1]
    for part, file in ((dataset.train, train), (dataset.validation, train), (dataset.test, test)):
        x, y = load_svmlight_file(str(PUBLIC / "libsvm" / file), n_features=columns)
        assert dense(part.x).tolist() == x[part.rows].toarray().tolist()
        assert [float(classes[label]) for label in part.labels] == y[part.rows].tolist()


def test_the_facts_of_the_sets_are_those_of_the_libsvm_page() -> None:
    """https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/binary.html; the numbers of training rows are the paper's."""
    facts = {name: (entry.rows, entry.columns, entry.n_train) for name, entry in LIBSVM_SETS.items()}
    assert facts == {
        "cancer": (683, 10, 500),
        "diabetes": (768, 8, 500),
        "adult": (30_956, 123, None),
        "a1a": (30_956, 123, None),
        "news20": (19_996, 1_355_191, 15_000),
        "realsim": (72_309, 20_958, 60_000),
        "covtype": (581_012, 54, 400_000),
        "skin": (245_057, 3, 220_000),
        "avazu": (14_596_137, 1_000_000, None),
        "criteo": (45_840_617, 1_000_000, None),
    }
    assert LIBSVM_TEST_ROWS == {"a1a": 1_605, "avazu-app.t": 1_719_304}


# --- torchvision's sets


def test_mnist_is_1_against_7_without_the_first_100_training_rows(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(1, 256, (140, 2, 2))
    labels = np.arange(140) % 10
    write_mnist(tmp_path, "train", pixels, labels)
    write_mnist(tmp_path, "t10k", pixels[:20], labels[:20])
    dataset = load("mnist", tmp_path, 1)
    assert all_rows(dataset.train, dataset.validation) == [101, 107, 111, 117, 121, 127, 131, 137]
    assert sizes(dataset) == (5, 3, 4)
    assert dataset.test.rows.tolist() == [1, 7, 11, 17]
    assert dataset.classes == ("7", "1")
    for part in (dataset.train, dataset.validation, dataset.test):
        assert [int(dataset.classes[label]) for label in part.labels] == labels[part.rows].tolist()
        np.testing.assert_array_equal(part.x, pixels[part.rows].reshape(-1, 4) / 255)


@pytest.mark.skipif(not (PUBLIC / "MNIST" / "raw").is_dir(), reason="RDIA_DATA has no MNIST/raw")
def test_the_real_mnist_has_9088_3895_and_2163_rows(tmp_path: Path) -> None:
    (tmp_path / "MNIST").mkdir()
    (tmp_path / "MNIST" / "raw").symlink_to((PUBLIC / "MNIST" / "raw").resolve())
    dataset = load("mnist", tmp_path, 1)
    assert sizes(dataset) == (9_088, 3_895, 2_163)  # experiments.md
    for file, part in (("train", dataset.train), ("train", dataset.validation), ("t10k", dataset.test)):
        labels = np.fromfile(PUBLIC / "MNIST" / "raw" / f"{file}-labels-idx1-ubyte", np.uint8)[8:]
        pixels = np.memmap(PUBLIC / "MNIST" / "raw" / f"{file}-images-idx3-ubyte", np.uint8, "r", offset=16).reshape(-1, 784)
        assert np.array_equal(np.where(part.labels == 1, 1, 7), labels[part.rows])
        np.testing.assert_allclose(dense(part.x[:500]), pixels[part.rows[:500]] / 255, rtol=1e-15)  # CSR multiplies by 1 / 255
    rows = all_rows(dataset.train, dataset.validation)
    assert rows[0] >= 100
    assert rows == sorted(set(rows))


def test_cifar10_is_cat_against_dog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (10, 3072), dtype=np.uint8)
    (tmp_path / "cifar-10-batches-py").mkdir()
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        batch = pickle.dumps({"data": pixels, "labels": list(range(10))}, protocol=4)
        (tmp_path / "cifar-10-batches-py" / name).write_bytes(batch)
        monkeypatch.setitem(images.CIFAR_MD5, name, hashlib.md5(batch).hexdigest())
    dataset = load("cifar10", tmp_path, 1)
    assert all_rows(dataset.train, dataset.validation) == [3, 5, 13, 15, 23, 25, 33, 35, 43, 45]
    assert dataset.classes == ("5", "3")  # the page of CIFAR-10: 3 is cat, 5 is dog
    assert dataset.test.labels.tolist() == [1, 0]
    np.testing.assert_array_equal(dataset.test.x, pixels[[3, 5]] / 255)


def test_svhn_is_1_against_7(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 2, 3, 20), dtype=np.uint8)
    for path in (tmp_path / "train_32x32.mat", tmp_path / "test_32x32.mat"):
        scipy.io.savemat(path, {"X": pixels, "y": np.arange(20, dtype=np.uint8)[:, np.newaxis] % 10 + 1})
        monkeypatch.setitem(images.SVHN_MD5, path.name, hashlib.md5(path.read_bytes()).hexdigest())
    dataset = load("svhn", tmp_path, 1)
    assert all_rows(dataset.train, dataset.validation) == [0, 6, 10, 16]
    assert dataset.classes == ("7", "1")
    assert dataset.test.labels.tolist() == [1, 0, 1, 0]
    assert (dense(dataset.test.x)[1] * 255).round().tolist() == pixels[..., 6].transpose(2, 0, 1).ravel().tolist()


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
    with pytest.raises(InputError, match=r"y_train holds bytes that are no UTF-8"):
        load(str(tmp_path / "a.npz"), tmp_path, 1)


def test_labels_of_two_kinds_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=np.eye(4), y_train=["0", "1", "0", "1"], x_test=np.eye(4), y_test=[0, 1, 0, 1])
    with pytest.raises(InputError, match=r"y_test holds int64, y_train <U1; make them alike"):
        load(str(tmp_path / "a.npz"), tmp_path, 1)


# --- A user's pictures


def save_pictures(folder: Path, start: int, n: int) -> None:
    """Pictures all of one shade, which is their name."""
    folder.mkdir(parents=True)
    for shade in range(start, start + n):
        Image.fromarray(np.full((2, 2), shade, dtype=np.uint8)).save(folder / f"{shade}.png")


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_picture_folder_is_shuffled_so_that_each_part_has_both_classes(seed: int, tmp_path: Path) -> None:
    save_pictures(tmp_path / "train" / "cat", 100, 25)
    save_pictures(tmp_path / "train" / "dog", 200, 25)
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
    save_pictures(tmp_path / "train" / "cat", 100, 25)
    save_pictures(tmp_path / "train" / "dog", 200, 25)
    save_pictures(tmp_path / "test" / "dog", 0, 2)
    dataset = load(str(tmp_path), tmp_path, 1)
    assert sizes(dataset) == (35, 15, 2)
    assert set(dataset.validation.labels) == {0, 1}


def test_val_and_test_folders_are_those_parts(tmp_path: Path) -> None:
    for part, start, n in (("train", 0, 10), ("val", 100, 3), ("test", 200, 2)):
        save_pictures(tmp_path / part / "cat", start, n)
        save_pictures(tmp_path / part / "dog", start + 50, n)
    dataset = load(str(tmp_path), tmp_path, 1)
    assert sizes(dataset) == (20, 6, 4)
    assert sorted(dataset.train.rows) == list(range(20))
    shades = (dense(dataset.validation.x)[:, 0] * 255).round().tolist()
    assert shades == [100, 101, 102, 150, 151, 152]
    assert dataset.validation.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert (dense(dataset.test.x)[:, 3] * 255).round().tolist() == [200, 201, 250, 251]


def test_labels_of_a_part_without_one_class_stay_the_same(tmp_path: Path) -> None:
    save_pictures(tmp_path / "train" / "cat", 0, 10)
    save_pictures(tmp_path / "train" / "dog", 50, 10)
    save_pictures(tmp_path / "test" / "dog", 200, 2)
    assert load(str(tmp_path), tmp_path, 1).test.labels.tolist() == [1, 1]


def test_a_class_that_training_has_not_is_refused(tmp_path: Path) -> None:
    save_pictures(tmp_path / "train" / "cat", 0, 10)
    save_pictures(tmp_path / "train" / "dog", 50, 10)
    save_pictures(tmp_path / "test" / "bird", 200, 2)
    with pytest.raises(InputError, match="test: has the label bird, which no training sample has"):
        load(str(tmp_path), tmp_path, 1)


def test_what_is_no_picture_file_or_folder_is_named(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        save_pictures(tmp_path / "train" / name, 0, 10)
    (tmp_path / "test").write_text("not pictures")
    with pytest.raises(InputError, match=r"/test: is a file, expected a folder of .*/test/CLASS/\*\.png; rename it"):
        load(str(tmp_path), tmp_path, 1)
    (tmp_path / "test").unlink()
    os.mkfifo(tmp_path / "train" / "cat" / "pipe.png")
    with pytest.raises(InputError, match=r"pipe\.png: is not a picture that can be read \(it is no file\)"):
        load(str(tmp_path), tmp_path, 1)


def test_a_test_picture_of_another_size_is_named(tmp_path: Path) -> None:
    save_pictures(tmp_path / "train" / "cat", 0, 10)
    save_pictures(tmp_path / "train" / "dog", 50, 10)
    (tmp_path / "test" / "cat").mkdir(parents=True)
    Image.fromarray(np.zeros((3, 3), dtype=np.uint8)).save(tmp_path / "test" / "cat" / "9.png")
    with pytest.raises(InputError, match=r"/test/cat/9\.png: is \(3, 3\), the others are \(2, 2\)"):
        load(str(tmp_path), tmp_path, 1)


# --- Names


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

"""Public sets: what is in them, and how RDIA's experiments divide them."""

import bz2
import gzip
import hashlib
import os
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import scipy.io
from sklearn.datasets import load_breast_cancer, load_digits, load_svmlight_file
from torchvision import datasets

from data.dataset import load, load_pictures
from data.errors import InputError
from data.public import LIBSVM_SETS, LIBSVM_TEST_ROWS, is_here, read_idx
from tests.invoke import ROOT
from tests.problems import all_rows, assert_rows_are_the_sources, dense, numbered, sizes, write, write_mnist

PUBLIC = Path(os.environ.get("RDIA_DATA") or "absent")


def some_bytes(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


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


# --- MNIST


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


def test_mnist_needs_no_torch(tmp_path: Path) -> None:
    """Importing it would take seconds."""
    write_mnist(tmp_path, "train", some_bytes(140, 2, 2), np.arange(140) % 10)
    write_mnist(tmp_path, "t10k", some_bytes(20, 2, 2), np.arange(20) % 10)
    program = (
        "import sys; from pathlib import Path; from data.dataset import load\n"
        "assert len(load('mnist', Path(sys.argv[1]), 1).test.labels) == 4\n"
        "assert 'torch' not in sys.modules and 'torchvision' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path], cwd=ROOT, check=True)


def idx(array: np.ndarray) -> bytes:
    """As LeCun's page has it: the magic number 0x0000_08_dd, dd sizes, all of 32 bits, high byte first, then the bytes."""
    return struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape) + array.tobytes()


Pack = Callable[[bytes], bytes]
GZIP_OR_NOT: list[tuple[str, Pack]] = [("", bytes), (".gz", gzip.compress)]


@pytest.mark.parametrize(("suffix", "pack"), GZIP_OR_NOT)
def test_an_idx_file_is_read_as_written(suffix: str, pack: Pack, tmp_path: Path) -> None:
    pixels, labels = some_bytes(4, 2, 3), np.array([5, 0, 255, 1], dtype=np.uint8)
    path = tmp_path / f"a{suffix}"
    for array in (pixels, labels):
        path.write_bytes(pack(idx(array)))
        assert read_idx(path, array.ndim).tolist() == array.tolist()


IDX = idx(some_bytes(4, 2, 3))
PACKED = gzip.compress(IDX)
BAD_IDX = {
    "no bytes": b"",
    "within the sizes": IDX[:9],
    "one byte short": IDX[:-1],
    "one byte more": IDX + b"0",
    "magic number": b"\x00\x00\x08\x01" + IDX[4:],
    "of 32-bit integers": b"\x00\x00\x0c\x03" + IDX[4:],
    "low byte first": struct.pack("<4I", 0x0803, 4, 2, 3) + IDX[16:],
}


@pytest.mark.parametrize(("suffix", "pack"), GZIP_OR_NOT)
@pytest.mark.parametrize("content", BAD_IDX.values(), ids=BAD_IDX)
def test_a_damaged_idx_file_is_named(content: bytes, suffix: str, pack: Pack, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(pack(content))
    with pytest.raises(InputError, match=f"/a{suffix}: .*; remove it, and it will be downloaded again$"):
        read_idx(path, 3)


@pytest.mark.parametrize("content", [PACKED[:-9], IDX, PACKED[:12] + bytes(30)], ids=["cut", "not packed", "damaged"])
def test_a_damaged_gz_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"/a\.gz: cannot be read \(.*; remove it, and it will be downloaded again$"):
        read_idx(path, 3)


def test_an_mnist_with_a_label_too_few_is_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path, "train", some_bytes(20, 2, 2), np.arange(19) % 10)
    with pytest.raises(InputError, match=r"MNIST/raw: has 20 train pictures and 19 labels; remove its files$"):
        load("mnist", tmp_path, 1)


# --- CIFAR and SVHN, by torchvision


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise URLError("no network here")

    monkeypatch.setattr("torchvision.datasets.utils._get_redirect_url", refuse)


def write_cifar(data_dir: Path, kind: Any, batches: Mapping[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches, which then pass for the published ones."""
    folder = data_dir / kind.base_folder
    folder.mkdir()
    meta = kind.meta
    for name, batch in {**batches, meta["filename"]: {meta["key"]: ["a", "b"]}}.items():
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
    published = {name: hashlib.md5((folder / name).read_bytes()).hexdigest() for name in (*batches, meta["filename"])}
    for part in ("train_list", "test_list"):
        names = [name for name, _ in getattr(kind, part)]
        monkeypatch.setattr(kind, part, [[name, published[name]] for name in names])
    monkeypatch.setattr(kind, "meta", {**meta, "md5": published[meta["filename"]]})


CIFAR10_BATCHES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]


@pytest.fixture
def cifar10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """The pixels (6, 10, 3072) of batches of ten pictures, one of each class, in tmp_path."""
    pixels = some_bytes(6, 10, 3072)
    batches = {name: {"data": part, "labels": [*range(10)]} for name, part in zip(CIFAR10_BATCHES, pixels, strict=True)}
    write_cifar(tmp_path, datasets.CIFAR10, batches, monkeypatch)
    return pixels


def test_cifar10_is_cat_against_dog(cifar10: np.ndarray, tmp_path: Path) -> None:
    dataset = load("cifar10", tmp_path, 1)
    assert all_rows(dataset.train, dataset.validation) == [3, 5, 13, 15, 23, 25, 33, 35, 43, 45]
    assert dataset.classes == ("5", "3")  # the page of CIFAR-10: 3 is cat, 5 is dog
    assert dataset.test.labels.tolist() == [1, 0]
    assert dataset.test.x.tolist() == (cifar10[5, [3, 5]] / 255).tolist()
    assert dataset.train.x.tolist() == (cifar10[:5].reshape(50, 3072)[dataset.train.rows] / 255).tolist()


def test_cifar10_as_pictures_has_all_classes_channels_first(cifar10: np.ndarray, tmp_path: Path) -> None:
    dataset = load_pictures("cifar10", tmp_path, 1)
    assert (dataset.train.x.dtype, dataset.test.x.dtype) == (np.uint8, np.uint8)
    assert dataset.train.x.tolist() == cifar10[:5].reshape(50, 3, 32, 32).tolist()
    assert dataset.test.x.tolist() == cifar10[5].reshape(10, 3, 32, 32).tolist()
    assert dataset.train.labels.tolist() == [*range(10)] * 5
    assert dataset.classes == tuple("0123456789")


def test_cifar100_has_fine_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels, fine = some_bytes(2, 2, 3072), {"train": [99, 7], "test": [0, 41]}
    batches = {
        part: {"data": rows, "fine_labels": fine[part], "coarse_labels": [1, 2]} for part, rows in zip(fine, pixels, strict=True)
    }
    write_cifar(tmp_path, datasets.CIFAR100, batches, monkeypatch)
    dataset = load_pictures("cifar100", tmp_path, 1)
    for part, name, expected in ((dataset.train, "train", pixels[0]), (dataset.test, "test", pixels[1])):
        assert (part.labels.tolist(), part.x.reshape(2, -1).tolist()) == (fine[name], expected.tolist())


class Calls:
    """Once unpickled, has run a program."""

    def __init__(self, program: str) -> None:
        self.program = program

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.system, (self.program,)


@pytest.mark.parametrize("name", ["data_batch_1", "test_batch", "batches.meta"])
@pytest.mark.parametrize("loader", [load, load_pictures])
def test_a_batch_that_is_not_the_published_one_is_one_line_and_not_unpickled(
    loader: Callable[..., object], name: str, cifar10: np.ndarray, tmp_path: Path
) -> None:
    assert len(cifar10) == 6
    path, trace = tmp_path / "cifar-10-batches-py" / name, tmp_path / "ran"
    path.write_bytes(pickle.dumps(Calls(f"echo > {trace}")))
    with pytest.raises(
        InputError, match=f"^--dataset cifar10: {tmp_path} does not have its published files, and .*; put them there by hand"
    ):
        loader("cifar10", tmp_path, 1)
    assert not trace.exists()
    pickle.loads(path.read_bytes())
    assert trace.exists()  # plain pickle would have run it


@pytest.mark.parametrize("name", ["cifar10", "svhn"])
def test_a_set_that_is_missing_and_a_folder_that_cannot_be_written_are_one_line(name: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a file")
    for folder, cause in ((tmp_path / "new", "no network, or the server"), (tmp_path / "a", "File exists")):
        with pytest.raises(InputError, match=rf"^--dataset {name}: {folder} does not have its published files, .*{cause}"):
            load(name, folder, 1)


def write_svhn(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """The pixels (32, 32, 3, 20) of both parts, of which picture i has the label i % 10 + 1."""
    pixels, published = some_bytes(32, 32, 3, 20), dict(datasets.SVHN.split_list)
    for part in ("train", "test"):
        path = data_dir / f"{part}_32x32.mat"
        scipy.io.savemat(path, {"X": pixels, "y": np.arange(20, dtype=np.uint8)[:, np.newaxis] % 10 + 1})
        published[part] = [*published[part][:2], hashlib.md5(path.read_bytes()).hexdigest()]
    monkeypatch.setattr(datasets.SVHN, "split_list", published)
    return pixels


def test_svhn_is_1_against_7_channel_by_channel_and_class_10_is_the_digit_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = write_svhn(tmp_path, monkeypatch)
    dataset = load("svhn", tmp_path, 1)
    assert all_rows(dataset.train, dataset.validation) == [0, 6, 10, 16]
    assert dataset.classes == ("7", "1")
    assert dataset.test.labels.tolist() == [1, 0, 1, 0]
    assert (dense(dataset.test.x)[1] * 255).round().tolist() == pixels[..., 6].transpose(2, 0, 1).ravel().tolist()
    pictures = load_pictures("svhn", tmp_path, 1)
    assert pictures.train.labels.tolist() == [*range(1, 10), 0] * 2
    assert pictures.train.x.tolist() == pixels.transpose(3, 2, 0, 1).tolist()


def test_a_changed_svhn_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_svhn(tmp_path, monkeypatch)
    with (tmp_path / "test_32x32.mat").open("ab") as file:
        file.write(b"0")
    with pytest.raises(InputError, match=f"^--dataset svhn: {tmp_path} does not have its published files"):
        load("svhn", tmp_path, 1)


@pytest.mark.usefixtures("cifar10")
def test_a_set_is_here_when_all_its_files_are(tmp_path: Path) -> None:
    assert [is_here(name, tmp_path) for name in ("wdbc", "digits10", "adult", "mnist", "svhn", "cifar10", "cifar100")] == [
        *(True, True, False, False, False, True, False)
    ]
    write(tmp_path / "libsvm" / "a1a.t", numbered(9))
    assert not is_here("adult", tmp_path)
    (tmp_path / "libsvm" / "a1a.bz2").touch()
    assert is_here("adult", tmp_path)
    for part in ("train", "t10k"):
        assert not is_here("mnist", tmp_path)
        write_mnist(tmp_path, part, some_bytes(2, 2, 2), np.arange(2))
    assert is_here("mnist", tmp_path)

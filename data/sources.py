"""Where labelled rows come from: built-in data, LIBSVM's and torchvision's public sets, and a user's own files.

Its labels are places in its list of classes. Its rows keep the order of the file they are in; `data.dataset` cuts them into parts.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from data.classes import places, several
from data.download import Step, download, untar
from data.errors import InputError
from data.images import Images, cifar10, image_folder, mnist, parts_of, svhn
from data.libsvm import OPENERS, parse_libsvm, read_libsvm
from data.matrix import Matrix, compact
from data.npz import Labelled, read_npz


class Part(NamedTuple):
    """Labelled rows."""

    x: Matrix  # (n, d) float64; or rows in blocks
    labels: np.ndarray  # (n,) places in the source's classes
    rows: Any  # (n,) 0-based row in the source: integers in an array, for rows in blocks `Consecutive`


class Source(NamedTuple):
    """Labelled rows as the source has them."""

    train: Part
    classes: tuple[str, ...]  # how the source writes each label
    test: Part | None = None  # None: to be cut from train
    validation: Part | None = None  # None: to be cut from train
    shuffle: bool = False  # whether train is shuffled before it is cut
    n_train: int | None = None  # how many of train's rows remain where test is None; None: all but the last 20%
    files: tuple[str, ...] | None = None  # (n,) the picture file of each row of train
    shape: tuple[int, ...] | None = None  # of one picture, (h, w), (h, w, 3) or (channels, h, w); None: the rows are none
    notes: tuple[str, ...] = ()  # what whoever uses the data should know


class LibsvmSet(NamedTuple):
    """A set of the LIBSVM page, and how RDIA's experiments divide it."""

    file: str
    rows: int
    columns: int
    n_train: int | None = None  # None: it has a test file
    shuffle: bool = False
    test: str | None = None
    packed: str = ""  # how the page compresses the file


LIBSVM_URL = "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/binary/"
LIBSVM_SETS = {
    "cancer": LibsvmSet("breast-cancer_scale", 683, 10, n_train=500),
    "diabetes": LibsvmSet("diabetes_scale", 768, 8, n_train=500),
    # Released: a1a's test file is what is trained on, and its training file is the test set.
    "adult": LibsvmSet("a1a.t", 30_956, 123, test="a1a"),
    "a1a": LibsvmSet("a1a.t", 30_956, 123, test="a1a"),
    "news20": LibsvmSet("news20.binary", 19_996, 1_355_191, n_train=15_000, shuffle=True, packed=".bz2"),
    "realsim": LibsvmSet("real-sim", 72_309, 20_958, n_train=60_000, shuffle=True, packed=".bz2"),
    "covtype": LibsvmSet("covtype.libsvm.binary.scale", 581_012, 54, n_train=400_000, packed=".bz2"),
    "skin": LibsvmSet("skin_nonskin", 245_057, 3, n_train=220_000, shuffle=True),
    "avazu": LibsvmSet("avazu-app", 14_596_137, 1_000_000, test="avazu-app.t", packed=".bz2"),
    "criteo": LibsvmSet(
        "criteo.kaggle2014.svm/train.txt.svm", 45_840_617, 1_000_000, test="criteo.kaggle2014.svm/test.txt.svm", packed=".tar.xz"
    ),
}
LIBSVM_TEST_ROWS = {"a1a": 1_605, "avazu-app.t": 1_719_304}


def wdbc() -> Source:
    """scikit-learn's breast-cancer set, 569 x 30; each feature brought to mean 0 and variance 1, as the model has no intercept."""
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    return Source(_part((x - x.mean(axis=0)) / x.std(axis=0), y == 1), ("0", "1"), shuffle=True)


def digits() -> Source:
    """scikit-learn's 8 x 8 digits, 1 against 7, pixels / 16; the rows keep their number among the 1,797."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    rows = np.flatnonzero((y == 1) | (y == 7))
    part = Part(compact(x[rows] / 16), (y[rows] == 1).astype(np.int64), rows)
    return Source(part, ("7", "1"), shuffle=True, shape=(8, 8))


def digits10() -> Source:
    """scikit-learn's 8 x 8 digits, all ten, pixels / 16."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return Source(_part(x / 16, y), tuple(map(str, range(10))), shuffle=True, shape=(8, 8))


def libsvm_set(name: str, data_dir: Path) -> Source:
    """A set of the LIBSVM page from `data_dir`/libsvm, downloaded if it is not there."""
    return as_released(LIBSVM_SETS[name], _libsvm_source(files_of_set(name, data_dir)))


def files_of_set(name: str, data_dir: Path) -> dict[str, Path]:
    """The files "train" and, if it has one, "test" of a set of the LIBSVM page, downloaded if they are not there."""
    entry = LIBSVM_SETS[name]
    names = {"train": entry.file, **({"test": entry.test} if entry.test else {})}
    return {role: _libsvm_path(entry, file, data_dir) for role, file in names.items()}


def as_released(entry: LibsvmSet, source: Source) -> Source:
    """A set of the LIBSVM page, with how it is divided."""
    if entry.test:
        return source
    n = len(source.train.labels)
    if n != entry.rows:
        source = source._replace(notes=(f"{entry.file} has {n} rows, not {entry.rows}: it is divided in the same proportion",))
    return source._replace(shuffle=entry.shuffle, n_train=n * (entry.n_train or 0) // entry.rows)


def libsvm_set_is_here(name: str, data_dir: Path) -> bool:
    """Whether `data_dir` has the files of a set of the LIBSVM page."""
    entry = LIBSVM_SETS[name]
    return all(_packed_or_plain(data_dir / "libsvm" / file) for file in (entry.file, entry.test) if file)


def _libsvm_path(entry: LibsvmSet, file: str, data_dir: Path) -> Path:
    """The file of a set, plain or compressed, downloaded if there is none."""
    path = data_dir / "libsvm" / file
    found = _packed_or_plain(path)
    if found:
        return found
    if entry.packed == ".tar.xz":  # one archive holds both files
        folder = path.parent.name
        download(f"{LIBSVM_URL}{folder}{entry.packed}", None, path.parent, untar(folder))
        return path
    rows = LIBSVM_TEST_ROWS.get(file, entry.rows)
    target = path.with_name(path.name + entry.packed)
    return download(f"{LIBSVM_URL}{file}{entry.packed}", None, target, _expect_shape(rows, entry.columns))


def _expect_shape(rows: int, columns: int) -> Step:
    """No checksum is published for these files: they have to parse, and to the size that the page states."""

    def check(fetched: Path) -> Path:
        x = parse_libsvm(fetched).x
        if x.shape[0] != rows or x.shape[1] > columns + 1:
            size = f"{x.shape[0]} rows and {x.shape[1] - 1} columns"
            raise InputError(f"{fetched.name}: came with {size}, expected {rows} and {columns} at most; try again later")
        if fetched.suffix not in OPENERS and not fetched.read_bytes().endswith(b"\n"):
            raise InputError(f"{fetched.name}: came without the end of its last line; try again later")
        return fetched

    return check


def _packed_or_plain(path: Path) -> Path | None:
    names = [path, *(path.with_name(path.name + suffix) for suffix in OPENERS)]
    return next((name for name in names if name.is_file()), None)


def libsvm_file(path: Path) -> Source:
    """A user's LIBSVM file and those beside it."""
    return _libsvm_source(beside(path))


def beside(path: Path) -> dict[str, Path]:
    """A user's LIBSVM file by role: FILE.t is its test set, FILE.val its validation set, as the LIBSVM page names them."""
    stem = path.with_suffix("") if path.suffix in OPENERS else path
    found = {role: _packed_or_plain(stem.with_name(f"{stem.name}.{suffix}")) for role, suffix in (("test", "t"), ("val", "val"))}
    return {"train": path, **{role: file for role, file in found.items() if file}}


def _libsvm_source(paths: Mapping[str, Path]) -> Source:
    """Read the files of one set, and bring them to the same columns: the format counts them from 1, some files from 0."""
    files = {role: read_libsvm(path) for role, path in paths.items()}
    first = 0 if any(file.x.nnz and file.x.indices.min() == 0 for file in files.values()) else 1
    columns = max(0, max(file.x.shape[1] for file in files.values()) - first)
    indices = {role: file.x.indices - first for role, file in files.items()}
    if columns > sum(map(len, indices.values())):  # some are never used: their weight is 0, and their number may be anything
        used = np.unique(np.concatenate(list(indices.values())))
        columns, indices = len(used), {role: np.searchsorted(used, place) for role, place in indices.items()}
    parts = {
        role: Labelled(sp.csr_array((x.data, indices[role], x.indptr), shape=(len(y), columns)), y)
        for role, (x, y, _) in files.items()
    }
    return _source({role: str(path) for role, path in paths.items()}, parts, files["train"].spelling)


def npz_file(path: Path) -> Source:
    """A user's `.npz` (`data.npz`). Rows are flattened; bytes are taken for pixels and divided by 255."""
    read = read_npz(path)
    parts = {role: Labelled(_flat(part.x), part.y) for role, part in read.items()}
    shape = read["train"].x.shape[1:]
    picture = len(shape) == 2 or (len(shape) == 3 and bool({shape[0], shape[-1]} & {1, 3}))
    where = {role: str(path) if role == "train" else f"{path}: y_{role}" for role in parts}
    source = _source(where, parts, [str(value) for value in np.unique(parts["train"].y)])
    return source._replace(shape=shape if picture else None)


def picture_folder(path: Path) -> Source:
    """A user's pictures, train/CLASS/*.png, and optionally test/CLASS/*.png and val/CLASS/*.png, pixels / 255."""
    folders = {"train": image_folder(path / "train")}
    for role in parts_of(path):
        if role != "train":
            folders[role] = image_folder(path / role, folders["train"].shape)
    parts = {role: Labelled(_flat(folder.pixels), np.array(folder.classes)[folder.labels]) for role, folder in folders.items()}
    source = _source({role: str(path / role) for role in parts}, parts, folders["train"].classes)
    # The pictures of a class lie side by side: in that order the last 30% would be one class.
    return source._replace(shuffle=True, files=folders["train"].files, shape=folders["train"].shape)


def _source(where: Mapping[str, str], parts: Mapping[str, Labelled], spelling: Sequence[str]) -> Source:
    """A source of parts "train", "test" and "val"; without test rows, train is shuffled before some are cut.

    where: what an error calls each part. spelling: one per distinct label of train, ascending. Raises `InputError` unless train
    has two classes or more, and the other parts no more than these.
    """
    values = np.unique(parts["train"].y)
    several(where["train"], values, spelling)
    if not parts["train"].x.shape[1]:
        raise InputError(f"{where['train']}: has labels and no features; add features")
    built = {role: _part(x, places(where[role], y, values)) for role, (x, y) in parts.items()}
    return Source(built["train"], tuple(spelling), built.get("test"), built.get("val"), shuffle="test" not in built)


def torchvision_set(name: str, data_dir: Path) -> Source:
    """MNIST 1 against 7 or all ten digits, CIFAR-10 cat against dog, SVHN 1 against 7, pixels / 255.

    Of two classes the first is label 1.
    """
    if name == "mnist10":
        train, test = mnist(data_dir, "train"), mnist(data_dir, "t10k")
        parts = [_part(_flat(part.pixels), part.labels) for part in (train, test)]
        return Source(parts[0], tuple(map(str, range(10))), test=parts[1], shape=(28, 28))
    if name == "mnist":
        # Released: the first 100 rows of MNIST are left out.
        return _pair(mnist(data_dir, "train"), mnist(data_dir, "t10k"), 1, 7, skip=100)._replace(shape=(28, 28))
    if name == "svhn":
        return _pair(svhn(data_dir, "train"), svhn(data_dir, "test"), 1, 7)._replace(shape=(3, 32, 32))
    return _pair(cifar10(data_dir, "train"), cifar10(data_dir, "test"), 3, 5)._replace(shape=(3, 32, 32))


def _pair(train: Images, test: Images, positive: int, negative: int, skip: int = 0) -> Source:
    """The pictures of two classes; their index is the row among all classes."""
    parts = []
    for images, start in ((train, skip), (test, 0)):
        rows = np.flatnonzero(np.isin(images.labels, (positive, negative)))
        rows = rows[rows >= start]
        parts.append(Part(_flat(images.pixels[rows]), (images.labels[rows] == positive).astype(np.int64), rows))
    return Source(parts[0], (str(negative), str(positive)), test=parts[1])


def _part(x: Matrix, labels: np.ndarray) -> Part:
    """All rows of a file. labels: (n,) bool or integers."""
    return Part(compact(x), labels.astype(np.int64), np.arange(len(labels)))


def _flat(x: np.ndarray) -> Matrix:
    """Rows (n, ...) as (n, d) float64, bytes divided by 255."""
    matrix = compact(x.reshape(len(x), -1))
    if x.dtype == np.uint8:
        values = matrix.data if sp.issparse(matrix) else matrix
        values /= 255  # in place, of a copy: a CSR matrix itself would multiply by 1 / 255, which is not quite the same
    return matrix

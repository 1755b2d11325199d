"""The cells of the bench: sets with real or made noise, cut into training rows, trusted rows and test rows."""

import csv
import functools
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.special import softmax

from data.matrix import short_indices
from data.noise import redraw_labels
from data.public import digits, is_here, libsvm_set, wdbc
from influence.logistic import Matrix
from models.repair import RepairData
from models.soft_regression import fit_soft, one_hot

REAL_SETS = ("semeval", "trec", "sentiment", "music")
MADE_SETS = ("wdbc", "cancer", "diabetes", "digits10", "adult")
NOISE_RATES = {"symmetric": 0.3, "pairflip": 0.3, "one-sided": 0.4, "dependent": 0.2}  # of one-sided: of the labels that may change
TRUSTED = (30, 100, 300)
LARGE = ("semeval", "trec", "sentiment", "digits10", "adult")  # have 300 trusted rows and enough others
TEXT_COLUMNS = ("text", "entity1", "entity2", "between")  # a term of one is not a term of another
SHORT_TERMS = r"(?u)\b\w+\b"  # entities and the words between them keep words of one letter
MOST_ROWS = 8_000  # adult is thinned to these
TEST_SHARE = 0.35  # of the rows that are not trusted, of a set with made noise
WEAK_ROWS, WEAK_ROWS_PER_CLASS, WEAK_C = 20, 4, 0.1  # what the weak model of dependent noise is fitted to
CONSTANT = 1e-12  # added to a standard deviation: a constant column becomes 0


class CellConfig(NamedTuple):
    """What determines a cell."""

    dataset: str
    noise: str  # "real" or a key of NOISE_RATES
    trusted: int
    seed: int


class Cell(NamedTuple):
    """A problem of the bench. No method is given `true`, `x_test` or `test`."""

    data: RepairData
    true: np.ndarray  # (n,) true labels of the training rows
    x_test: Matrix
    test: np.ndarray  # true labels of the test rows


class RealSet(NamedTuple):
    """A set with real noise, as features."""

    x: Matrix  # (n, d)
    given: np.ndarray  # (n,)
    true: np.ndarray  # (n,)
    x_pool: Matrix
    pool: np.ndarray  # true labels
    classes: int


def cells(datasets: Sequence[str], count: int) -> list[CellConfig]:
    """All cells of these sets, seed after seed, 1 to `count`."""
    return [
        CellConfig(dataset, noise, trusted, seed)
        for seed in range(1, count + 1)
        for dataset in datasets
        for noise in noises(dataset)
        for trusted in TRUSTED
        if trusted < 300 or dataset in LARGE
    ]


def noises(dataset: str) -> tuple[str, ...]:
    """The kinds of noise that a set is tried with; pairflip is symmetric noise for two classes."""
    if dataset in REAL_SETS:
        return ("real",)
    return tuple(kind for kind in NOISE_RATES if kind != "pairflip" or dataset == "digits10")


def possible(dataset: str, data_dir: Path) -> bool:
    """Whether its files are there."""
    return real_path(dataset, data_dir).exists() if dataset in REAL_SETS else is_here(dataset, data_dir)


def real_path(dataset: str, data_dir: Path) -> Path:
    """The table of a set with real noise."""
    return data_dir / "real" / f"{dataset}.csv"


def make_cell(config: CellConfig, data_dir: Path) -> Cell:
    """The cell. The rows that are drawn depend on the seed and, of made noise, on the kind of it."""
    rng = np.random.default_rng([zlib.crc32(f"{config.dataset} {config.noise}".encode()), config.seed])
    if config.noise == "real":
        found = real_set(real_path(config.dataset, data_dir))
        trusted, test = np.split(rng.permutation(len(found.pool)), [config.trusted])
        x_trusted = short_indices(found.x_pool[trusted])
        data = RepairData(short_indices(found.x), found.given, x_trusted, found.pool[trusted], found.classes)
        return Cell(data, found.true, found.x_pool[test], found.pool[test])
    made = made_set(config.dataset, data_dir)
    order = rng.permutation(len(made.labels))
    size = int(TEST_SHARE * (len(order) - config.trusted))
    trusted, test, train = np.split(order, [config.trusted, config.trusted + size])
    x, true, x_trusted = short_indices(made.x[train]), made.labels[train], short_indices(made.x[trusted])
    data = RepairData(x, noisy_labels(x, true, made.classes, config.noise, rng), x_trusted, made.labels[trusted], made.classes)
    return Cell(data, true, made.x[test], made.labels[test])


class MadeSet(NamedTuple):
    """A set with true labels."""

    x: Matrix
    labels: np.ndarray
    classes: int


@functools.lru_cache(maxsize=1)
def made_set(dataset: str, data_dir: Path) -> MadeSet:
    """A built-in set, or one of LIBSVM's."""
    if dataset == "digits10":
        x, labels, _ = digits().train
        return MadeSet(x.reshape(len(labels), -1), labels, 10)
    x, labels, _ = (wdbc() if dataset == "wdbc" else libsvm_set(dataset, data_dir)).train
    rows = np.random.default_rng(0).permutation(len(labels))[:MOST_ROWS]
    return MadeSet(x[rows], labels[rows].astype(np.int64), 2)


@functools.lru_cache(maxsize=1)
def real_set(path: Path) -> RealSet:
    """A table with the columns part ("train" or "pool"), label, true_label, and others, whose training rows make the features."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    classes = sorted({row[name] for row in rows for name in ("label", "true_label")})
    train, pool = ([row for row in rows if row["part"] == part] for part in ("train", "pool"))

    def labels(part: Sequence[dict[str, str]], name: str) -> np.ndarray:
        return np.array([classes.index(row[name]) for row in part])

    x, x_pool = text_features(train, pool) if "text" in rows[0] else number_features(train, pool)
    return RealSet(x, labels(train, "label"), labels(train, "true_label"), x_pool, labels(pool, "true_label"), len(classes))


class PartFeatures(NamedTuple):
    """Of training rows and pool."""

    train: Matrix
    pool: Matrix


def text_features(train: Sequence[dict[str, str]], pool: Sequence[dict[str, str]]) -> PartFeatures:
    """TF-IDF of one- and two-word terms that at least 2 training rows have, sublinear; each column has terms of its own."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    parts: list[tuple[sp.csr_array, sp.csr_array]] = []
    for column in TEXT_COLUMNS:
        if column in train[0]:
            terms = {} if column == "text" else {"token_pattern": SHORT_TERMS}
            made = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2, **terms)
            parts.append((made.fit_transform([row[column] for row in train]), made.transform([row[column] for row in pool])))
    return PartFeatures(*(sp.csr_array(sp.hstack(columns)) for columns in zip(*parts, strict=True)))


def number_features(train: Sequence[dict[str, str]], pool: Sequence[dict[str, str]]) -> PartFeatures:
    """The columns named feature..., standardised by the training rows; a missing number becomes 0, its column's mean."""
    names = [name for name in train[0] if name.startswith("feature")]
    x, x_pool = (np.array([[float(row[name] or "nan") for name in names] for row in part]) for part in (train, pool))
    mean, spread = np.nanmean(x, axis=0), np.nanstd(x, axis=0) + CONSTANT
    return PartFeatures(np.nan_to_num((x - mean) / spread), np.nan_to_num((x_pool - mean) / spread))


def noisy_labels(x: Matrix, labels: np.ndarray, classes: int, kind: str, rng: np.random.Generator) -> np.ndarray:
    """Labels after made noise, (n,).

    none: as they are. symmetric, pairflip: `data.noise`. dependent: `dependent_labels`. one-sided: of the upper half of the
    classes each label, with probability 0.4, becomes that of the lower half: of two classes, 1 becomes 0.
    """
    if kind == "none":
        return labels
    if kind == "dependent":
        return dependent_labels(x, labels, classes, NOISE_RATES[kind], rng)
    if kind == "one-sided":
        chosen = (rng.random(len(labels)) < NOISE_RATES[kind]) & (labels >= (classes + 1) // 2)
        return np.where(chosen, labels - (classes + 1) // 2, labels)
    return redraw_labels(labels, classes, NOISE_RATES[kind], "pairflip" if kind == "pairflip" else "symmetric", rng).labels


def dependent_labels(x: Matrix, labels: np.ndarray, classes: int, rate: float, rng: np.random.Generator) -> np.ndarray:
    """The int(rate n) rows to which a weak model gives another label with most confidence get that label.

    The model is fitted to few rows and half of the columns.
    """
    n, columns = len(labels), rng.permutation(x.shape[1])[: max(2, x.shape[1] // 2)]
    few = rng.permutation(n)[: max(WEAK_ROWS, WEAK_ROWS_PER_CLASS * classes)]
    some = x[:, columns]
    weights = fit_soft(some[few], one_hot(labels[few], classes), WEAK_C, np.ones(len(few)))
    p = softmax(some @ weights.T, axis=1)
    own = p[np.arange(n), labels]
    p[np.arange(n), labels] = -1.0
    chosen = np.argsort(own - p.max(axis=1), kind="stable")[: int(rate * n)]
    changed = labels.copy()
    changed[chosen] = p[chosen].argmax(axis=1)
    return changed

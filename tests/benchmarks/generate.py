"""Stand-ins for public data.

Of real-sim's shape: 72,309 documents, 20,958 words, about 51 different words a document, tf-idf, unit rows.
Of text and of tables with classes, of any shape; and of pictures of 32 x 32 x 3 pixels with classes.
Of avazu's shape: 15 values a row, one for each categorical field, all equal, unit rows, a million columns.
"""

from pathlib import Path

import numpy as np
import scipy.sparse as sp
from sklearn.datasets import dump_svmlight_file

ROWS, COLUMNS, WORDS = 72_309, 20_958, 51.3
FIELDS, CATEGORIES = 15, 66_666  # avazu's values a row, and its columns over that
SIDE = 32  # pixels of a picture's side
CHUNK = 100_000  # rows that are written at a time
DRAWN_PER_KEPT = 1.17  # words drawn for each that is different from the others of its document


def real_sim_like(generator: np.random.Generator) -> tuple[sp.csr_array, np.ndarray]:
    """Words drawn by Zipf's law, tilted by class: rank r has the weight exp(+-t_r) / (r + 20), t_r normal with sd 0.5."""
    labels = generator.random(ROWS) < 0.307  # real-sim's share of +1
    counts = generator.poisson(DRAWN_PER_KEPT * WORDS - 1, ROWS) + 1
    tilt = 0.5 * generator.standard_normal(COLUMNS)
    words = np.empty(counts.sum(), dtype=np.int32)
    for label in (False, True):
        weight = np.exp(tilt if label else -tilt) / (np.arange(COLUMNS) + 21)
        drawn = np.repeat(labels == label, counts)
        words[drawn] = np.searchsorted(np.cumsum(weight) / weight.sum(), generator.random(int(drawn.sum())))
    x = sp.csr_array((np.ones(len(words)), (np.repeat(np.arange(ROWS), counts), np.minimum(words, COLUMNS - 1))), (ROWS, COLUMNS))
    x.sum_duplicates()
    x.indices, x.indptr = x.indices.astype(np.int32), x.indptr.astype(np.int32)  # what scikit-learn's writer takes
    idf = np.log(ROWS / np.maximum(1, np.bincount(x.indices, minlength=COLUMNS)))
    x.data = (1 + np.log(x.data)) * idf[x.indices]
    x.data /= np.repeat(np.sqrt(np.add.reduceat(x.data**2, x.indptr[:-1])), np.diff(x.indptr))
    return x, np.where(labels, 1, -1)


def text_like(
    shape: tuple[int, int], classes: int, words: float, noise: float, generator: np.random.Generator
) -> tuple[sp.csr_array, np.ndarray]:
    """Documents of so many words, tf-idf, unit rows, and labels, a share of which is redrawn.

    Zipf's law, tilted by class: rank r has the weight exp(t_r) / (r + 20), t_r normal with sd 0.7.
    """
    (rows, columns), truth = shape, generator.integers(0, classes, shape[0])
    of_row = np.repeat(np.arange(rows), generator.poisson(words - 1, rows) + 1)
    places, word = generator.random(len(of_row)), np.empty(len(of_row), dtype=np.int64)
    for k in range(classes):
        total = np.cumsum(np.exp(0.7 * generator.standard_normal(columns)) / (np.arange(columns) + 21))
        drawn = truth[of_row] == k
        word[drawn] = np.searchsorted(total / total[-1], places[drawn])
    x = sp.csr_array((np.ones(len(word)), (of_row, np.minimum(word, columns - 1))), shape)
    x.sum_duplicates()
    x.data *= (np.log((1 + rows) / (1 + np.bincount(x.indices, minlength=columns))) + 1)[x.indices]
    x.data /= np.repeat(np.sqrt(np.add.reduceat(x.data**2, x.indptr[:-1])), np.diff(x.indptr))
    return x, np.where(generator.random(rows) < noise, generator.integers(0, classes, rows), truth)


def table_like(shape: tuple[int, int], classes: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Columns of numbers that depend on one another, of unit variance, and labels drawn by softmax regression of them.

    The k-th of the independent parts that the columns are mixed of has a standard deviation of 1 / sqrt(k).
    """
    rows, columns = shape
    mixing = generator.standard_normal((columns, columns)) / np.sqrt(1 + np.arange(columns))[:, None]
    x = generator.standard_normal(shape) @ mixing
    x /= x.std(axis=0)
    scores = x @ generator.standard_normal((columns, classes)) / np.sqrt(columns)
    return x, (scores + 0.5 * generator.gumbel(size=(rows, classes))).argmax(axis=1)


def pictures_like(rows: int, classes: int, noise: float, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Pictures in [0, 1], (rows, 3,072), and labels, a share of which is redrawn.

    Fields whose amplitude falls as 1 / frequency, as that of photographs does, mostly the same in all three colours, with half a
    field of the class.
    """
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE))
    frequency[0, 0] = 1 / SIDE

    def fields(count: int) -> np.ndarray:
        white = generator.standard_normal((count, 3, SIDE, SIDE))
        smooth = np.fft.irfft2(np.fft.rfft2(white) / frequency, s=(SIDE, SIDE))
        coloured = 1.5 * smooth.mean(axis=1, keepdims=True) + 0.5 * smooth
        return (coloured / coloured.std()).reshape(count, -1)

    truth, of_class = generator.integers(0, classes, rows), fields(classes)
    x = np.clip(0.5 + 0.25 * (fields(rows) + 0.5 * of_class[truth]), 0, 1)
    return x, np.where(generator.random(rows) < noise, generator.integers(0, classes, rows), truth)


def write_real_sim_like(folder: Path, generator: np.random.Generator) -> Path:
    """Write it where `RDIA.py --dataset realsim --data_dir FOLDER` finds it."""
    path = folder / "libsvm" / "real-sim"
    path.parent.mkdir(parents=True, exist_ok=True)
    dump_svmlight_file(*real_sim_like(generator), str(path), zero_based=False)
    return path


def write_avazu_like(path: Path, rows: int, generator: np.random.Generator, classes: int = 2) -> Path:
    """A LIBSVM file of so many rows: the r-th category of a field has a probability of about 1 / r, and each a weight.

    Of more than two classes each category has a weight for each, and the class is drawn by their softmax.
    """
    value = f"{FIELDS**-0.5:.6f}"
    names = np.array([f" {column}:{value}".encode() for column in range(1, FIELDS * CATEGORIES + 1)], dtype=object)
    weights = 1 if classes == 2 else classes
    tilt = 0.7 * np.random.default_rng(0).standard_normal((FIELDS * CATEGORIES, weights))  # the same for every file
    with path.open("wb") as file:
        for start in range(0, rows, CHUNK):
            n = min(CHUNK, rows - start)
            ranks = np.minimum(CATEGORIES ** generator.random((n, FIELDS)), CATEGORIES - 1).astype(np.int64) - 1
            columns = ranks + CATEGORIES * np.arange(FIELDS)
            logits = tilt[columns].sum(axis=1)  # (n, weights)
            if classes == 2:
                labels = np.where(generator.random(n) < 1 / (1 + np.exp(1.5 - logits[:, 0])), b"1", b"-1").astype(object)
            else:
                drawn = (logits + generator.gumbel(size=logits.shape)).argmax(axis=1)
                labels = np.array([str(k).encode() for k in range(classes)], dtype=object)[drawn]
            table = np.column_stack([labels, names[columns], np.full(n, b"\n", dtype=object)])
            file.write(b"".join(table.ravel().tolist()))
    return path

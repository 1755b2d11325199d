"""What reads inputs from outside: for each reader good inputs, and how the program uses one."""

import contextlib
import functools
import io
import json
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from PIL import Image

from data.dataset import load, load_pictures
from data.errors import InputError
from data.libsvm import line_ranges, pieces, read_libsvm, read_on_disk, read_range
from data.pictures import picture_folder
from data.public import MNIST_MD5, mnist_part
from Figure.lines import Run, Store
from models.devices.ranks import ALONE
from models.training import Epoch, snapshot
from page.render import html_page
from page.review import load_review, save_review
from run.checkpoint import Checkpoint, save_checkpoint
from run.decisions import read_decisions
from run.ls_flags import ls_config, ls_parser
from run.prepare import prepare
from run.rdia_ls import resumed
from run.training_config import CHECKPOINT
from tests.fuzz.mutate import PACKERS
from tests.invoke import script
from tests.reviews import a_review

TEXT = b"+1 1:0.5 3:-2 # one\n-1 2:1e-3 4:7\n\n+1 qid:3 1:1 2:2 3:3\n-1 4:0.25\n" * 3
Named = tuple[str, bytes]  # a file's name and content


class Target(NamedTuple):
    """One reader."""

    good: Callable[[], list[Named]]
    use: Callable[[Path], object]  # what is done with a file of that name in a folder of its own; bad input is an `InputError`


def _packed(name: str, data: bytes) -> list[Named]:
    return [(name, data), *((f"{name}{suffix}", pack(data)) for suffix, (_, pack) in PACKERS.items())]


def _libsvm() -> list[Named]:
    return [*_packed("a.svm", TEXT), ("a.svm", b"0 0:1\n1 1:1\n2 5:1e300\n" * 4), ("a.svm", b"\xef\xbb\xbf1 1:1\r\n0 2:1\r\n" * 6)]


def _use_libsvm(path: Path) -> None:
    """As RDIA.py does, without its cache."""
    try:
        load(str(path), path.parent, 1)
    finally:
        path.with_name(f"{path.name}.rdia-cache.npz").unlink(missing_ok=True)


def _tables() -> list[Named]:
    rows = "".join(
        f'u{i},{i % 7}.5,{"Rome" if i % 3 else ""},2021-0{1 + i % 9}-11,"words, and more {i}",{i % 2}\n' for i in range(12)
    )
    text = f"id,size,city,day,remark,label\n{rows}".encode()
    lines = "".join(json.dumps({"size": i % 5, "city": None if i == 3 else "Oslo", "label": f"c{i % 2}"}) + "\n" for i in range(9))
    semicolons = b"\xef\xbb\xbfsep=;\nsize;colour;y\n" + b"1,5;red;0\n2,5;blue;1\n" * 5
    return [
        *_packed("a.csv", text),
        ("a.csv", semicolons),
        ("a.tsv", text.replace(b",", b"\t")),
        *_packed("a.jsonl", lines.encode()),
    ]


def _use_table(path: Path) -> None:
    load(str(path), path.parent, 1)


def _use_blocks(path: Path) -> None:
    for _ in pieces(path, 40):
        pass
    if path.suffix == ".svm":
        for ends in line_ranges(path, 3):
            read_range(path, *ends)
    load(str(path), path.parent, 1, read=lambda file: read_on_disk(file, 3))


def _cache() -> list[Named]:
    """The cache of a file that is always the same."""
    path = Path("a.svm")
    _text_of_cache(path)
    read_libsvm(path)
    cache = Path("a.svm.rdia-cache.npz")
    content = cache.read_bytes()
    cache.unlink()
    return [(cache.name, content)]


def _text_of_cache(path: Path) -> None:
    path.write_bytes(TEXT)


def _use_cache(path: Path) -> None:
    text = path.with_name("a.svm")
    _text_of_cache(text)
    read = read_libsvm(text)
    read.x @ np.ones(read.x.shape[1])
    load(str(text), text.parent, 1)


def _npz() -> list[Named]:
    rng = np.random.default_rng(0)
    y = np.arange(20) % 3
    names = y.astype(str)
    bytes_of: list[dict[str, np.ndarray]] = [
        {"x_train": rng.random((20, 4)), "y_train": y},
        {"x_train": np.zeros((20, 3, 3), np.uint8), "y_train": names, "x_test": np.ones((6, 3, 3), np.uint8), "y_test": names[:6]},
        {"x_train": rng.random((20, 2)).astype(np.float32), "y_train": y == 1, "x_val": rng.random((4, 2)), "y_val": y[:4] == 1},
        {"x_train": np.asfortranarray(rng.integers(-5, 5, (20, 2))), "y_train": y.astype(np.float64)},
    ]
    return [("a.npz", _saved(save, arrays)) for arrays in bytes_of for save in (np.savez, np.savez_compressed)]


def _saved(save: Callable[..., None], arrays: dict[str, np.ndarray]) -> bytes:
    content = io.BytesIO()
    save(content, **arrays)
    return content.getvalue()


def _use_npz(path: Path) -> None:
    for read in (load, load_pictures):
        read(str(path), path.parent, 1)


@functools.cache
def _sparse() -> list[Named]:
    """Of each set, rows and trusted rows, each with its labels."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 200, (20, 5)) * (rng.random((20, 5)) < 0.4), np.arange(20) % 3
    found = []
    for stem, make, dtype, labels in (
        ("a", sp.csr_array, np.float64, y),
        ("b", sp.csc_array, np.int32, y.astype(str)),
        ("c", sp.csr_array, np.uint8, y.astype("S1")),
        ("d", sp.csc_array, bool, y == 1),
    ):
        for name, rows in ((stem, slice(20)), (f"{stem}.val", slice(10))):
            kept, beside = io.BytesIO(), io.BytesIO()
            sp.save_npz(kept, make(x[rows].astype(dtype)), compressed=stem < "c")
            np.save(beside, labels[rows])
            found += [(f"{name}.npz", kept.getvalue()), (f"{name}.labels.npy", beside.getvalue())]
    return found


def _use_sparse(path: Path) -> None:
    """With the other three files of its set."""
    stem = path.name[0]
    for name, content in _sparse():
        if name[0] == stem and name != path.name:
            path.with_name(name).write_bytes(content)
    _use_npz(path.with_name(f"{stem}.npz"))


def _pictures() -> list[Named]:
    grey = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))
    found = []
    for kind in ("png", "jpeg", "bmp", "gif", "tiff", "webp"):
        for picture in (grey, grey.convert("RGB"), grey.convert("P"), grey.convert("1")):
            content = io.BytesIO()
            with contextlib.suppress(OSError):  # not every kind takes every mode
                picture.save(content, kind)
                found.append((f"a.{kind}", content.getvalue()))
    deep = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000).save(deep, "png")
    return [*found, ("a.png", deep.getvalue())]


def _use_picture(path: Path) -> None:
    """As the first picture of a folder, and as the last."""
    for name in ("a", "z"):
        for label, count in ((name, 1), ("m", 4), ("n", 4)):
            folder = path.parent / name / "train" / label
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(count if label != name else 0):
                if not (folder / f"{number}.png").exists():
                    Image.fromarray(np.full((8, 8), number, dtype=np.uint8)).save(folder / f"{number}.png")
        placed = path.parent / name / "train" / name / path.name
        placed.write_bytes(path.read_bytes())
        try:
            picture_folder(path.parent / name)
        except InputError:
            if name == "z":
                raise
        finally:
            placed.unlink()


def _idx() -> list[Named]:
    pictures = bytes([0, 0, 8, 3, 0, 0, 0, 5, 0, 0, 0, 28, 0, 0, 0, 28]) + bytes(5 * 784)
    labels = bytes([0, 0, 8, 1, 0, 0, 0, 5, 1, 7, 1, 7, 1])
    names = [name for name in MNIST_MD5 if name.startswith("t10k")]
    return [pair for name, data in zip(names, (pictures, labels), strict=True) for pair in _packed(name, data)[:2]]


def _use_idx(path: Path) -> None:
    raw = path.parent / "MNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for name, data in [*_idx()[::2], (path.name, path.read_bytes())]:
        for old in (raw / name.removesuffix(".gz"), raw / f"{name.removesuffix('.gz')}.gz"):
            old.unlink(missing_ok=True)
        (raw / name).write_bytes(data)
    mnist_part(raw, "t10k").x.sum()


DECIDED = b"""run,index,given,decided,when
a=b&data=1,%d,1,7,2024-01-01
a=b&data=1,%d,7,7,
"""


@functools.cache
def _dataset() -> Any:
    return load("digits", Path(), 1)


def _decisions() -> list[Named]:
    rows, labels = _dataset().train.rows, _dataset().train.labels
    text = DECIDED % (rows[labels == 1][0], rows[labels == 0][0])
    return [("a.csv", text), ("a.csv", b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n")), ("a.csv", text.replace(b"7,7", b'"7","7"'))]


def _use_decisions(path: Path) -> None:
    dataset = _dataset()
    read_decisions(path, "a=b&data=1", dataset, dataset.train.labels)


def _lines() -> list[Named]:
    line = json.dumps({"config": {"dataset": "digits", "noise": 0.4, "seed": 1}, "loss": 0.25, "curve": [1.0, None]}).encode()
    return [("made.jsonl", line + b"\n" + line.replace(b"1,", b"2,") + b"\n"), ("made.1-of-2.jsonl", line + b"\n" + line[:30])]


def _use_lines(path: Path) -> None:
    store = Store(path.parent)
    run = Run("made", {"dataset": "digits", "noise": 0.4, "seed": 1}, lambda _: {})
    store.missing([run])
    store.lines([run])


LS = ("--n_epoch", "2", "--batch_size", "700")


@functools.cache
def _started() -> Any:
    """A run's configuration, its state at epoch 0 and the digest of its data."""
    config = ls_config(ls_parser().parse_args(LS))
    ready = prepare(config, torch.device("cpu"))
    return config, ready.state, ready.digest


def _checkpoint() -> list[Named]:
    config, state, read = _started()
    lines = [Epoch(0, None, 10.0, [None, 50.0], 0.5, 0.5)._asdict()]
    save_checkpoint(Path(), Checkpoint(config.flat(), read, lines, snapshot(state)))
    return [(CHECKPOINT, Path(CHECKPOINT).read_bytes())]


def _use_checkpoint(path: Path) -> None:
    config, state, read = _started()
    resumed(path.parent, config, read, state, ALONE)


def _audit() -> list[Named]:
    save_review(a_review(12, 3, shape=(4, 4)), Path())
    first = Path("audit.npz").read_bytes()
    save_review(a_review(12, 2), Path())
    return [("audit.npz", first), ("audit.npz", Path("audit.npz").read_bytes())]


def _use_audit(path: Path) -> None:
    html_page(load_review(path.parent))


def stop(*_: object, **__: object) -> None:
    raise InputError("the flags are good: the work would begin")


# What a script calls once its flags are read.
WORK = ("run", "run_training", "make", "reader", "writable_folder", "ready_folder", "page_path")


@functools.cache
def _stopped(name: str) -> Any:
    """A script that reads its flags and stops."""
    module = script(name)
    for work in WORK:
        if hasattr(module, work):
            setattr(module, work, stop)
    return module


def _flags(lines: Sequence[bytes]) -> list[Named]:
    return [("flags.txt", line) for line in lines]


def _use_flags(path: Path, name: str) -> None:
    """Read the command line that a file holds."""
    try:
        words = shlex.split(path.read_bytes().decode("utf-8", "surrogateescape"))
    except ValueError:
        return  # no command line
    if any("\0" in word for word in words):
        return  # nor is this
    with _argv(f"{name}.py", words), contextlib.redirect_stdout(io.StringIO()):
        ended(_stopped(name))


def ended(module: Any) -> None:
    """Call a script: it has to end well, or with status 2 and one line."""
    err = io.StringIO()
    status: object = 0
    with contextlib.redirect_stderr(err):
        try:
            module.cli()
        except SystemExit as end:
            status = end.code
    lines = err.getvalue().splitlines()
    if status not in {0, None} and (status != 2 or len(lines) != 1):
        raise AssertionError(f"status {status} and {len(lines)} lines: {err.getvalue()[:500]}")


@contextlib.contextmanager
def _argv(name: str, words: list[str]) -> Iterator[None]:
    before, sys.argv = sys.argv, [name, *words]
    try:
        yield
    finally:
        sys.argv = before


RDIA_FLAGS = (
    b"--dataset mnist --noise 0.8 --alpha 0.0002 --seed 3 --json",
    b"--dataset digits10 --relabel best --alpha auto --model mlp --damping 0.1 --n_epoch 3 --C 1",
    b"--dataset a.svm --block_rows 100 --dask tcp://a:1 --audit a.html --labels a.csv --result_dir out --quiet",
    b"--solver lissa --model cnn --gpu 0 --validation test --n_validation 20",
)
LS_FLAGS = (
    b"--result_dir out --dataset cifar10 --noise_rate 0.8 --weight_decay 0 --gamma 0.05 --gpu 1",
    b"--recipe fast --warmup balanced --forget_rate 0.2 --discard_rate 0.1 --n_epoch 4 --num_gradual 10 --init_epoch 3 --resume",
    b"--noise_type pairflip --method sigua --objective corrected --average 0.1 --network mlp --optimizer sgd --lr 0.1",
    b"--print_freq 50 --num_workers 4 --batch_size 32 --epoch_decay_start 80 --amp --seed 1 --json --quiet",
)
SWEEP_FLAGS = (
    b"alpha noise --jobs 2 --seeds 3 --data_dir data --result_dir out",
    b"all --kept --shard 2/3",
    b"deep --dask tcp://a:1 --seeds 10",
)
TARGETS = {
    "libsvm": Target(_libsvm, _use_libsvm),
    "blocks": Target(_libsvm, _use_blocks),
    "table": Target(_tables, _use_table),
    "cache": Target(_cache, _use_cache),
    "npz": Target(_npz, _use_npz),
    "sparse": Target(_sparse, _use_sparse),
    "pictures": Target(_pictures, _use_picture),
    "idx": Target(_idx, _use_idx),
    "decisions": Target(_decisions, _use_decisions),
    "lines": Target(_lines, _use_lines),
    "checkpoint": Target(_checkpoint, _use_checkpoint),
    "audit": Target(_audit, _use_audit),
    "flags": Target(functools.partial(_flags, RDIA_FLAGS), functools.partial(_use_flags, name="RDIA")),
    "flags-ls": Target(functools.partial(_flags, LS_FLAGS), functools.partial(_use_flags, name="RDIA-LS")),
    "flags-sweep": Target(functools.partial(_flags, SWEEP_FLAGS), functools.partial(_use_flags, name="Figure/reproduce")),
}

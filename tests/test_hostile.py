"""Input that is hostile, or only odd: nothing of it is run, and nothing of it ends in a traceback."""

import contextlib
import io
import json
import os
import pickle
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image

import page.__main__
from data.errors import InputError
from data.libsvm import read_libsvm
from data.pictures import read_folder
from data.public import MNIST_MD5
from models.training import Epoch
from run.checkpoint import Checkpoint, read_checkpoint, save_checkpoint
from run.drawing import plain
from run.training_config import CHECKPOINT
from tests.invoke import Ended, Invoke, script

RUN = {"RDIA.py": script("RDIA"), "RDIA-LS.py": script("RDIA-LS"), "page": page.__main__}


class Planted:
    """Once unpickled, has made a file."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.system, (f"echo > {self._trace}",)


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Calls a script by its name."""
    return lambda name, *flags: Invoke(RUN[name], name, monkeypatch, capsys)(*flags)


def as_arrays(content: bytes, name: str) -> bytes:
    """An archive whose one member is a pickle."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(name, content)
    return archive.getvalue()


PUBLIC = {
    "cifar10": ("cifar-10-batches-py/data_batch_1",),
    "svhn": ("train_32x32.mat",),
    "mnist": tuple(f"MNIST/raw/{name}" for name in MNIST_MD5),
}


def places(folder: Path, trace: Path) -> Iterator[tuple[str, ...]]:
    """Plants a pickle where a user could put a file, and gives the command that comes across it."""
    raw = pickle.dumps(Planted(trace))
    objects = io.BytesIO()
    np.save(objects, np.array([Planted(trace)], dtype=object), allow_pickle=True)
    old, new = io.BytesIO(), io.BytesIO()
    torch.save({"config": Planted(trace)}, old, _use_new_zipfile_serialization=False)
    torch.save({"config": Planted(trace)}, new)
    forms = {"raw": raw, "objects": objects.getvalue(), "old": old.getvalue(), "new": new.getvalue()}
    forms |= {f"in {name}": as_arrays(content, "x_train.npy") for name, content in forms.items()}
    for form, content in forms.items():
        place = folder / form
        place.mkdir()
        for name in ("a.npz", "a.svm", "a.csv", "audit.npz", CHECKPOINT, "results.jsonl", "epochs.jsonl"):
            (place / name).write_bytes(content)
        yield "RDIA.py", "--dataset", str(place / "a.npz")
        yield "RDIA-LS.py", "--dataset", str(place / "a.npz")
        yield "RDIA.py", "--dataset", str(place / "a.svm")
        yield "RDIA.py", "--dataset", str(place / "a.svm"), "--block_rows", "5"
        yield "RDIA.py", "--dataset", "digits", "--labels", str(place / "a.csv")
        yield "RDIA-LS.py", "--result_dir", str(place), "--resume"
        yield "RDIA-LS.py", "--result_dir", str(place)
        yield "page", str(place), str(place / "page.html")
        good = folder / f"{form}.svm"
        good.write_text("1 1:1\n0 2:1\n" * 10)
        Path(f"{good}.rdia-cache.npz").write_bytes(content)
        yield "RDIA.py", "--dataset", str(good), "--quiet"
        for public, names in PUBLIC.items():
            for name in names:
                (place / public / name).parent.mkdir(parents=True, exist_ok=True)
                (place / public / name).write_bytes(content)
            yield "RDIA.py", "--dataset", public, "--data_dir", str(place / public)
        pictures = place / "pictures" / "train" / "a"
        pictures.mkdir(parents=True)
        (pictures / "a.png").write_bytes(content)
        yield "RDIA.py", "--dataset", str(place / "pictures")


def test_a_pickle_is_run_from_no_place_where_a_user_could_put_a_file(
    tmp_path: Path, call: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise URLError("no network here")

    monkeypatch.setattr("torchvision.datasets.utils._get_redirect_url", no_network)
    trace = tmp_path / "ran"
    for command in places(tmp_path, trace):
        ended = call(*command)
        assert not trace.exists(), command
        if command[-1] == "--quiet":  # a cache that cannot be used is made anew
            assert (ended.status, ended.err) == (0, "")
        else:
            assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1), (command, ended)
    pickle.loads(pickle.dumps(Planted(trace)))
    assert trace.exists()


@pytest.mark.parametrize("kind", ["EPS", "PDF", "ICO", "PPM"])
def test_a_picture_of_a_kind_that_is_not_named_is_refused_whatever_its_name(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "cat"
    folder.mkdir()
    Image.new("RGB", (16, 16)).save(folder / "a.png", kind)
    with pytest.raises(InputError, match=r"a\.png: cannot be read as a picture"):
        read_folder(tmp_path)


def test_a_picture_that_claims_to_be_huge_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    folder = tmp_path / "cat"
    folder.mkdir()
    content = io.BytesIO()
    Image.new("1", (9000, 9000)).save(content, "png")
    (folder / "a.png").write_bytes(content.getvalue())
    with pytest.raises(InputError, match=r"a\.png: .*9000 by 9000 pixels are too many, expected at most 67,108,864"):
        read_folder(tmp_path)


@pytest.mark.parametrize("index", ["2147483648", "4611686018427387904", "9" * 30])
def test_an_index_that_is_too_large_is_named_and_costs_no_memory(index: str, tmp_path: Path) -> None:
    path = tmp_path / "a.svm"
    path.write_text(f"1 1:1\n0 {index}:1\n")
    with pytest.raises(InputError, match=r"line 2 is .*, indices ascending and below 2147483647"):
        read_libsvm(path)


LINES = [Epoch(0, None, 10.0, [50.0, None], 0.5, None)._asdict()]


def test_a_checkpoint_any_part_of_which_is_damaged_or_missing_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, Checkpoint({"n_epoch": 3}, "", LINES, {"network": {"w": torch.zeros(3)}}))
    path = tmp_path / CHECKPOINT
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    read = 0
    for name, content in members.items():
        for damaged in (None, b"", b"\xff" * 20, content[: len(content) // 2]):
            with zipfile.ZipFile(path, "w") as archive:
                for member, kept in {**members, name: damaged}.items():
                    if kept is not None:
                        archive.writestr(member, kept)
            with contextlib.suppress(InputError):  # not all that torch writes is needed to read it
                read_checkpoint(tmp_path)
                read += 1
    assert read < 3 * len(members)


@pytest.mark.parametrize(
    ("config", "lines"),
    [([], []), ({}, []), ({"n_epoch": "3"}, []), ({"n_epoch": 0}, LINES), ({"n_epoch": 3}, [{}]), ({"n_epoch": 3}, 7)],
)
def test_a_checkpoint_that_is_not_a_runs_is_refused(config: object, lines: object, tmp_path: Path) -> None:
    save_checkpoint(tmp_path, Checkpoint(config, "", lines, {}))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="is damaged, or was written by another version"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize("flag", ["--dataset", "--labels", "--block_rows"])
def test_a_pipe_or_a_device_is_refused_and_not_waited_for(flag: str, tmp_path: Path, call: Callable[..., Ended]) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        flags = {"--labels": ("--dataset", "digits", flag, path), "--block_rows": ("--dataset", path, flag, 5)}
        ended = call("RDIA.py", *flags.get(flag, (flag, path)))
        assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert f"{path}: is a pipe or a device" in ended.err


NAMES = (b"a\xff", "猫 $x_$".encode(), b"new\nline", b"=1+1")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a file name is text")
def test_file_names_may_be_any_bytes(tmp_path: Path, call: Callable[..., Ended]) -> None:
    rng = np.random.default_rng(0)
    for name in NAMES:
        folder = tmp_path / "set" / "train" / os.fsdecode(name)
        folder.mkdir(parents=True)
        for number in range(10):
            picture = Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8))
            picture.save(folder / os.fsdecode(b"%d\xfe.png" % number))
    out = tmp_path / "out"
    given = ("--dataset", tmp_path / "set", "--result_dir", out)
    ended = call("RDIA.py", *given, "--audit", tmp_path / "page.html", "--relabel", "best")
    assert ended.status == 0, ended.err
    assert b"a\xff" in (out / "relabeled.csv").read_bytes()
    assert b"\xfe.png" in (out / "relabeled.csv").read_bytes()
    assert {"relabeled.csv", "results.jsonl", "phi.png", "gallery.png"} <= {path.name for path in out.iterdir()}
    ended = call("RDIA-LS.py", *given, "--batch_size", 8, "--n_epoch", 1, "--json")
    assert (ended.status, json.loads(ended.out)["epochs"]) == (0, 1)


def test_a_text_from_outside_is_drawn_as_it_is() -> None:
    assert plain("a $x_2$ \udcff") == r"a \$x_2\$ ?"

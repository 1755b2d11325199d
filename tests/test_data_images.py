import gzip
import hashlib
import os
import pickle
import pickletools
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from PIL import Image

from data import images
from data.errors import InputError
from data.images import cifar10, cifar100, image_folder, mnist, svhn

Pack = Callable[[bytes], bytes]
GZIP_OR_NOT: list[tuple[str, Pack]] = [("", bytes), (".gz", gzip.compress)]


def some_bytes(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


# --- IDX


def idx(array: np.ndarray) -> bytes:
    """As LeCun's page has it: the magic number 0x0000_08_dd, dd sizes, all of 32 bits, high byte first, then the bytes."""
    return struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape) + array.tobytes()


def write_idx(data_dir: Path, pixels: bytes, labels: bytes, suffix: str = "") -> Path:
    folder = data_dir / "MNIST" / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"train-labels-idx1-ubyte{suffix}").write_bytes(labels)
    path = folder / f"train-images-idx3-ubyte{suffix}"
    path.write_bytes(pixels)
    return path


@pytest.mark.parametrize(("suffix", "pack"), GZIP_OR_NOT)
def test_idx_pictures_come_as_rows_with_their_labels(suffix: str, pack: Pack, tmp_path: Path) -> None:
    pixels, labels = some_bytes(4, 2, 3), np.array([5, 0, 255, 1], dtype=np.uint8)
    write_idx(tmp_path, pack(idx(pixels)), pack(idx(labels)), suffix)
    images = mnist(tmp_path, "train")
    assert images.pixels.tolist() == pixels.reshape(4, 6).tolist()
    assert images.labels.tolist() == [5, 0, 255, 1]


IDX = idx(some_bytes(4, 2, 3))
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
    path = write_idx(tmp_path, pack(content), pack(idx(some_bytes(4))), suffix)
    with pytest.raises(InputError, match=f"{path.name}: .*remove it, and it is fetched again$"):
        mnist(tmp_path, "train")


@pytest.mark.parametrize("content", [gzip.compress(IDX)[:-9], IDX, gzip.compress(IDX)[:12] + bytes(30)])
def test_a_damaged_gz_is_named(content: bytes, tmp_path: Path) -> None:
    write_idx(tmp_path, content, gzip.compress(idx(some_bytes(4))), ".gz")
    with pytest.raises(InputError, match=r"train-images-idx3-ubyte\.gz: cannot be read"):
        mnist(tmp_path, "train")


def test_a_label_too_few_is_refused(tmp_path: Path) -> None:
    write_idx(tmp_path, IDX, idx(some_bytes(3)))
    with pytest.raises(InputError, match=r"holds \(4, 6\) uint8 pixels and \(3,\) labels"):
        mnist(tmp_path, "train")


# --- CIFAR-10


def python2(batch: object) -> bytes:
    """A pickle as the published batches are: protocol 2, and bytes are strings, as they were in Python 2."""
    content = bytearray(pickle.dumps(batch, protocol=3))
    strings = {"BINBYTES": pickle.BINSTRING, "SHORT_BINBYTES": pickle.SHORT_BINSTRING}
    for opcode, _, place in pickletools.genops(bytes(content)):
        if place and opcode.name in strings:
            content[place : place + 1] = strings[opcode.name]
    content[1] = 2
    return bytes(content).replace(b"numpy._core.multiarray\n", b"numpy.core.multiarray\n")


def protocol(number: int) -> Callable[[object], bytes]:
    return lambda batch: pickle.dumps(batch, protocol=number)


Write = Callable[..., None]


@pytest.fixture
def write_batches(monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes batches, which then pass for the published ones."""

    def write(data_dir: Path, contents: dict[str, bytes], folder: str = "cifar-10-batches-py") -> None:
        (data_dir / folder).mkdir()
        for name, content in contents.items():
            (data_dir / folder / name).write_bytes(content)
            monkeypatch.setitem(images.CIFAR_MD5, name, hashlib.md5(content).hexdigest())

    return write


@pytest.mark.parametrize("dump", [python2, protocol(3), protocol(4)], ids=["Python 2", "protocol 3", "protocol 4"])
def test_cifar_batches_come_one_after_another(dump: Callable[[object], bytes], write_batches: Write, tmp_path: Path) -> None:
    pixels, labels = some_bytes(6, 2, 3072), np.arange(12).reshape(6, 2) % 10
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    batches = [
        {"batch_label": name, "labels": rows.tolist(), "data": part, "filenames": ["cat.png", "dog.png"]}
        for name, part, rows in zip(names, pixels, labels, strict=True)
    ]
    write_batches(tmp_path, {name: dump(batch) for name, batch in zip(names, batches, strict=True)})
    train, test = cifar10(tmp_path, "train"), cifar10(tmp_path, "test")
    assert train.pixels.tolist() == pixels[:5].reshape(10, 3072).tolist()
    assert train.labels.tolist() == labels[:5].ravel().tolist()
    assert test.pixels.tolist() == pixels[5].tolist()
    assert test.labels.tolist() == labels[5].tolist()


def test_cifar100_has_fine_labels(write_batches: Write, tmp_path: Path) -> None:
    pixels = some_bytes(2, 2, 3072)
    fine, coarse = {"train": [99, 7], "test": [0, 41]}, [1, 2]
    batches = {
        part: python2({"data": rows, "fine_labels": fine[part], "coarse_labels": coarse})
        for part, rows in zip(fine, pixels, strict=True)
    }
    write_batches(tmp_path, batches, "cifar-100-python")
    for part, rows in zip(fine, pixels, strict=True):
        read = cifar100(tmp_path, part)
        assert (read.pixels.tolist(), read.labels.tolist()) == (rows.tolist(), fine[part])


class Calls:
    """Once unpickled, has called `function` with `argument`."""

    def __init__(self, function: Callable[[str], object], argument: str) -> None:
        self.call = function, (argument,)

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return self.call


@pytest.mark.parametrize("number", [0, 2, 4, 5])
@pytest.mark.parametrize("function", [os.system, exec], ids=["os.system", "exec"])
def test_a_batch_that_would_run_a_program_is_refused_and_not_run(
    function: Callable[[str], object], number: int, write_batches: Write, tmp_path: Path
) -> None:
    trace = tmp_path / "ran"
    program = f"echo > {trace}" if function is os.system else f"open({str(trace)!r}, 'w').close()"
    content = pickle.dumps({"data": Calls(function, program), "labels": [1]}, protocol=number)
    write_batches(tmp_path, {"test_batch": content})
    with pytest.raises(InputError, match=r"test_batch: is not a CIFAR batch \(it asks for \w+\.(system|exec),"):
        cifar10(tmp_path, "test")
    assert not trace.exists()
    pickle.loads(content)
    assert trace.exists()  # plain pickle would have run it


@pytest.mark.parametrize(
    "name", ["numpy\nload\n", "numpy.core.multiarray\nscalar\n", "numpy\nndarray.tofile\n", "builtins\ngetattr\n"]
)
def test_whatever_else_a_batch_asks_for_is_refused(name: str, write_batches: Write, tmp_path: Path) -> None:
    write_batches(tmp_path, {"test_batch": f"c{name}.".encode()})
    with pytest.raises(InputError, match=f"it asks for {name.strip()}, which".replace("\n", r"\.")):
        cifar10(tmp_path, "test")


GOOD = {"data": some_bytes(2, 3072), "labels": [1, 2]}
BAD_BATCHES = {
    "no bytes": b"",
    "cut short": protocol(4)(GOOD)[:-50],
    "no pickle": b"<html>not found</html>",
    "no labels": protocol(4)({"data": GOOD["data"]}),
    "a list": protocol(4)([1, 2]),
    "words as labels": protocol(4)({**GOOD, "labels": ["cat", "dog"]}),
    "a label too few": protocol(4)({**GOOD, "labels": [1]}),
    "words as pixels": protocol(4)({**GOOD, "data": "pixels"}),
    "not bytes": protocol(4)({**GOOD, "data": np.zeros((2, 3072))}),
}


@pytest.mark.parametrize("content", BAD_BATCHES.values(), ids=BAD_BATCHES)
def test_a_damaged_batch_is_named(content: bytes, write_batches: Write, tmp_path: Path) -> None:
    write_batches(tmp_path, {"test_batch": content})
    with pytest.raises(InputError, match=r"test_batch: .* fetched again$"):
        cifar10(tmp_path, "test")


def test_a_batch_that_is_not_the_published_one_is_not_unpickled(write_batches: Write, tmp_path: Path) -> None:
    write_batches(tmp_path, {"test_batch": protocol(4)(GOOD)})
    assert len(cifar10(tmp_path, "test").labels) == 2
    trace = tmp_path / "ran"
    (tmp_path / "cifar-10-batches-py" / "test_batch").write_bytes(pickle.dumps(Calls(os.system, f"echo > {trace}")))
    with pytest.raises(InputError, match=r"test_batch: is not the published file \(its MD5 is .* fetched again$"):
        cifar10(tmp_path, "test")
    assert not trace.exists()


def test_a_missing_batch_is_named(write_batches: Write, tmp_path: Path) -> None:
    write_batches(tmp_path, {"data_batch_1": protocol(4)(GOOD)})
    with pytest.raises(InputError, match=r"data_batch_2: .* remove its folder"):
        cifar10(tmp_path, "train")


# --- SVHN


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Write:
    """Has a file pass for the published one."""
    return lambda path: monkeypatch.setitem(images.SVHN_MD5, path.name, hashlib.md5(path.read_bytes()).hexdigest())


def write_mat(data_dir: Path, **arrays: np.ndarray) -> Path:
    path = data_dir / "test_32x32.mat"
    scipy.io.savemat(path, arrays, do_compression=True)
    return path


def test_svhn_pictures_come_channel_by_channel_and_class_10_is_the_digit_0(publish: Write, tmp_path: Path) -> None:
    pixels = some_bytes(32, 32, 3, 4)
    publish(write_mat(tmp_path, X=pixels, y=np.array([[1], [10], [9], [7]], dtype=np.uint8)))
    read = svhn(tmp_path, "test")
    assert read.labels.tolist() == [1, 0, 9, 7]
    for picture in range(4):
        for channel in range(3):
            plane = read.pixels[picture, 1024 * channel : 1024 * (channel + 1)]
            assert plane.tolist() == pixels[:, :, channel, picture].ravel().tolist()


X, Y = some_bytes(32, 32, 3, 4), np.array([[1], [10], [9], [7]], dtype=np.uint8)


@pytest.mark.parametrize("arrays", [{"X": X}, {"y": Y}, {"X": X[..., 0], "y": Y}, {"X": X, "y": Y[:3]}, {"X": X / 255, "y": Y}])
def test_other_arrays_than_svhns_are_refused(arrays: dict[str, np.ndarray], publish: Write, tmp_path: Path) -> None:
    publish(write_mat(tmp_path, **arrays))
    with pytest.raises(InputError, match=r"test_32x32\.mat: .*remove it, and it is fetched again$"):
        svhn(tmp_path, "test")


EMPTY = 0


@pytest.mark.parametrize("kept", [EMPTY, 64, 150, 5000])
def test_a_mat_file_cut_short_is_named(kept: int, publish: Write, tmp_path: Path) -> None:
    path = write_mat(tmp_path, X=X, y=Y)
    path.write_bytes(path.read_bytes()[:kept])
    publish(path)
    with pytest.raises(InputError, match=r"test_32x32\.mat: is not an SVHN file"):
        svhn(tmp_path, "test")


def test_another_file_than_the_published_one_is_not_read(tmp_path: Path) -> None:
    write_mat(tmp_path, X=X, y=Y)
    with pytest.raises(InputError, match=r"test_32x32\.mat: is not the published file \(its MD5 is .*remove it, and it is fetched"):
        svhn(tmp_path, "test")


# --- Folders


def save_picture(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 3)])
def test_pictures_come_class_by_class_with_their_files(shape: tuple[int, ...], tmp_path: Path) -> None:
    pictures = {f"{name}.png": some_bytes(*shape) + step for step, name in enumerate(["b cat/2", "b cat/10", "a/z", "a/Z"])}
    for name, pixels in pictures.items():
        save_picture(tmp_path / name, pixels)
    folder = image_folder(tmp_path)
    assert folder.classes == ("a", "b cat")
    assert folder.files == ("a/Z.png", "a/z.png", "b cat/10.png", "b cat/2.png")
    assert folder.labels.tolist() == [0, 0, 1, 1]
    assert folder.pixels.tolist() == [pictures[name].ravel().tolist() for name in folder.files]
    assert folder.shape == shape


def test_pictures_of_other_kinds_become_grey_or_colour(tmp_path: Path) -> None:
    colour = Image.fromarray(some_bytes(4, 4, 3))
    (tmp_path / "a").mkdir()
    colour.quantize(16).save(tmp_path / "a" / "palette.PNG")
    colour.convert("RGBA").save(tmp_path / "a" / "transparent.webp", lossless=True)
    assert image_folder(tmp_path).shape == (4, 4, 3)
    colour.convert("1").save(tmp_path / "a" / "bits.bmp")
    with pytest.raises(InputError, match=r"palette\.PNG: is \(4, 4, 3\), the others are \(4, 4\); bring all to one size"):
        image_folder(tmp_path)


def test_pictures_of_16_bits_keep_their_shades(tmp_path: Path) -> None:
    save_picture(tmp_path / "a" / "1.png", np.array([[0, 257 * 100, 257 * 200, 65535]], dtype=np.uint16))
    assert image_folder(tmp_path).pixels.tolist() == [[0, 100, 200, 255]]


def test_a_palette_with_transparency_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    Image.fromarray(some_bytes(4, 4, 3)).quantize(3).save(tmp_path / "a" / "1.png", transparency=b"\x00\x80\xff")
    assert image_folder(tmp_path).shape == (4, 4, 3)


def test_what_is_no_picture_of_a_class_is_left_out(tmp_path: Path) -> None:
    for name in ("a/1.png", "a/._1.png", "loose.png", "a/deeper/2.png"):
        save_picture(tmp_path / name, some_bytes(2, 2))
    (tmp_path / "a" / "notes.txt").write_text("no picture")
    assert image_folder(tmp_path).files == ("a/1.png",)


def test_a_hidden_folder_is_no_class(tmp_path: Path) -> None:
    for name in ("a/1.png", ".ipynb_checkpoints/1-checkpoint.png"):
        save_picture(tmp_path / name, some_bytes(2, 2))
    assert image_folder(tmp_path).classes == ("a",)


@pytest.mark.parametrize("kept", [0, 20, 60])
def test_a_picture_that_cannot_be_read_is_named(kept: int, tmp_path: Path) -> None:
    for name in ("1", "2", "3"):
        save_picture(tmp_path / "a" / f"{name}.png", some_bytes(8, 8))
    path = tmp_path / "a" / "2.png"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"/a/2\.png: is not a picture that can be read .*; mend or remove it$"):
        image_folder(tmp_path)


@pytest.mark.parametrize("shape", [(3, 2), (2, 2), (2, 3, 3)])
def test_a_picture_of_another_size_or_colour_is_named(shape: tuple[int, ...], tmp_path: Path) -> None:
    save_picture(tmp_path / "a" / "1.png", some_bytes(2, 3))
    save_picture(tmp_path / "b" / "2.png", some_bytes(*shape))
    with pytest.raises(InputError, match=r"/b/2\.png: is \(.*\), the others are \(2, 3\)"):
        image_folder(tmp_path)


def test_the_shape_asked_for_is_what_the_first_picture_has_to_have_too(tmp_path: Path) -> None:
    save_picture(tmp_path / "a" / "1.png", some_bytes(2, 3))
    assert image_folder(tmp_path, (2, 3)).files == ("a/1.png",)
    with pytest.raises(InputError, match=r"/a/1\.png: is \(2, 3\), the others are \(3, 3\)"):
        image_folder(tmp_path, (3, 3))


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train" / "a").mkdir(parents=True)
    for folder in (tmp_path / "train", tmp_path / "absent"):
        with pytest.raises(InputError, match=f"{folder.name}: has no pictures; expected .*/{folder.name}/CLASS/\\*.png$"):
            image_folder(folder)

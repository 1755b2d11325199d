"""Folders of pictures, as they are read."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.errors import InputError
from data.pictures import read_folder


def some_bytes(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def save_picture(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 3)])
def test_pictures_come_class_by_class_with_their_files(shape: tuple[int, ...], tmp_path: Path) -> None:
    pictures = {f"{name}.png": some_bytes(*shape) + step for step, name in enumerate(["b cat/2", "b cat/10", "a/z", "a/Z"])}
    for name, pixels in pictures.items():
        save_picture(tmp_path / name, pixels)
    folder = read_folder(tmp_path)
    assert folder.files == ("a/Z.png", "a/z.png", "b cat/10.png", "b cat/2.png")
    assert folder.y.tolist() == ["a", "a", "b cat", "b cat"]
    assert folder.pixels.tolist() == [pictures[name].tolist() for name in folder.files]


def test_pictures_of_other_kinds_become_grey_or_colour(tmp_path: Path) -> None:
    colour = Image.fromarray(some_bytes(4, 4, 3))
    (tmp_path / "a").mkdir()
    colour.quantize(16).save(tmp_path / "a" / "palette.PNG")
    colour.convert("RGBA").save(tmp_path / "a" / "transparent.webp", lossless=True)
    assert read_folder(tmp_path).pixels.shape == (2, 4, 4, 3)
    colour.convert("1").save(tmp_path / "a" / "bits.bmp")
    with pytest.raises(InputError, match=r"palette\.PNG: is \(4, 4, 3\), the others are \(4, 4\); bring all to one size"):
        read_folder(tmp_path)


def test_pictures_of_16_bits_keep_their_shades(tmp_path: Path) -> None:
    save_picture(tmp_path / "a" / "1.png", np.array([[0, 257 * 100, 257 * 200, 65535]], dtype=np.uint16))
    assert read_folder(tmp_path).pixels.tolist() == [[[0, 100, 200, 255]]]


def test_a_palette_with_transparency_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    Image.fromarray(some_bytes(4, 4, 3)).quantize(3).save(tmp_path / "a" / "1.png", transparency=b"\x00\x80\xff")
    assert read_folder(tmp_path).pixels.shape == (1, 4, 4, 3)


def test_what_is_no_picture_of_a_class_is_left_out(tmp_path: Path) -> None:
    for name in ("a/1.png", "a/._1.png", "loose.png", "a/deeper/2.png"):
        save_picture(tmp_path / name, some_bytes(2, 2))
    (tmp_path / "a" / "notes.txt").write_text("no picture")
    assert read_folder(tmp_path).files == ("a/1.png",)


def test_a_hidden_folder_is_no_class(tmp_path: Path) -> None:
    for name in ("a/1.png", ".ipynb_checkpoints/1-checkpoint.png"):
        save_picture(tmp_path / name, some_bytes(2, 2))
    assert read_folder(tmp_path).files == ("a/1.png",)


@pytest.mark.parametrize("kept", [0, 20, 60])
def test_a_picture_that_cannot_be_read_is_named(kept: int, tmp_path: Path) -> None:
    for name in ("1", "2", "3"):
        save_picture(tmp_path / "a" / f"{name}.png", some_bytes(8, 8))
    path = tmp_path / "a" / "2.png"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"/a/2\.png: cannot be read as a picture .*; repair or remove it$"):
        read_folder(tmp_path)


@pytest.mark.parametrize("shape", [(3, 2), (2, 2), (2, 3, 3)])
def test_a_picture_of_another_size_or_colour_is_named(shape: tuple[int, ...], tmp_path: Path) -> None:
    save_picture(tmp_path / "a" / "1.png", some_bytes(2, 3))
    save_picture(tmp_path / "b" / "2.png", some_bytes(*shape))
    with pytest.raises(InputError, match=r"/b/2\.png: is \(.*\), the others are \(2, 3\)"):
        read_folder(tmp_path)


def test_the_shape_asked_for_is_what_the_first_picture_has_to_have_too(tmp_path: Path) -> None:
    save_picture(tmp_path / "a" / "1.png", some_bytes(2, 3))
    assert read_folder(tmp_path, (2, 3)).files == ("a/1.png",)
    with pytest.raises(InputError, match=r"/a/1\.png: is \(2, 3\), the others are \(3, 3\)"):
        read_folder(tmp_path, (3, 3))


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train" / "a").mkdir(parents=True)
    for folder in (tmp_path / "train", tmp_path / "absent"):
        with pytest.raises(InputError, match=f"{folder.name}: has no pictures; expected .*/{folder.name}/CLASS/\\*.png$"):
            read_folder(folder)

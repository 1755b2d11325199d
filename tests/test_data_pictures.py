"""Folders of pictures, as they are read."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.errors import InputError
from data.pictures import picture_folder, read_folder


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
    colour.convert("1").save(tmp_path / "a" / "bits.bmp")
    grey = read_folder(tmp_path).pixels
    assert grey.shape == (1, 4, 4)
    colour.quantize(16).save(tmp_path / "a" / "palette.PNG")
    colour.convert("RGBA").save(tmp_path / "a" / "transparent.webp", lossless=True)
    found = read_folder(tmp_path).pixels
    assert found.shape == (3, 4, 4, 3)
    np.testing.assert_array_equal(found[0], np.repeat(grey[0][..., None], 3, axis=2))  # a grey one among them


def test_a_picture_that_a_camera_turned_is_seen_upright(tmp_path: Path) -> None:
    pixels, exif = some_bytes(4, 6), Image.Exif()
    exif[0x0112] = 6  # turn by a quarter, clockwise
    (tmp_path / "a").mkdir()
    Image.fromarray(pixels).save(tmp_path / "a" / "1.png", exif=exif)
    np.testing.assert_array_equal(read_folder(tmp_path).pixels[0], np.rot90(pixels, -1))


@pytest.mark.parametrize(("ink", "ground"), [(0, 255), (255, 0)])
def test_ink_on_a_transparent_ground_is_seen(ink: int, ground: int, tmp_path: Path) -> None:
    drawn = np.zeros((4, 4, 4), dtype=np.uint8)
    drawn[1, 1:3] = (ink, ink, ink, 255)
    save_picture(tmp_path / "a" / "1.png", drawn)
    expected = np.full((4, 4), ground)
    expected[1, 1:3] = ink
    np.testing.assert_array_equal(read_folder(tmp_path).pixels[0], np.repeat(expected[..., None], 3, axis=2))


def test_all_are_brought_to_the_size_that_is_asked_for(tmp_path: Path) -> None:
    save_picture(tmp_path / "a" / "1.png", np.full((10, 20), 50, dtype=np.uint8))
    save_picture(tmp_path / "b" / "2.jpg", np.full((33, 31, 3), 200, dtype=np.uint8))
    found = read_folder(tmp_path, 8).pixels
    assert found.shape == (2, 8, 8, 3)
    np.testing.assert_array_equal(found.reshape(2, -1).mean(axis=1), [50, 200])


def test_pictures_of_16_bits_keep_their_shades(tmp_path: Path) -> None:
    save_picture(tmp_path / "a" / "1.png", np.array([[0, 257 * 100, 257 * 200, 65535]], dtype=np.uint16))
    assert read_folder(tmp_path).pixels.tolist() == [[[0, 100, 200, 255]]]


def test_bytes_in_pictures_of_16_bits_keep_their_shades(tmp_path: Path) -> None:
    save_picture(tmp_path / "a" / "1.png", np.array([[0, 100, 255]], dtype=np.uint16))
    found = read_folder(tmp_path)
    assert found.pixels.tolist() == [[[0, 100, 255]]]
    assert found.notes == (f"{tmp_path}: pictures of 16 bits with values up to 255 are taken as bytes",)
    save_picture(tmp_path / "a" / "2.png", np.array([[0, 0, 65535]], dtype=np.uint16))
    assert read_folder(tmp_path).pixels.tolist() == [[[0, 0, 0]], [[0, 0, 255]]]


def test_bits_are_judged_in_each_part_that_has_them(tmp_path: Path) -> None:
    """Values above 255 must not wrap in val/ because those of train/ have 8 bits."""
    for name in ("train/a/1.png", "train/b/1.png"):
        save_picture(tmp_path / name, np.array([[0, 100]], dtype=np.uint8))
    save_picture(tmp_path / "val/a/1.png", np.array([[0, 257 * 100]], dtype=np.uint16))
    found = picture_folder(tmp_path)
    assert found.validation is not None
    assert found.validation.x.tolist() == [[[0, 100]]]
    save_picture(tmp_path / "train/b/1.png", np.array([[0, 100]], dtype=np.uint16))
    with pytest.raises(InputError, match=r"val/a/1\.png: has values up to 25,700, those of train/ up to 255; save it with 8 bits$"):
        picture_folder(tmp_path)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.full((2, 2), 70_000, dtype=np.int32), r"its values go from 70,000 to 70,000, expected 0 to 65,535"),
        (np.full((2, 2), 0.5, dtype=np.float32), r"its values are floating-point numbers, expected 8 or 16 bits"),
    ],
)
def test_values_that_fit_into_no_16_bits_are_refused(pixels: np.ndarray, message: str, tmp_path: Path) -> None:
    save_picture(tmp_path / "a" / "1.tif", pixels)
    with pytest.raises(InputError, match=rf"1\.tif: cannot be read as a picture \({message}\); repair or remove it$"):
        read_folder(tmp_path)


def save_16_bit_colours(path: Path, pixels: np.ndarray) -> None:
    """pixels: (h, w, 3). Pillow does not write such files."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, 2, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def test_colours_of_16_bits_keep_their_shades_or_are_refused(tmp_path: Path) -> None:
    pixels = some_bytes(4, 4, 3)
    save_16_bit_colours(tmp_path / "a" / "1.png", pixels.astype(int) * 257)
    assert read_folder(tmp_path).pixels[0].tolist() == pixels.tolist()
    save_16_bit_colours(tmp_path / "a" / "1.png", pixels)
    with pytest.raises(InputError, match=r"the upper 8 of its 16 bits are 0, expected values up to 65,535 or 8 bits"):
        read_folder(tmp_path)


def test_pictures_of_several_frames_are_counted(tmp_path: Path) -> None:
    first, second = (Image.fromarray(np.full((2, 2), shade, dtype=np.uint8)) for shade in (10, 20))
    (tmp_path / "a").mkdir()
    first.save(tmp_path / "a" / "1.tif", save_all=True, append_images=[second])
    found = read_folder(tmp_path)
    assert found.pixels.tolist() == [[[10, 10], [10, 10]]]
    assert found.notes == (f"{tmp_path}: 1 (a/1.tif) is of several frames, of which the first is taken",)


def test_a_palette_with_transparency_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    Image.fromarray(some_bytes(4, 4, 3)).quantize(3).save(tmp_path / "a" / "1.png", transparency=b"\x00\x80\xff")
    assert read_folder(tmp_path).pixels.shape == (1, 4, 4, 3)


def test_what_is_no_picture_is_left_out_and_counted(tmp_path: Path) -> None:
    for name in ("a/1.png", "a/._1.png"):
        save_picture(tmp_path / name, some_bytes(2, 2))
    (tmp_path / "a" / "notes.txt").write_text("no picture")
    found = read_folder(tmp_path)
    assert found.files == ("a/1.png",)
    assert found.notes == (f"{tmp_path}: 1 (a/notes.txt) is left out, as no pictures",)


@pytest.mark.parametrize("name", ["loose.png", "a/deeper/2.png"])
def test_a_picture_that_is_not_in_the_folder_of_a_class_is_refused(name: str, tmp_path: Path) -> None:
    for each in ("a/1.png", name):
        save_picture(tmp_path / each, some_bytes(2, 2))
    with pytest.raises(
        InputError, match=rf"/{name}: is not in the folder of a class, expected .*/CLASS/\*\.png; move it or remove it$"
    ):
        read_folder(tmp_path)


def test_parts_may_have_other_names_and_what_is_not_used_is_said(tmp_path: Path) -> None:
    for name in ("Train/a/1.png", "Train/b/1.png", "valid/a/1.png", "old/a/1.png"):
        save_picture(tmp_path / name, some_bytes(2, 2))
    found = picture_folder(tmp_path)
    assert found.validation is not None
    assert (len(found.train.labels), len(found.validation.labels), found.test) == (2, 1, None)
    assert found.notes == (f"{tmp_path}: 1 (old) is not used, expected train, val and test",)


def test_two_folders_for_one_part_are_refused(tmp_path: Path) -> None:
    for name in ("train/a/1.png", "train/b/1.png", "dev/a/1.png", "val/b/1.png"):
        save_picture(tmp_path / name, some_bytes(2, 2))
    with pytest.raises(InputError, match=r"/val: dev/ is there too, and both are val pictures; merge them or rename one$"):
        picture_folder(tmp_path)


def test_the_folder_of_a_class_may_be_a_link(tmp_path: Path) -> None:
    for name in ("train/a/1.png", "elsewhere/1.png"):
        save_picture(tmp_path / name, some_bytes(2, 2))
    (tmp_path / "train" / "b").symlink_to(tmp_path / "elsewhere")
    assert read_folder(tmp_path / "train").files == ("a/1.png", "b/1.png")


def test_no_class_vanishes(tmp_path: Path) -> None:
    save_picture(tmp_path / "a" / "1.png", some_bytes(2, 2))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "notes.txt").write_text("no picture")
    with pytest.raises(InputError, match=rf"^{tmp_path}/b: has no pictures, and every folder in {tmp_path} is a class; add some"):
        read_folder(tmp_path)
    (tmp_path / "b" / "1.HEIC").write_bytes(b"as a phone stores it")
    with pytest.raises(InputError, match=r"/b/1\.HEIC: is in a format that is not read; save it as JPEG or PNG, or remove it$"):
        read_folder(tmp_path)


def test_classes_alone_are_training_pictures(tmp_path: Path) -> None:
    for name in ("a/1.png", "b/1.png"):
        save_picture(tmp_path / name, some_bytes(2, 2))
    assert picture_folder(tmp_path).classes == ("a", "b")


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
    message = r"/a/2\.png: cannot be read as a picture .*; repair or remove it$"
    with pytest.raises(InputError, match=message):
        read_folder(tmp_path)


def test_the_first_picture_of_another_size_is_named_and_what_most_are(tmp_path: Path) -> None:
    for name, shape in {"a/1": (3, 2), "b/2": (2, 3), "b/3": (2, 3)}.items():
        save_picture(tmp_path / f"{name}.png", some_bytes(*shape))
    with pytest.raises(
        InputError, match=r"/a/1\.png: is 2 by 3 pixels, but 2 of the 3 pictures in .* are 3 by 2 pixels; give --size 2$"
    ):
        read_folder(tmp_path)


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train" / "a").mkdir(parents=True)
    for folder in (tmp_path / "train", tmp_path / "absent"):
        with pytest.raises(InputError, match=f"{folder.name}: has no pictures; expected .*/{folder.name}/CLASS/\\*.png$"):
            read_folder(folder)


def test_progress_counts_the_pictures_of_each_part_as_they_are_opened_and_read(tmp_path: Path) -> None:
    for number in range(45):
        save_picture(tmp_path / "train" / "ab"[number % 2] / f"{number}.png", some_bytes(2, 2))
    save_picture(tmp_path / "val" / "a" / "1.png", some_bytes(2, 2))
    told = list[tuple[int, int]]()
    picture_folder(tmp_path, progress=lambda done, total: told.append((done, total)))
    assert told == [*[(20, 45), (40, 45), (45, 45)] * 2, (1, 1), (1, 1)]

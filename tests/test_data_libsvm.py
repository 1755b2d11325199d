import bz2
import gc
import gzip
import lzma
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data import libsvm
from data.errors import InputError
from data.libsvm import LibsvmFile, line_ranges, parse_libsvm, pieces, read_libsvm, read_range
from tests.disks import limited

TEXT = b"""\
# comments, a blank line and a query
+1 qid:1 1:0.5 3:-2

-1 2:1e-3 # 9:9
+1 3:7
"""
PACKERS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("", bytes),
    (".gz", gzip.compress),
    (".bz2", bz2.compress),
    (".xz", lzma.compress),
]


def write(path: Path, content: bytes = TEXT) -> Path:
    path.write_bytes(content)
    return path


def cache_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.rdia-cache.npz")


def assert_is_text(read: LibsvmFile) -> None:
    np.testing.assert_array_equal(read.x.toarray(), [[0, 0.5, 0, -2], [0, 0, 0.001, 0], [0, 0, 0, 7]])
    assert read.y.tolist() == [1, -1, 1]
    assert read.spelling == ("-1", "+1")


def never_parse_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libsvm, "parse_libsvm", lambda path: pytest.fail(f"{path} was parsed again"))


@pytest.mark.parametrize(("suffix", "pack"), PACKERS)
def test_plain_and_compressed_files_give_the_same(suffix: str, pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    assert_is_text(read_libsvm(write(tmp_path / f"a{suffix}", pack(TEXT))))


def test_labels_are_spelled_as_the_file_first_writes_them(tmp_path: Path) -> None:
    read = read_libsvm(write(tmp_path / "a", b"1.0 1:1\n+1 1:1\n-1 1:1\n02 1:1\n-1.0 1:1\n"))
    assert read.spelling == ("-1", "1.0", "02")


@pytest.mark.parametrize(("text", "x"), [(b"1 0:5 2:6\n", [5, 0, 6]), (b"1 1:5 2:6\n", [0, 5, 6])])
def test_columns_keep_the_numbers_of_the_file(text: bytes, x: list[int], tmp_path: Path) -> None:
    assert read_libsvm(write(tmp_path / "a", text)).x.toarray().tolist() == [x]


def test_windows_line_ends_and_a_missing_last_one_change_nothing(tmp_path: Path) -> None:
    assert_is_text(read_libsvm(write(tmp_path / "a", TEXT.replace(b"\n", b"\r\n").rstrip())))


def test_a_row_may_have_no_features(tmp_path: Path) -> None:
    assert read_libsvm(write(tmp_path / "a", b"1\n-1 1:2\n")).x.toarray().tolist() == [[0, 0], [0, 2]]


def test_the_second_read_comes_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a")
    read_libsvm(path)
    assert set(tmp_path.iterdir()) == {path, cache_of(path)}
    never_parse_again(monkeypatch)
    assert_is_text(read_libsvm(path))


@pytest.mark.parametrize(("content", "later"), [(TEXT.replace(b"7", b"8"), 1), (TEXT.replace(b"3:7", b"3:8.0"), 0)])
def test_another_mtime_or_size_is_read_anew(content: bytes, later: int, tmp_path: Path) -> None:
    path = write(tmp_path / "a")
    read_libsvm(path)
    mtime = path.stat().st_mtime_ns
    os.utime(write(path, content), ns=(mtime, mtime + later))
    assert read_libsvm(path).x.toarray()[2].tolist() == [0, 0, 0, 8]


def truncated(cache: Path) -> None:
    cache.write_bytes(cache.read_bytes()[:-100])


def with_a_byte_changed(cache: Path) -> None:
    content = bytearray(cache.read_bytes())
    content[content.index(np.float64(-2).tobytes())] ^= 1
    cache.write_bytes(content)


def of_another_file(cache: Path) -> None:
    other = write(cache.with_name("other"), b"3 1:1\n4 1:2\n")
    read_libsvm(other)
    cache_of(other).replace(cache)


def without_a_key(cache: Path) -> None:
    np.savez(cache, y=np.zeros(3))


def a_single_array(cache: Path) -> None:
    with cache.open("wb") as file:
        np.save(file, np.zeros(3))


def no_archive(cache: Path) -> None:
    cache.write_text("not a cache")


def of_no_bytes(cache: Path) -> None:
    cache.write_bytes(b"")


DAMAGES = [
    truncated,
    with_a_byte_changed,
    of_another_file,
    without_a_key,
    a_single_array,
    no_archive,
    of_no_bytes,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_cache_that_is_not_the_files_is_replaced(
    damage: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a")
    read_libsvm(path)
    damage(cache_of(path))
    assert_is_text(read_libsvm(path))
    gc.collect()  # a file left open is an error of this test, not of a later one
    never_parse_again(monkeypatch)
    assert_is_text(read_libsvm(path))


class Bomb:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.trace),)


def test_an_object_pickled_into_the_cache_is_not_run(tmp_path: Path) -> None:
    path, trace = write(tmp_path / "a"), tmp_path / "ran"
    read_libsvm(path)
    with np.load(cache_of(path)) as kept:
        np.savez(cache_of(path), **{**kept, "spelling": np.array([Bomb(trace)], dtype=object)})
    assert_is_text(read_libsvm(path))
    assert not trace.exists()


def test_a_file_whose_cache_cannot_be_written_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / ("a" * 250))  # the cache's name would be longer than file systems take
    for _ in range(2):
        assert_is_text(read_libsvm(path))
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_without_room_for_the_cache_costs_only_the_cache(tmp_path: Path) -> None:
    path = write(tmp_path / "a", TEXT * 1000)
    with limited(10_000):
        assert read_libsvm(path).x.shape == (3000, 4)
    assert list(tmp_path.iterdir()) == [path]


BAD_FILES = {
    "no bytes": (b"", "is empty; expected lines of the form"),
    "no rows": (b"# no rows\n\n", "is empty; expected lines of the form"),
    "nan": (b"1 1:1\n\n-1 1:nan\n1 1:inf\n", "line 3 is '-1 1:nan', expected .*, all finite numbers, .*; correct the line"),
    "inf after rows without features": (b"1\n1 1:1\n-1\n1 1:2 2:-inf\n", "line 4 is '1 1:2 2:-inf'"),
    "beyond float64": (b"1 1:1\n-1 1:1e400\n", "line 2 is '-1 1:1e400'"),
    "inf label": (b"1 1:1\ninf 1:1\n", "line 2 is 'inf 1:1'"),
    "nan label": (b"1 1:1\nnan 1:1\n", "line 2 is 'nan 1:1'"),
    "nan as first label": (b"nan 1:1\n-1 1:2\n+1 1:3\n", "line 1 is 'nan 1:1'"),
    "ragged": (b"1 1:1\n-1 1:1 2\n", "line 2 is '-1 1:1 2'"),
    "descending": (b"# first\n\n1 2:1 1:1\n", "line 3 is '1 2:1 1:1'.* ascending"),
    "twice": (b"1 1:1 1:1\n", "line 1 is '1 1:1 1:1'.* ascending"),
    "negative": (b"1 1:1\n1 -1:1\n", "line 2 is '1 -1:1'"),
    "2**62": (b"1 1:1\n1 %d:1\n" % 2**62, f"line 2 is '1 {2**62}:1'"),
    "2**80": (b"1 1:1\n1 %d:1\n" % 2**80, f"line 2 is '1 {2**80}:1'"),
    "word as value": (b"1 1:x\n", "line 1 is '1 1:x'"),
    "word as label": (b"cat 1:1\n", "line 1 is 'cat 1:1'"),
    "csv": (b"1,0.5,3\n", r"is a CSV file; give it a name that ends with \.csv$"),
    "spreadsheet": (b"PK\x03\x04\n", "is a spreadsheet or JSON; save it as CSV"),
    "json": (b'[{"x": 1}]\n', r"is a spreadsheet or JSON; .* a file that ends with \.jsonl$"),
    "a comma in a later line": (b"1 1:1\n1,0 1:1\n", "line 2 is '1,0 1:1', expected .*; correct the line"),
    "binary": (b"1 1:1\n\xff\xfe\n", r"line 2 is '\\xff\\xfe'"),
    "long line": (b"x" * 1000, "line 1 is 'x{60}', expected"),
}


@pytest.mark.parametrize(("content", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_refused_with_its_name_and_place(content: bytes, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a", content)
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}: .*{message}.*$"):
        read_libsvm(path)
    assert not cache_of(path).exists()


@pytest.mark.parametrize("kept", [0.5, 0.99])
@pytest.mark.parametrize(("suffix", "pack"), PACKERS[1:])
def test_a_truncated_archive_is_refused(suffix: str, pack: Callable[[bytes], bytes], kept: float, tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).random(1000)
    packed = pack(b"".join(b"+1 1:%r\n" % value for value in numbers.tolist()))
    path = write(tmp_path / f"a{suffix}", packed[: int(kept * len(packed))])
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}: cannot be unpacked .* damaged or cut short"):
        read_libsvm(path)


@pytest.mark.parametrize("suffix", [suffix for suffix, _ in PACKERS[1:]])
def test_plain_text_named_as_an_archive_is_refused(suffix: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be unpacked"):
        read_libsvm(write(tmp_path / f"a{suffix}"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent: cannot be read \(No such file or directory\); check the path$"):
        read_libsvm(tmp_path / "absent")


@pytest.mark.parametrize("packed", ["", ".gz"])
def test_a_byte_order_mark_is_passed_over(packed: str, tmp_path: Path) -> None:
    text = b"\xef\xbb\xbf+1 1:0.5\n-1 2:1\n"
    path = tmp_path / f"a.svm{packed}"
    path.write_bytes(gzip.compress(text) if packed else text)
    found = parse_libsvm(path)
    assert found.y.tolist() == [1, -1]
    assert found.spelling == ("-1", "+1")
    (tmp_path / "bad").write_bytes(text + b"1 x\n")
    with pytest.raises(InputError, match="line 3 is '1 x'"):
        parse_libsvm(tmp_path / "bad")


def test_pieces_and_ranges_of_a_file_make_up_the_file(tmp_path: Path) -> None:
    """Of lines that tell their own number, with comments, a byte-order mark and no end of the last line."""
    lines = [b"%d 0:%d 7:1%s" % (row % 3, row + 1, b" # by hand\n\n# more" if row % 7 == 0 else b"") for row in range(50)]
    path = write(tmp_path / "a", b"\xef\xbb\xbf" + b"\n".join(lines))
    whole = parse_libsvm(path)
    assert whole.x.toarray()[:, 0].tolist() == [*range(1, 51)]
    cut = [[*pieces(path, 1)], [*pieces(path, 9)], [*pieces(path, 1000)]]
    ranged = [[read_range(path, *ends) for ends in line_ranges(path, count)] for count in (1, 3, 1000)]
    assert [len(parts) for parts in ranged[:2]] == [1, 3]
    for parts in cut + ranged:
        np.testing.assert_array_equal(np.concatenate([part.y for part in parts]), whole.y)
        for name in ("data", "indices"):
            np.testing.assert_array_equal(np.concatenate([getattr(part.x, name) for part in parts]), getattr(whole.x, name))


@pytest.mark.parametrize("text", [b"1 1:2\n1 1:x\n", b"1 1:2\n1 1:nan\n"])
def test_a_bad_line_of_a_piece_is_named_by_its_number_in_the_file(text: bytes, tmp_path: Path) -> None:
    path = write(tmp_path / "a", b"0 1:1\n" * 10 + text)
    for read in (lambda: [*pieces(path, 3)], lambda: [read_range(path, *ends) for ends in line_ranges(path, 4)]):
        with pytest.raises(InputError, match=r"a: line 12 is '1 1:(x|nan)'"):
            read()


def test_an_edit_that_keeps_length_and_time_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a", b"1 1:0.5\n0 1:0.7\n")
    assert read_libsvm(path).y.tolist() == [1, 0]
    mtime = path.stat().st_mtime_ns
    path.write_bytes(b"0 1:0.5\n1 1:0.7\n")
    os.utime(path, ns=(mtime, mtime))
    assert read_libsvm(path).y.tolist() == [0, 1]

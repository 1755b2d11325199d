"""Inputs that are nearly good: bytes of a good one, changed in a few places."""

import bz2
import gzip
import io
import lzma
import random
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import PurePath

PACKERS: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    ".gz": (gzip.decompress, lambda data: gzip.compress(data, 1)),
    ".bz2": (bz2.decompress, lambda data: bz2.compress(data, 1)),
    ".xz": (lzma.decompress, lambda data: lzma.compress(data, preset=0)),
}
INSIDE = 0.7  # of the changes to a packed input are made to what is packed
MOST = 6  # changes to one input
NUMBERS = (0, -1, 1, 2**31 - 2, 2**31 - 1, 2**31, 2**32, 2**62, 2**63 - 1, 2**63, 2**64 - 1, "1" * 400)
FLOATS = ("1e308", "1e309", "-1e-320", "nan", "inf", "-inf", "0x10", "1_0", "\u0661", "null", "true")
MARKS = (":", ",", "#", "qid:1", "\u2028", '"', "'", "{", "}", "[", "]", "[[]]", "{}", "=", "-", "--", "..")
BYTES = (b"", b" ", b"\n", b"\r", b"\t", b"\0", b"\xff\xfe", b"\xef\xbb\xbf")
WORDS = [*(str(word).encode() for word in (*NUMBERS, *FLOATS, *MARKS)), *BYTES]
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:e-?\d+)?")


def mutated(name: str, data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """`data` with a few changes; half of the time and more to what a packed file holds."""
    if rng.random() < INSIDE:
        suffix = PurePath(name).suffix
        if suffix in PACKERS:
            unpack, pack = PACKERS[suffix]
            return pack(_changed(unpack(data), others, rng))
        if data.startswith(b"PK"):
            return _zip_changed(data, others, rng)
    return _changed(data, others, rng)


def _zip_changed(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """An archive with one member changed, left out, doubled or renamed, and whole as an archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    place = rng.randrange(len(members))
    name, content = members[place]
    kind = rng.random()
    if kind < 0.85:
        members[place] = (name, _changed(content, [*others, rng.choice(members)[1]], rng))
    elif kind < 0.9:
        del members[place]
    elif kind < 0.95:
        members[place] = (name, rng.choice(members)[1])
    else:
        members[place] = (_changed(name.encode(), [], rng).decode("utf-8", "replace").replace("\0", "") or "x", content)
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as archive:
        for member in dict(members).items():
            archive.writestr(*member)
    return written.getvalue()


def _changed(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    for _ in range(rng.randint(1, MOST)):
        data = rng.choice(CHANGES)(data, others, rng)
    return data


def _bit(data: bytes, _: Sequence[bytes], rng: random.Random) -> bytes:
    if not data:
        return data
    place = rng.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]


def _word(data: bytes, _: Sequence[bytes], rng: random.Random) -> bytes:
    """A word in the place of nothing, or of some bytes."""
    place = rng.randint(0, len(data))
    return data[:place] + rng.choice(WORDS) + data[place + rng.choice([0, 0, 1, 4]) :]


def _number(data: bytes, _: Sequence[bytes], rng: random.Random) -> bytes:
    """A word in the place of a number that is written in digits."""
    found = list(NUMBER.finditer(data[:10_000]))
    if not found:
        return data
    one = rng.choice(found)
    return data[: one.start()] + rng.choice(WORDS) + data[one.end() :]


def _integer(data: bytes, _: Sequence[bytes], rng: random.Random) -> bytes:
    """An extreme number in the place of 1, 2, 4 or 8 bytes, whichever end first."""
    size = rng.choice([1, 2, 4, 8])
    value = rng.choice([0, 1, 2 ** (8 * size) - 1, 2 ** (8 * size - 1), 2 ** (8 * size - 1) - 1, 2 ** (4 * size)])
    place = rng.randint(0, max(0, len(data) - size))
    return data[:place] + value.to_bytes(size, rng.choice(["little", "big"])) + data[place + size :]


def _cut(data: bytes, _: Sequence[bytes], rng: random.Random) -> bytes:
    start = rng.randint(0, len(data))
    return data[:start] + data[start + rng.choice([1, 2, 8, 64, len(data)]) :]


def _doubled(data: bytes, _: Sequence[bytes], rng: random.Random) -> bytes:
    start = rng.randint(0, len(data))
    part = data[start : start + rng.choice([1, 8, 64])]
    return data[:start] + part * rng.choice([2, 2, 100]) + data[start:]


def _spliced(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """Another input's part in it."""
    if not others:
        return data
    other = rng.choice(others)
    start, place = rng.randint(0, len(other)), rng.randint(0, len(data))
    return data[:place] + other[start : start + rng.choice([8, 64, 1000])] + data[place:]


CHANGES = (_bit, _bit, _word, _number, _number, _integer, _cut, _doubled, _spliced)

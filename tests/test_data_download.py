import gc
import gzip
import hashlib
import io
import lzma
import struct
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import requests
import scipy.io

from data import download as module
from data import images, sources
from data.dataset import load
from data.download import download, gunzip, untar
from data.errors import InputError
from tests.disks import limited

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # pooch leaves a broken answer open


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


class CutsShort(Quiet):
    def send_header(self, keyword: str, value: str) -> None:
        super().send_header(keyword, str(int(value) + 1) if keyword == "Content-Length" else value)


class Answers(Quiet):
    """Answers with what the path names, and counts how often it is asked."""

    asked = 0

    def do_GET(self) -> None:
        Answers.asked += 1
        kind = self.path.strip("/")
        self.send_response(500 if kind == "broken" else 302 if kind in PLACES else 200)
        if kind in PLACES:
            self.send_header("Location", PLACES[kind])
        elif kind == "strange":
            self.send_header("Content-Length", "many")
        elif kind == "stalls":
            self.send_header("Content-Length", "7")
        self.end_headers()
        self.wfile.write({"more": b"content and more", "strange": b"content"}.get(kind, b"cont"))
        if kind == "stalls":
            threading.Event().wait(0.3)
        while kind == "endless":
            try:
                self.wfile.write(bytes(100_000))
            except ConnectionError:
                break


PLACES = {"loop": "/loop", "file": f"file://{__file__}", "ftp": "ftp://127.0.0.1/a", "data": "data:,content", "nowhere": "http://["}


class Site(NamedTuple):
    folder: Path
    url: str
    server: HTTPServer


@pytest.fixture(autouse=True, scope="module")
def no_connection_is_left_to_later_tests() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def first_try_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRIES", 0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A folder that a server on this machine gives out."""
    folder = tmp_path / "site"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01))
        thread.start()
        yield Site(folder, f"http://127.0.0.1:{server.server_port}/", server)
        server.shutdown()
        thread.join()


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def as_it_is(fetched: Path) -> Path:
    return fetched


def tar(**members: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:xz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return file.getvalue()


@pytest.mark.parametrize("checksum", [md5(b"content"), None])
def test_a_good_file_is_put_in_place_and_nothing_else(checksum: str | None, site: Site, tmp_path: Path) -> None:
    (site.folder / "a").write_bytes(b"content")
    target = tmp_path / "new" / "folder" / "b"
    assert download(f"{site.url}a", checksum, target, as_it_is) == target
    assert target.read_bytes() == b"content"
    assert list(target.parent.iterdir()) == [target]


def wrong_checksum(site: Site) -> None:
    (site.folder / "a").write_bytes(b"something else")


def no_such_file(site: Site) -> None:
    (site.folder / "a").unlink()


def cut_short(site: Site) -> None:
    site.server.RequestHandlerClass = partial(CutsShort, directory=str(site.folder))


FAULTS: list[tuple[Callable[[Site], None], str]] = [
    (wrong_checksum, "the checksum is wrong"),
    (no_such_file, "HTTP status 404"),
    (cut_short, "ChunkedEncodingError"),
]


@pytest.mark.parametrize(("fault", "cause"), FAULTS)
def test_a_failed_download_is_one_line_and_leaves_nothing(
    fault: Callable[[Site], None], cause: str, site: Site, tmp_path: Path
) -> None:
    (site.folder / "a").write_bytes(b"content")
    fault(site)
    target = tmp_path / "data" / "b"
    with pytest.raises(InputError) as refused:
        download(f"{site.url}a", md5(b"content"), target, as_it_is)
    assert str(refused.value) == (
        f"{target}: not there, and {site.url}a could not be fetched ({cause});"
        " put the file there by hand, give the folder that has it as --data_dir, or use --dataset digits, which needs none"
    )
    assert list(target.parent.iterdir()) == []


ANSWERS = {
    "broken": "HTTP status 500",
    "less": "the checksum is wrong",  # without a length nothing else shows it
    "more": "the checksum is wrong",
    "strange": "ValueError",
    "stalls": "ConnectionError|ReadTimeout",
    "loop": "TooManyRedirects",
    "file": "it redirects to what is no https",
    "ftp": "it redirects to what is no https",
    "data": "it redirects to what is no https",
    "nowhere": "ValueError",
}


@pytest.mark.parametrize(("kind", "cause"), ANSWERS.items())
def test_a_strange_answer_is_tried_again_and_then_refused(
    kind: str, cause: str, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRIES", 1)
    monkeypatch.setattr(module, "TIMEOUT", 0.1)
    monkeypatch.setattr(Answers, "asked", 0)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    site.server.RequestHandlerClass = Answers
    target = tmp_path / "data" / "b"
    checksum = md5(Path(__file__).read_bytes() if kind == "file" else b"content")
    with pytest.raises(InputError, match=rf"^{target}: not there, and {site.url}{kind} could not be fetched \({cause}\); put"):
        download(f"{site.url}{kind}", checksum, target, as_it_is)
    assert Answers.asked == (62 if kind == "loop" else 2)
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "location", "refused"),
    [
        ("https://a/b", "http://a/b", True),
        ("https://a/b", "HTTP://c/b", True),
        ("https://a/b", "https://c/b", False),
        ("https://a/b", "/c", False),
        ("https://a/b", "//c/d", False),
        ("http://a/b", "http://c", False),
        ("http://a/b", "https://c", False),
    ],
)
def test_what_is_encrypted_stays_so(url: str, location: str, refused: bool) -> None:
    response = requests.Response()
    response.url, response.status_code, response.headers["Location"] = url, 302, location
    with pytest.raises(requests.exceptions.InvalidSchema) if refused else nullcontext():
        module.stay_encrypted(response)


def test_an_endless_answer_ends_where_the_room_does(site: Site, tmp_path: Path) -> None:
    site.server.RequestHandlerClass = Answers
    target = tmp_path / "data" / "b"
    with limited(10**6), pytest.raises(InputError, match=rf"^{target}: cannot be written \(File too large\); make room, or give"):
        download(f"{site.url}endless", None, target, as_it_is)
    assert list(target.parent.iterdir()) == []


def test_a_folder_that_another_run_has_put_there_meanwhile_stays(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "data" / "folder"

    def overtaken(fetched: Path) -> Path:
        for folder in (target, fetched.with_name("folder")):
            folder.mkdir()
            (folder / "a").write_bytes(fetched.read_bytes())
        return fetched.with_name("folder")

    (site.folder / "a").write_bytes(b"content")
    assert download(f"{site.url}a", None, target, overtaken) == target
    assert (target / "a").read_bytes() == b"content"
    assert list(target.parent.iterdir()) == [target]


def test_what_a_killed_download_has_left_is_removed_after_a_day(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site.folder / "a").write_bytes(b"content")
    left = tmp_path / "data" / ".rdia-download-1"
    (left / "deeper").mkdir(parents=True)
    (left / "deeper" / "a").write_bytes(b"cont")
    download(f"{site.url}a", None, tmp_path / "data" / "b", as_it_is)
    assert left.exists()
    now = time.time() + 25 * 3600
    monkeypatch.setattr(time, "time", lambda: now)
    download(f"{site.url}a", None, tmp_path / "data" / "c", as_it_is)
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"b", "c"}


def test_a_refused_connection_is_named(tmp_path: Path) -> None:
    with HTTPServer(("127.0.0.1", 0), Quiet) as closed:
        url = f"http://127.0.0.1:{closed.server_port}/a"
    target = tmp_path / "data" / "b"
    with pytest.raises(InputError, match=rf"^{target}: not there, and {url} could not be fetched \(ConnectionError\); put"):
        download(url, None, target, as_it_is)
    assert list(target.parent.iterdir()) == []


def test_a_proxy_that_cannot_be_used_is_not_taken_for_a_wrong_checksum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:9")
    with pytest.raises(InputError, match="could not be fetched") as refused:
        download("http://data.invalid/a", None, tmp_path / "b", as_it_is)
    assert "checksum" not in str(refused.value)


def test_a_download_is_tried_again(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRIES", 1)
    monkeypatch.setattr(time, "sleep", lambda _: (site.folder / "a").write_bytes(b"content"))
    assert download(f"{site.url}a", None, tmp_path / "b", as_it_is).read_bytes() == b"content"


def test_what_prepare_refuses_leaves_nothing(site: Site, tmp_path: Path) -> None:
    def refuse(fetched: Path) -> Path:
        assert fetched.read_bytes() == b"content"
        raise InputError("not what is wanted")

    (site.folder / "a").write_bytes(b"content")
    with pytest.raises(InputError, match=r"^not what is wanted$"):
        download(f"{site.url}a", None, tmp_path / "data" / "b", refuse)
    assert list((tmp_path / "data").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_refused_with_the_flag(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a file")
    with pytest.raises(InputError, match=rf"^--data_dir {tmp_path}/a/libsvm: cannot be written \(.+\)"):
        load("diabetes", tmp_path / "a", 1)


def test_gunzip_gives_the_file_beside_its_archive(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"content"))
    assert gunzip(tmp_path / "a.gz") == tmp_path / "a"
    assert (tmp_path / "a").read_bytes() == b"content"


@pytest.mark.parametrize("name", ["../escaped", "folder/../../escaped"])
def test_untar_lets_nothing_out_of_the_working_folder(name: str, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "a.tar.xz").write_bytes(tar(**{name: b"content"}))
    with pytest.raises((tarfile.OutsideDestinationError, InputError)):
        untar("folder")(tmp_path / "work" / "a.tar.xz")
    assert not (tmp_path / "escaped").exists()


# --- Each public set, from a site of its own


def test_mnist_is_fetched_checked_unpacked_and_then_read_from_disk(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels, labels = np.arange(12, dtype=np.uint8).reshape(3, 2, 2), np.array([4, 5, 6], dtype=np.uint8)
    for name, array in (("train-images-idx3-ubyte", pixels), ("train-labels-idx1-ubyte", labels)):
        header = struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape)
        packed = gzip.compress(header + array.tobytes())
        (site.folder / f"{name}.gz").write_bytes(packed)
        monkeypatch.setitem(images.MNIST_MD5, name, md5(packed))
    monkeypatch.setattr(images, "MNIST_URL", site.url)
    first = images.mnist(tmp_path, "train")
    monkeypatch.setattr(images, "MNIST_URL", f"{site.url}gone/")
    again = images.mnist(tmp_path, "train")
    for read in (first, again):
        assert (read.pixels.tolist(), read.labels.tolist()) == (pixels.reshape(3, 4).tolist(), [4, 5, 6])
    names = {path.name for path in (tmp_path / "MNIST" / "raw").iterdir()}
    assert names == {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"}


def test_an_mnist_that_is_not_torchvisions_is_refused(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (site.folder / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"something else"))
    monkeypatch.setattr(images, "MNIST_URL", site.url)
    with pytest.raises(InputError, match=r"t10k-images-idx3-ubyte: not there, .* \(the checksum is wrong\)"):
        images.mnist(tmp_path, "t10k")
    assert list((tmp_path / "MNIST" / "raw").iterdir()) == []


def test_cifar10_is_fetched_and_its_folder_put_in_place(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tar(**{"cifar-10-batches-py/test_batch": b"not read here", "cifar-10-batches-py/readme.html": b""})
    (site.folder / "cifar.tar.gz").write_bytes(archive)
    monkeypatch.setattr(images, "CIFAR10_URL", f"{site.url}cifar.tar.gz")
    monkeypatch.setattr(images, "CIFAR10_MD5", md5(archive))
    with pytest.raises(InputError, match="test_batch: is not the published file"):
        images.cifar10(tmp_path / "data", "test")
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["cifar-10-batches-py"]
    assert (tmp_path / "data" / "cifar-10-batches-py" / "test_batch").read_bytes() == b"not read here"


def test_svhn_is_fetched_and_checked(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = site.folder / "test_32x32.mat"
    scipy.io.savemat(path, {"X": np.zeros((2, 2, 3, 4), dtype=np.uint8), "y": np.array([[1], [2], [3], [10]], dtype=np.uint8)})
    monkeypatch.setattr(images, "SVHN_URL", site.url)
    with pytest.raises(InputError, match=r"test_32x32\.mat: not there, .* \(the checksum is wrong\)"):
        images.svhn(tmp_path / "data", "test")
    monkeypatch.setitem(images.SVHN_MD5, "test_32x32.mat", md5(path.read_bytes()))
    assert images.svhn(tmp_path / "data", "test").labels.tolist() == [1, 2, 3, 0]
    assert [file.name for file in (tmp_path / "data").iterdir()] == ["test_32x32.mat"]


@pytest.fixture
def libsvm_site(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site on which the set "skin" should have 20 rows of 3 columns, and "realsim" 20 rows, packed."""
    monkeypatch.setattr(sources, "LIBSVM_URL", site.url)
    for name in ("skin", "realsim"):
        entry = sources.LIBSVM_SETS[name]
        small = entry._replace(rows=20, columns=3, n_train=10, packed=entry.packed and ".xz")
        monkeypatch.setitem(sources.LIBSVM_SETS, name, small)
    return site


def rows(n: int, last: int = 3) -> bytes:
    return b"".join(b"%d 1:%d %d:1\n" % (row % 2, row + 1, last) for row in range(n))


def test_a_libsvm_set_is_fetched_and_then_read_from_disk(
    libsvm_site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (libsvm_site.folder / "skin_nonskin").write_bytes(rows(20))
    first = load("skin", tmp_path / "data", 1)
    monkeypatch.setattr(sources, "LIBSVM_URL", f"{libsvm_site.url}gone/")
    again = load("skin", tmp_path / "data", 1)
    assert sorted(np.concatenate([part.x[:, 0] for part in first[:3]])) == list(range(1, 21))
    assert first.train.x.tolist() == again.train.x.tolist()
    names = {path.name for path in (tmp_path / "data" / "libsvm").iterdir()}
    assert names == {"skin_nonskin", "skin_nonskin.rdia-cache.npz"}


def test_a_packed_libsvm_set_stays_packed(libsvm_site: Site, tmp_path: Path) -> None:
    (libsvm_site.folder / "real-sim.xz").write_bytes(lzma.compress(rows(20)))
    assert len(load("realsim", tmp_path / "data", 1).test.labels) == 10
    names = {path.name for path in (tmp_path / "data" / "libsvm").iterdir()}
    assert names == {"real-sim.xz", "real-sim.xz.rdia-cache.npz"}


BAD_SETS = {
    "a row too few": (rows(19), "skin_nonskin: came with 19 rows"),
    "a row more": (rows(21), "skin_nonskin: came with 21 rows"),
    "two columns more": (rows(20, last=5), "skin_nonskin: came with "),
    "a page of a log-in": (b"<html>log in first</html>", "skin_nonskin: line 1 is '<html>"),
    "a last line cut short": (rows(20)[:-5], "skin_nonskin: came without the end of its last line"),
    "no bytes": (b"", "skin_nonskin: is empty"),
}


@pytest.mark.parametrize(("content", "message"), BAD_SETS.values(), ids=BAD_SETS)
def test_a_libsvm_set_of_another_size_is_refused(content: bytes, message: str, libsvm_site: Site, tmp_path: Path) -> None:
    (libsvm_site.folder / "skin_nonskin").write_bytes(content)
    with pytest.raises(InputError, match=message):
        load("skin", tmp_path / "data", 1)
    assert list((tmp_path / "data" / "libsvm").iterdir()) == []


def test_a_libsvm_set_with_more_columns_is_refused_for_its_columns(libsvm_site: Site, tmp_path: Path) -> None:
    (libsvm_site.folder / "skin_nonskin").write_bytes(rows(20, last=5))
    with pytest.raises(InputError, match="5 columns"):
        load("skin", tmp_path / "data", 1)


def test_criteos_two_files_come_from_one_archive(libsvm_site: Site, tmp_path: Path) -> None:
    folder = "criteo.kaggle2014.svm"
    archive = tar(**{f"{folder}/train.txt.svm": rows(20), f"{folder}/test.txt.svm": rows(4)})
    (libsvm_site.folder / f"{folder}.tar.xz").write_bytes(archive)
    dataset = load("criteo", tmp_path / "data", 1)
    assert (len(dataset.train.labels), len(dataset.validation.labels), len(dataset.test.labels)) == (14, 6, 4)
    assert [path.name for path in (tmp_path / "data" / "libsvm").iterdir()] == [folder]


NO_CRITEO = {
    "a page of a log-in": b"<html>log in first</html>",
    "other names": tar(**{"elsewhere/train.txt.svm": rows(20)}),
    "cut short": tar(a=bytes(9999))[:-50],
}


@pytest.mark.parametrize("content", NO_CRITEO.values(), ids=NO_CRITEO)
def test_an_archive_that_is_not_criteos_is_refused(content: bytes, libsvm_site: Site, tmp_path: Path) -> None:
    (libsvm_site.folder / "criteo.kaggle2014.svm.tar.xz").write_bytes(content)
    with pytest.raises(InputError):
        load("criteo", tmp_path / "data", 1)
    assert list((tmp_path / "data" / "libsvm").iterdir()) == []

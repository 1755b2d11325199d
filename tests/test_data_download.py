"""Downloads, from a server on this machine."""

import gc
import gzip
import hashlib
import io
import lzma
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from data import download as module
from data import public
from data.dataset import load, load_pictures
from data.download import download
from data.errors import InputError
from tests.disks import limited
from tests.invoke import ROOT
from tests.problems import write_mnist

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # pooch leaves a broken answer open


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


class CutsShort(Quiet):
    def send_header(self, keyword: str, value: str) -> None:
        super().send_header(keyword, str(int(value) + 1) if keyword == "Content-Length" else value)


class Stalls(Quiet):
    """Sends a part of what it promises, and waits for the other side to leave."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(bytes(50))
        self.connection.settimeout(30)
        self.connection.recv(1)


class Site(NamedTuple):
    folder: Path
    url: str
    server: HTTPServer


@pytest.fixture(autouse=True, scope="module")
def no_socket_is_left_to_other_tests() -> Iterator[None]:
    yield
    gc.collect()  # while the warning is ignored


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


@pytest.mark.parametrize("checksum", [md5(b"content"), None])
def test_a_good_file_is_put_in_place_and_nothing_else(checksum: str | None, site: Site, tmp_path: Path) -> None:
    (site.folder / "a").write_bytes(b"content")
    target = tmp_path / "new" / "folder" / "b"
    assert download(f"{site.url}a", target, checksum) == target
    assert target.read_bytes() == b"content"
    assert list(target.parent.iterdir()) == [target]


FAULTS = ("wrong checksum", "no such file", "cut short", "no answer")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failed_download_is_one_line_and_leaves_nothing(fault: str, site: Site, tmp_path: Path) -> None:
    content = b"something else" if fault == "wrong checksum" else b"content"
    if fault != "no such file":
        (site.folder / "a").write_bytes(content)
    if fault == "cut short":
        site.server.RequestHandlerClass = partial(CutsShort, directory=str(site.folder))
    url, target = f"{site.url}a", tmp_path / "data" / "b"
    if fault == "no answer":
        with HTTPServer(("127.0.0.1", 0), Quiet) as closed:
            url = f"http://127.0.0.1:{closed.server_port}/a"
    causes = (
        "does not match the known hash",
        "(HTTP status 404)",
        "(the connection broke off)",
        "(no network, or the server cannot be reached)",
    )
    with pytest.raises(InputError) as refused:
        download(url, target, md5(b"content"))
    assert str(refused.value).startswith(f"{target}: is missing and could not be downloaded from {url} (")
    assert causes[FAULTS.index(fault)] in str(refused.value)
    assert str(refused.value).endswith("); put the file there by hand, or give the folder that has it as --data_dir")
    assert list(target.parent.iterdir()) == []


def test_a_download_is_tried_again(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRIES", 1)
    monkeypatch.setattr(time, "sleep", lambda _: (site.folder / "a").write_bytes(b"content"))
    assert download(f"{site.url}a", tmp_path / "b").read_bytes() == b"content"


def test_a_server_that_says_no_more_is_given_up(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.1)
    site.server.RequestHandlerClass = Stalls
    with pytest.raises(InputError, match=r"could not be downloaded from .*\(no answer within 0\.1 seconds\)"):
        download(f"{site.url}a", tmp_path / "data" / "b")
    assert list((tmp_path / "data").iterdir()) == []


def test_a_disk_without_room_is_one_line_and_keeps_no_part(site: Site, tmp_path: Path) -> None:
    (site.folder / "a").write_bytes(bytes(10**6))
    with limited(10**5), pytest.raises(InputError, match=rf"^{tmp_path}/data/b: is missing .*File too large.* as --data_dir$"):
        download(f"{site.url}a", tmp_path / "data" / "b")
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_download_leaves_nothing_that_is_taken_for_data(end: signal.Signals, site: Site, tmp_path: Path) -> None:
    site.server.RequestHandlerClass = Stalls
    program = "import sys; from pathlib import Path; from data.download import download; download(sys.argv[1], Path(sys.argv[2]))"
    folder = tmp_path / "data"
    with subprocess.Popen(
        [sys.executable, "-c", program, f"{site.url}a", folder / "b"], cwd=ROOT, stderr=subprocess.DEVNULL
    ) as run:
        while not [*folder.glob(".download-*/*")] and run.poll() is None:
            time.sleep(0.01)
        os.kill(run.pid, end)
    assert run.returncode != 0
    left = [*folder.iterdir()]
    assert [path.name.startswith(".download-") for path in left] == ([] if end == signal.SIGINT else [True])


def test_a_folder_that_cannot_be_made_is_refused_with_the_flag(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a file")
    with pytest.raises(InputError, match=rf"^--data_dir {tmp_path}/a/libsvm: cannot be written \(.+\); give a folder that can be$"):
        load("diabetes", tmp_path / "a", 1)


# --- Each public set, from a site of its own


def test_mnist_is_fetched_and_checked_and_then_read_from_disk(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels, labels = np.arange(40 * 6, dtype=np.uint8).reshape(40, 2, 3), np.arange(40, dtype=np.uint8) % 10
    for part in ("train", "t10k"):
        write_mnist(tmp_path / "made", part, pixels, labels)
    for path in (tmp_path / "made" / "MNIST" / "raw").iterdir():
        packed = gzip.compress(path.read_bytes())
        (site.folder / f"{path.name}.gz").write_bytes(packed)
        monkeypatch.setitem(public.MNIST_MD5, path.name, md5(packed))
    monkeypatch.setattr(public, "MNIST_URL", site.url)
    first = load_pictures("mnist", tmp_path, 1)
    monkeypatch.setattr(public, "MNIST_URL", f"{site.url}gone/")
    again = load_pictures("mnist", tmp_path, 1)
    for dataset in (first, again):
        assert dataset.test.x.tolist() == pixels[:, None].tolist()
        assert dataset.test.labels.tolist() == labels.tolist()
    assert {path.name for path in (tmp_path / "MNIST" / "raw").iterdir()} == {f"{name}.gz" for name in public.MNIST_MD5}


def test_an_mnist_that_is_not_the_published_one_is_refused(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (site.folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"something else"))
    monkeypatch.setattr(public, "MNIST_URL", site.url)
    with pytest.raises(InputError, match=r"train-images-idx3-ubyte\.gz: is missing .* does not match the known hash"):
        load("mnist", tmp_path, 1)
    assert list((tmp_path / "MNIST" / "raw").iterdir()) == []


@pytest.fixture
def libsvm_site(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site on which the set "skin" should have 20 rows of 3 columns, and "realsim" 20 rows, packed."""
    monkeypatch.setattr(public, "LIBSVM_URL", site.url)
    for name in ("skin", "realsim"):
        entry = public.LIBSVM_SETS[name]
        small = entry._replace(rows=20, columns=3, n_train=10, packed=entry.packed and ".xz")
        monkeypatch.setitem(public.LIBSVM_SETS, name, small)
    monkeypatch.setattr(public, "CHECKED_ROWS", 7)
    return site


def rows(n: int, last: int = 3) -> bytes:
    return b"".join(b"%d 1:%d %d:1\n" % (row % 2, row + 1, last) for row in range(n))


def test_a_libsvm_set_is_fetched_and_then_read_from_disk(
    libsvm_site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (libsvm_site.folder / "skin_nonskin").write_bytes(rows(20))
    first = load("skin", tmp_path / "data", 1)
    monkeypatch.setattr(public, "LIBSVM_URL", f"{libsvm_site.url}gone/")
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
    "a row too few": (
        rows(19),
        "has 19 rows and 3 columns after its download, expected 20 rows and at most 3 columns",
    ),
    "a row more": (rows(21), "skin_nonskin: has 21 rows and 3 columns"),
    "two columns more": (rows(20, last=5), "skin_nonskin: has 20 rows and 5 columns"),
    "a page of a log-in": (b"<html>log in first</html>", "skin_nonskin: line 1 is '<html>"),
    "no bytes": (b"", "skin_nonskin: has 0 rows and 0 columns"),
}


@pytest.mark.parametrize(("content", "message"), BAD_SETS.values(), ids=BAD_SETS)
def test_a_libsvm_set_of_another_size_is_refused(content: bytes, message: str, libsvm_site: Site, tmp_path: Path) -> None:
    (libsvm_site.folder / "skin_nonskin").write_bytes(content)
    with pytest.raises(InputError, match=message):
        load("skin", tmp_path / "data", 1)
    assert list((tmp_path / "data" / "libsvm").iterdir()) == []


def tar(**members: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:xz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return file.getvalue()


CRITEO = "criteo.kaggle2014.svm"


def test_criteos_two_files_come_from_one_archive(libsvm_site: Site, tmp_path: Path) -> None:
    archive = tar(**{f"{CRITEO}/train.txt.svm": rows(20), f"{CRITEO}/test.txt.svm": rows(4)})
    (libsvm_site.folder / f"{CRITEO}.tar.xz").write_bytes(archive)
    dataset = load("criteo", tmp_path / "data", 1)
    assert (len(dataset.train.labels), len(dataset.validation.labels), len(dataset.test.labels)) == (14, 6, 4)
    assert [path.name for path in (tmp_path / "data" / "libsvm").iterdir()] == [CRITEO]


NO_CRITEO = {
    "a page of a log-in": b"<html>log in first</html>",
    "other names": tar(**{"elsewhere/train.txt.svm": rows(20)}),
    "cut short": tar(a=np.random.default_rng(0).bytes(9999))[:-5000],
    "a file outside": tar(**{f"{CRITEO}/../../../escaped": b"content"}),
}


@pytest.mark.parametrize("content", NO_CRITEO.values(), ids=NO_CRITEO)
def test_an_archive_that_is_not_criteos_is_one_line_and_leaves_nothing(content: bytes, libsvm_site: Site, tmp_path: Path) -> None:
    (libsvm_site.folder / f"{CRITEO}.tar.xz").write_bytes(content)
    with pytest.raises(InputError, match=rf"libsvm/{CRITEO}: is missing and could not be downloaded from"):
        load("criteo", tmp_path / "data", 1)
    assert list((tmp_path / "data" / "libsvm").iterdir()) == []
    assert not (tmp_path / "data" / "escaped").exists()

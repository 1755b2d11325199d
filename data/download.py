"""Public data files fetched once: retried, checked, and put in place by a rename."""

import logging
import lzma
import shutil
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from data.errors import InputError
from data.files import remove_left, writable_folder
from data.libsvm import open_bytes

RETRIES = 2  # after the first try; pooch waits 1 s, then 2 s
TIMEOUT = 30  # seconds without a byte
WORK = ".rdia-download-"  # what the folder of a download that is going on begins with
Step = Callable[[Path], Path]  # takes the fetched file, gives the file or folder to put in place; raises InputError

log = logging.getLogger(__name__)


def download(url: str, md5: str | None, target: Path, prepare: Step) -> Path:
    """Fetch `url`, check it, `prepare` it (unpack, parse) and rename the result to `target`.

    md5: the published checksum; without one `prepare` has to judge the file. Raises `InputError` if the folder cannot be
    written, the file cannot be had, or `prepare` refuses it: `target` then does not exist.
    """
    writable_folder(target.parent, "--data_dir")
    remove_left(target.parent, f"{WORK}*")
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=WORK) as work:
            _put(prepare(_fetch(url, md5, Path(work), target)), target)
    except OSError as error:
        cause = error.strerror or error
        raise InputError(f"{target}: cannot be written ({cause}); make room, or give another --data_dir") from error
    log.info("downloaded %s to %s", url, target)
    return target


def _put(made: Path, target: Path) -> None:
    """Rename; a folder that another run has put there meanwhile stays."""
    try:
        made.replace(target)
    except OSError:
        if not target.is_dir():
            raise


def gunzip(fetched: Path) -> Path:
    """Unpack NAME.gz to NAME."""
    with open_bytes(fetched) as packed, fetched.with_suffix("").open("wb") as plain:
        shutil.copyfileobj(packed, plain)
    return fetched.with_suffix("")


def untar(folder: str) -> Step:
    """Unpack an archive and give its `folder`; tarfile's "data" filter lets nothing out of the working folder."""

    def unpack(fetched: Path) -> Path:
        try:
            with tarfile.open(fetched) as archive:
                archive.extractall(fetched.parent, filter="data")
        except (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise InputError(f"{fetched.name}: came damaged ({error}); try again later") from error
        if not (fetched.parent / folder).is_dir():
            raise InputError(f"{fetched.name}: came without the folder {folder}; try again later")
        return fetched.parent / folder

    return unpack


def _fetch(url: str, md5: str | None, work: Path, target: Path) -> Path:
    import pooch  # here: only a run that downloads pays for importing it
    import requests

    pooch.get_logger().setLevel("WARNING")  # it would log the temporary name
    name = url.rpartition("/")[2]
    source = pooch.create(work, base_url="", registry={name: md5 and f"md5:{md5}"}, urls={name: url}, retry_if_failed=RETRIES)
    get = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=TIMEOUT, hooks={"response": stay_encrypted})
    try:
        return Path(source.fetch(name, downloader=get))
    except (requests.RequestException, ValueError) as error:
        cause = type(error).__name__
        if not isinstance(error, requests.RequestException) and "known hash" in str(error):  # pooch's words
            cause = "the checksum is wrong"
        elif isinstance(error, requests.HTTPError) and error.response is not None:
            cause = f"HTTP status {error.response.status_code}"
        elif isinstance(error, requests.exceptions.InvalidSchema):
            cause = "it redirects to what is no https"
        raise InputError(
            f"{target}: not there, and {url} could not be fetched ({cause}); put the file there by hand,"
            " give the folder that has it as --data_dir, or use --dataset digits, which needs none"
        ) from error


def stay_encrypted(response: Any, **_: object) -> None:
    """Follow no redirect from https to http, as not all that is fetched has a checksum: raise requests' `InvalidSchema`."""
    from requests.exceptions import InvalidSchema

    to = urljoin(response.url, response.headers.get("location", ""))
    if response.is_redirect and urlsplit(response.url).scheme == "https" != urlsplit(to).scheme:
        raise InvalidSchema(to)

"""Public data files, fetched once."""

import logging
import lzma
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from data.errors import InputError
from data.files import writable_folder

log = logging.getLogger(__name__)

RETRIES = 2  # after the first try
SECONDS = 30  # without a byte, after which a try is given up
FAULTS = (
    OSError,
    ValueError,
    EOFError,
    tarfile.TarError,
    lzma.LZMAError,
)  # of a download (`requests` raises `OSError`) or of unpacking


def cause(error: Exception) -> str:
    """Why a download failed, in plain words: the errors of `requests` and of `urllib` quote their own objects."""
    from urllib.error import HTTPError, URLError

    import requests

    status = error.code if isinstance(error, HTTPError) else getattr(getattr(error, "response", None), "status_code", None)
    if status is not None:
        return f"HTTP status {status}"
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return f"no answer within {SECONDS} seconds"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off"
    if isinstance(error, (requests.ConnectionError, URLError)):
        return "no network, or the server cannot be reached"
    return str(error)


def as_fetched(fetched: Path) -> Path:
    """Nothing to check or to unpack."""
    return fetched


def download(url: str, target: Path, md5: str | None = None, prepare: Callable[[Path], Path] = as_fetched) -> Path:
    """Fetch `url`, check and `prepare` it in a folder of its own, and move the result to `target` by a rename.

    md5: the published checksum; without one `prepare` has to judge the file, and raise `InputError`. prepare: takes the fetched
    file, and gives the file or folder beside it that is moved. Raises `InputError`; `target` is then missing as before.
    """
    import pooch  # here: only a run that downloads pays for importing it

    name, get = url.rpartition("/")[2], pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=SECONDS)
    pooch.get_logger().setLevel("WARNING")
    with tempfile.TemporaryDirectory(dir=writable_folder(target.parent, "--data_dir"), prefix=".download-") as work:
        source = pooch.create(work, "", registry={name: md5 and f"md5:{md5}"}, urls={name: url}, retry_if_failed=RETRIES)
        try:
            prepare(Path(source.fetch(name, downloader=get))).replace(target)
        except FAULTS as error:
            remedy = "put the file there by hand, or give the folder that has it as --data_dir"
            raise InputError(f"{target}: is missing and could not be downloaded from {url} ({cause(error)}); {remedy}") from error
    log.info("downloaded %s to %s", url, target)
    return target

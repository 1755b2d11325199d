"""Public data files, fetched once."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from data.errors import InputError
from data.files import writable_folder

log = logging.getLogger(__name__)

RETRIES = 2  # after the first try
SECONDS = 30  # without a byte, after which a download is given up


def download(
    url: str, target: Path, md5: str | None = None, check: Callable[[Path], None] | None = None, unpack: bool = False
) -> Path:
    """Fetch `url` to `target`, which is there whole or not at all, and unpack it beside it if asked for.

    md5: the published checksum; without one `check` has to judge the file, and raise `InputError`. Raises `InputError`.
    """
    import pooch  # here: only a run that downloads pays for importing it
    import requests

    def checked(fetched: str, action: str, _: Any) -> str:
        if check and action != "fetch":
            try:
                check(Path(fetched))
            except InputError:
                Path(fetched).unlink()
                raise
        return fetched

    folder, name = writable_folder(target.parent, "--data_dir"), target.name
    source = pooch.create(folder, "", registry={name: md5 and f"md5:{md5}"}, urls={name: url}, retry_if_failed=RETRIES)
    pooch.get_logger().setLevel("WARNING")
    try:
        processor = pooch.Untar(extract_dir=".") if unpack else checked
        source.fetch(name, processor, pooch.HTTPDownloader(progressbar=True, timeout=SECONDS))
    except (requests.RequestException, ValueError, OSError) as error:
        remedy = "put the file there by hand, or use --dataset digits, which needs none"
        raise InputError(f"{target}: is not there, and {url} could not be fetched ({type(error).__name__}); {remedy}") from error
    log.info("downloaded %s to %s", url, target)
    return target

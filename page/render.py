"""The review page of a run: one HTML file that holds all it shows, and loads nothing from any network.

    python RDIA.py --dataset digits --audit page.html      # at the end of a run
    python RDIA.py --dataset mine.csv --audit page.html    # the same for your own labels, by the protocol auto
    python RDIA-LS.py --dataset digits --audit page.html   # and for RDIA-LS
    python -m page out page.html                           # the last run with --result_dir out

The page exports a person's decisions as CSV. `RDIA.py --labels FILE.csv`, with the flags of the run, also fits on these;
`RDIA-LS.py --labels FILE.csv` trains on them.
"""

import base64
import hashlib
import json
from pathlib import Path
from string import Template

import numpy as np

from data.errors import InputError
from data.files import refuse_endless, replacing, writable_folder
from page.review import FEATURES, Review
from page.sprites import SHEET, TILES_ACROSS
from page.texts import texts
from run.records import Record

HERE = Path(__file__).resolve().parent
UNSAFE = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}  # could end a script element or a line of JavaScript
KINDS = {"f8": "<f8", "f4": "<f4", "u4": "<u4", "i4": "<i4", "u2": "<u2", "u1": "u1"}  # typed arrays of JavaScript
ARRAYS = {
    "rows": "u4",
    "phi": "f8",
    "eta": "f4",
    "given": "u2",
    "suggested": "u2",
    "p_given": "f4",
    "p_suggested": "f4",
    "uncertainty": "f4",
    "flipped": "u1",
    "counts": "u4",
    "columns": "i4",
    "values": "f4",
    "pulls": "f4",
    "alike_samples": "u4",
    "alike": "i4",
    "example_rows": "u4",
    "example_labels": "u2",
}


def write_page(review: Review, path: Path) -> None:
    """Write the page, whole or not at all. Raises `InputError` if it cannot be written."""
    try:
        with replacing(path) as file:
            file.write(html_page(review).encode(errors="replace"))  # a file name may not be valid text
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); make room, or give another path") from error


def page_line(path: Path) -> str:
    """What the terminal says of a page that was written."""
    return f"review page, open it in a browser: {path}"


def html_page(review: Review) -> str:
    """The HTML of the page. Its policy allows its own script and style sheet, by their hashes, and no requests."""
    style, script = ((HERE / f"page.{suffix}").read_text(encoding="utf-8") for suffix in ("css", "js"))
    policy = (
        f"default-src 'none'; style-src {source_hash(style)}; script-src {source_hash(script)}; img-src data:;"
        " base-uri 'none'; form-action 'none'"
    )
    return Template((HERE / "page.html").read_text(encoding="utf-8")).substitute(
        policy=policy,
        style=style,
        script=script,
        data=embedded(payload(review)),
        **texts(review.facts),
    )


def source_hash(text: str) -> str:
    """How a Content-Security-Policy names an inline style or script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def payload(review: Review) -> Record:
    """The data of the page's script: facts, typed arrays as base64, sheets of pictures as data URIs."""
    return {
        "facts": review.facts,
        "arrays": {name: [kind, _base64(getattr(review, name).astype(KINDS[kind]))] for name, kind in ARRAYS.items()},
        "about": review.about.tolist(),
        "names": review.names.tolist(),
        "sheets": addresses(review.sheets, review.ends),
        "example_about": review.example_about.tolist(),
        "example_sheets": addresses(review.example_sheets, review.example_ends),
        "across": TILES_ACROSS,
        "sheet": SHEET,
        "features": FEATURES,
    }


def addresses(sheets: np.ndarray, ends: np.ndarray) -> list[str]:
    """Sheets of pictures as data URIs."""
    return [f"data:image/png;base64,{_base64(sheet)}" for sheet in np.split(sheets, ends)[:-1]]


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode()


def embedded(record: Record) -> str:
    """JSON that is safe inside a script element."""
    return json.dumps(record, allow_nan=False, ensure_ascii=False, separators=(",", ":")).translate(UNSAFE)


def page_path(path: Path, flag: str, begins: bytes = b"") -> Path:
    """`path`, where a page can be written; its folder is made if it is missing.

    begins: the first bytes of a file that may be replaced, by default those of a page of this program. Raises `InputError` that
    names `flag` if the path cannot be written, or holds a file of another kind, such as the data.
    """
    begins = begins or (HERE / "page.html").read_bytes().partition(b"$")[0]
    if path.is_dir():
        raise InputError(f"{flag} {path}: is a folder, expected the name of a file; give {path / 'page.html'}")
    refuse_endless(path, flag)
    writable_folder(path.parent, flag, path)
    try:
        with path.open("rb") as file:
            other = file.read(len(begins)) not in {begins, b""}
    except OSError:
        other = path.exists()
    if other:
        raise InputError(
            f"{flag} {path}: exists and was not written by --audit; refusing to overwrite: give another name, or remove it"
        )
    return path

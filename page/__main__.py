"""The review page of a finished run.

python -m page out page.html      # of the last run of RDIA.py with --result_dir out
"""

from pathlib import Path

from page.render import page_path, write_page
from page.review import kept
from run.flags import Parser
from run.script import run_script


def parser() -> Parser:
    """The flags of `python -m page`."""
    flags = Parser("page", __doc__)
    flags.add_argument("result_dir", type=Path, help="the --result_dir of a run of RDIA.py")
    flags.add_argument("page", type=Path, help="the HTML file to write")
    return flags


def main() -> None:
    """Write the page of a finished run."""
    given = parser().parse_args()
    found = kept(given.result_dir)
    write_page(found, page_path(given.page, "page"))


def cli() -> None:
    """The same, with errors as one line."""
    run_script("page", main)


if __name__ == "__main__":
    cli()

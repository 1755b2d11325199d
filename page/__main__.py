"""Write the review page of a finished run.

python -m page out page.html      # the last run of RDIA.py or RDIA-LS.py with --result_dir out
"""

from pathlib import Path

from page.render import page_path, write_page
from page.review import load_review
from run.flags import Parser
from run.script import run_script


def parser() -> Parser:
    """The flags of `python -m page`."""
    flags = Parser("page", __doc__)
    flags.add_argument("result_dir", type=Path, help="the --result_dir of a run of RDIA.py or RDIA-LS.py")
    flags.add_argument("page", type=Path, help="the HTML file to write")
    return flags


def main() -> None:
    """Write the page."""
    given = parser().parse_args()
    review = load_review(given.result_dir)
    write_page(review, page_path(given.page, "page"))


def cli() -> None:
    """The command: an error is one line."""
    run_script("page", main)


if __name__ == "__main__":
    cli()

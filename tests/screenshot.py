"""docs/page.png: the review page in headless Chromium, after the first samples were decided, each with another key.

python RDIA.py --dataset mnist10 --noise 0.4 --relabel best --alpha auto --audit page.html
python -m tests.screenshot page.html docs/page.png

With --cards N the first N samples alone, with the rows that are like them: docs/page-text.png and others.
"""

import io
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from data.files import replacing
from page.render import page_path
from run.flags import Parser, count
from run.script import run_script
from tests.browser import chromium

if TYPE_CHECKING:
    from playwright.sync_api import FloatRect, Page

SIZE = {"width": 1280, "height": 1700}
KEYS = "aara3"
EDGE = 8  # pixels about the samples
PNG = b"\x89PNG"
COLOURS = 128


def around(page: "Page", cards: int) -> "FloatRect":
    """The rectangle about the first samples."""
    boxes = [page.locator(".sample").nth(place).bounding_box() for place in range(cards)]
    edges = [(box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]) for box in boxes if box]
    left, top = min(edge[0] for edge in edges), min(edge[1] for edge in edges)
    right, bottom = max(edge[2] for edge in edges), max(edge[3] for edge in edges)
    return {"x": left - EDGE, "y": top - EDGE, "width": right - left + 2 * EDGE, "height": bottom - top + 2 * EDGE}


def main() -> None:
    flags = Parser("screenshot", __doc__)
    flags.add_argument("page", type=Path, help="a page of ten classes")
    flags.add_argument("picture", type=Path, help="the PNG file to write")
    flags.add_argument("--cards", type=count, help="take the first so many samples, not the whole page")
    given = flags.parse_args()
    with chromium() as browser:
        page = browser.new_page(viewport={"width": SIZE["width"], "height": SIZE["height"]})
        page.goto(given.page.resolve().as_uri())
        page.focus(".sample[tabindex='0']")
        for key in "w" if given.cards else KEYS:
            page.keyboard.press(key)
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_timeout(500)  # the sheet of pictures is decoded
        taken = page.screenshot(clip=around(page, given.cards) if given.cards else None, full_page=bool(given.cards))
    with replacing(page_path(given.picture, "picture", PNG)) as file:
        Image.open(io.BytesIO(taken)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)


if __name__ == "__main__":
    run_script("screenshot", main)

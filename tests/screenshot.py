"""docs/page.png: the review page in headless Chromium, after the first samples were decided, each with another key.

python RDIA.py --dataset mnist10 --noise 0.4 --relabel best --alpha auto --audit page.html
python -m tests.screenshot page.html docs/page.png
"""

import io
from pathlib import Path

from PIL import Image

from data.files import replacing
from page.render import page_path
from run.flags import Parser
from run.script import run_script
from tests.browser import chromium

SIZE = {"width": 1280, "height": 1700}
KEYS = "aara3"
PNG = b"\x89PNG"
COLOURS = 128


def main() -> None:
    flags = Parser("screenshot", __doc__)
    flags.add_argument("page", type=Path, help="a page of ten classes")
    flags.add_argument("picture", type=Path, help="the PNG file to write")
    given = flags.parse_args()
    with chromium() as browser:
        page = browser.new_page(viewport={"width": SIZE["width"], "height": SIZE["height"]})
        page.goto(given.page.resolve().as_uri())
        page.focus(".sample[tabindex='0']")
        for key in KEYS:
            page.keyboard.press(key)
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_timeout(500)  # the sheet of pictures is decoded
        taken = page.screenshot()
    with replacing(page_path(given.picture, "picture", PNG)) as file:
        Image.open(io.BytesIO(taken)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)


if __name__ == "__main__":
    run_script("screenshot", main)

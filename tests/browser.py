"""Debian's Chromium without a window, for the tests and the benchmark of the page."""

import importlib.util
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def absent() -> str:
    """Why there is no browser, and what to do about it; nothing if there is one."""
    if not importlib.util.find_spec("playwright"):
        return "playwright is not installed: pip install -r requirement-dev.txt"
    if not shutil.which("chromium"):
        return "chromium is not installed: apt-get install --no-install-recommends chromium"
    return ""


@contextmanager
def chromium() -> Iterator["Browser"]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        yield browser
        browser.close()

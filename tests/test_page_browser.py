"""The page of a run in a browser: what a person sees and does, and that nothing leaves it but the exported file."""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import RDIA
from page.render import write_page
from tests.browser import absent, chromium
from tests.invoke import Invoke
from tests.reviews import a_review

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.skipif(bool(absent()), reason=absent())
Visit = Callable[..., "Page"]


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with chromium() as found:
        yield found


@pytest.fixture
def visit(browser: "Browser") -> Iterator[Visit]:
    """Open a page, and in the end hold that no page said anything on the console, or asked for anything but itself."""
    said: list[str] = []
    asked: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.on("request", lambda request: asked.append(request.url))

    def go(path: Path, width: int = 1280) -> "Page":
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": 900})
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]")
        return page

    yield go
    context.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Invoke:
    return Invoke(RDIA, "RDIA.py", monkeypatch, capsys)


@pytest.fixture
def ten(tmp_path: Path) -> Path:
    """The page of 300 samples of ten classes."""
    write_page(a_review(300, 10), tmp_path / "ten.html")
    return tmp_path / "ten.html"


def exported(page: "Page", path: Path) -> list[dict[str, str]]:
    with page.expect_download() as download:
        page.click("#export")
    download.value.save_as(path)
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def set_slider(page: "Page", value: int) -> None:
    page.evaluate(
        "value => { const s = document.getElementById('slider'); s.value = value; s.dispatchEvent(new Event('input')) }", value
    )


def test_a_person_reviews_exports_and_fits_on_the_decisions(tmp_path: Path, visit: Visit, invoke: Invoke) -> None:
    path, decided = tmp_path / "page.html", tmp_path / "decided.csv"
    record = json.loads(invoke("--dataset", "digits", "--audit", path, "--json").out)
    page = visit(path)
    assert page.inner_text("h1") == "Labels to review: digits"
    assert page.inner_text("#suspects") == f"{record['relabeled']} suspects of 202 training labels"
    page.focus("#slider")
    for _ in range(3):
        page.keyboard.press("PageUp")
    fewer = int(page.inner_text("#suspects").split()[0])
    assert 0 < fewer < record["relabeled"]
    assert page.inner_text("#expected").startswith("expected validation loss: 0.")
    page.click("#reset")
    page.fill("#name", 'Ann "the judge", B.')
    page.focus(".sample[tabindex='0']")
    for key in "aaaara":
        page.keyboard.press(key)
    page.keyboard.press("u")
    page.keyboard.press("r")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Delete")
    assert "5 of 81 suspects decided: 4 accepted, 1 rejected" in page.inner_text("#done")
    page.reload()
    assert "5 of 81 suspects decided: 4 accepted, 1 rejected" in page.inner_text("#done")
    rows = exported(page, decided)
    assert list(rows[0]) == ["run", "index", "given", "suggested", "decided", "by", "when", "drawn"]
    assert [row["decided"] == row["suggested"] for row in rows] == [True] * 4 + [False]
    assert rows[4]["decided"] == rows[4]["given"]
    assert {row["by"] for row in rows} == {'Ann "the judge", B.'}
    page.click("#accept-list")
    assert len(exported(page, decided)) == record["relabeled"]
    refitted = json.loads(invoke("--dataset", "digits", "--labels", decided, "--json").out)
    assert refitted["decided"] == {"labels": 81, "changed": 80, "right": 79}
    losses = {name: found["test"]["log_loss"] for name, found in refitted["methods"].items()}
    assert losses["Decided"] < losses["ERM"] / 3


def test_keys_choose_labels_and_move_through_the_grid(ten: Path, visit: Visit, tmp_path: Path) -> None:
    page, found = visit(ten), a_review(300, 10)
    page.keyboard.press("a")  # nothing has the focus: the key goes to the first sample, and decides nothing
    assert "0 accepted" in page.inner_text("#done")
    columns = page.evaluate("getComputedStyle(document.getElementById('samples')).gridTemplateColumns.split(' ').length")
    for key in ("ArrowDown", "ArrowRight", "7"):
        page.keyboard.press(key)
    page.click("#export")  # by mouse, the focus leaves the samples
    page.keyboard.press("a")
    rows = exported(page, tmp_path / "d.csv")
    place = columns + 1
    assert [(int(row["index"]), row["decided"]) for row in rows] == [(found.rows[place], "7")]
    page.focus(".sample[tabindex='0']")
    page.keyboard.press("Control+z")
    assert page.is_disabled("#export")


def test_filters_by_pair_decision_and_flip_count_as_numpy_does(ten: Path, visit: Visit) -> None:
    page, found = visit(ten), a_review(300, 10)
    suspects = found.phi > found.facts["alpha"]
    given, suggested = found.given[suspects], found.suggested[suspects]
    pair = (int(given[0]), int(suggested[0]))
    count = int(((given == pair[0]) & (suggested == pair[1])).sum())
    cell = page.locator(f"[aria-label^='given {pair[0]}, suggested {pair[1]}:']")
    assert cell.inner_text() == str(count)
    cell.click()
    assert page.locator(".sample:visible").count() == count
    assert cell.get_attribute("aria-pressed") == "true"
    page.click("#clear")
    page.select_option("#flip", "0")
    kept = int((~found.flipped[suspects]).sum())
    assert page.inner_text("#accept-list") == f"Accept all shown on every page ({kept})"
    page.click("#accept-list")
    page.click("#clear")
    page.select_option("#decision", "0")
    assert page.inner_text("#accept-list") == f"Accept all shown on every page ({int(suspects.sum()) - kept})"
    page.focus(".sample[tabindex='0']")
    page.keyboard.press("r")  # the sample leaves the list, and the next one is in its place
    assert page.locator(".sample:focus").get_attribute("aria-label").startswith("Sample 1 of")  # type: ignore[union-attr]
    page.select_option("#scope", "all")
    page.select_option("#decision", "any")
    assert page.locator(".sample:visible").first.get_attribute("aria-label").startswith("Sample 1 of 300,")  # type: ignore[union-attr]


def test_the_slider_counts_what_lies_above_alpha(ten: Path, visit: Visit) -> None:
    page, found = visit(ten), a_review(300, 10)
    for value in (0, 250, 600, 1000):
        set_slider(page, value)
        alpha = float(page.evaluate("document.getElementById('slider').getAttribute('aria-valuetext')").split()[1].rstrip(":"))
        shown = int(page.inner_text("#suspects").split()[0])
        assert abs(shown - int((found.phi > alpha).sum())) <= 1  # alpha is shown to four digits
    assert shown == 0
    assert page.is_visible("#none")
    losses = [point["loss"] for point in found.facts["curve"]]
    page.click("#reset")
    part = np.arcsinh(found.facts["alpha"] / found.facts["linear"]) / np.arcsinh(0.5 / found.facts["linear"])
    between = losses[-1] + part * (losses[1] - losses[-1])  # the run's alpha lies between the grid's 0 and 0.5
    assert f"expected validation loss: {between:.4f} " in page.inner_text("#expected")
    set_slider(page, 0)
    assert page.inner_text("#expected") == f"expected validation loss: {losses[-1]:.4f} (labels as given: {losses[0]:.4f})"


HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</script>\u2028&amp;,")


def test_names_of_classes_are_shown_not_run(tmp_path: Path, visit: Visit) -> None:
    found = a_review(60, 3, classes=HOSTILE)
    write_page(found._replace(facts={**found.facts, "dataset": HOSTILE[0]}), tmp_path / "page.html")
    page = visit(tmp_path / "page.html")
    assert page.inner_text("h1") == f"Labels to review: {HOSTILE[0]}"
    assert set(page.locator(".sample:visible .given").all_inner_texts()) <= {
        " ".join(name.split("\u2028")) for name in HOSTILE
    } | set(HOSTILE)
    assert page.locator("script").count() == 2
    page.focus(".sample[tabindex='0']")
    page.keyboard.press("2")
    rows = exported(page, tmp_path / "d.csv")
    assert [row["decided"] for row in rows] == [HOSTILE[2]]


def test_many_classes_are_chosen_from_a_list(tmp_path: Path, visit: Visit) -> None:
    write_page(a_review(80, 30), tmp_path / "page.html")
    page = visit(tmp_path / "page.html")
    page.focus(".sample[tabindex='0']")
    page.select_option(".sample[tabindex='0'] select", "29")
    assert exported(page, tmp_path / "d.csv")[0]["decided"] == "29"
    assert page.locator("#matrix option").count() > 2


def test_without_local_storage_the_page_says_so_and_works(ten: Path, browser: "Browser") -> None:
    page = browser.new_page()
    page.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('denied') } })")
    page.goto(ten.as_uri())
    page.wait_for_selector("html[data-ready]")
    assert "export before you close" in page.inner_text("#alert")
    page.focus(".sample[tabindex='0']")
    page.keyboard.press("a")
    assert "1 accepted" in page.inner_text("#done")
    page.close()


def test_two_windows_do_not_undo_each_other(ten: Path, visit: Visit) -> None:
    first, second = visit(ten), visit(ten)
    for page, key in ((first, "a"), (second, "r")):
        page.bring_to_front()
        page.focus(".sample[tabindex='0']")
        if page is second:
            page.keyboard.press("ArrowRight")
        page.keyboard.press(key)
    first.reload()
    assert "1 accepted, 1 rejected" in first.inner_text("#done")


CONTRAST = """() => {
  const parse = (text) => { const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number); return [r, g, b, a]; };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a)];
  const ground = (node) => {
    const above = [];
    for (let at = node; at; at = at.parentElement) above.push(parse(getComputedStyle(at).backgroundColor));
    return above.reverse().reduce((under, colour) => over(colour, under), [255, 255, 255]);
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const poor = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let seen = 0;
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement, box = node.getBoundingClientRect();
    if (!walker.currentNode.data.trim() || !box.width || node.closest("script, .skip, :disabled")) continue;
    const behind = ground(node), style = getComputedStyle(node);
    const ink = over(parse(node.ownerSVGElement ? style.fill : style.color), behind);
    const [low, high] = [light(ink), light(behind)].sort((a, b) => a - b), ratio = (high + 0.05) / (low + 0.05);
    seen++;
    if (ratio < 4.5) poor.push([walker.currentNode.data.trim(), ratio]);
  }
  return [seen, poor];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_the_contrast_of_aa_and_the_page_never_scrolls_sideways(scheme: str, tmp_path: Path, visit: Visit) -> None:
    write_page(a_review(300, 10, classes=[f"a-long-name-that-cannot-be-broken-{k}" for k in range(10)]), tmp_path / "page.html")
    page = visit(tmp_path / "page.html", width=390)
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.focus(".sample[tabindex='0']")
    for key in "ar5":
        page.keyboard.press(key)
    seen, poor = page.evaluate(CONTRAST)
    assert seen > 300
    assert poor == []
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    named = page.evaluate(
        "[...document.querySelectorAll('button, select, input')].filter((c) => !c.labels?.length && !c.ariaLabel && !c.textContent)"
    )
    assert named == []


def test_pictures_are_drawn_where_they_belong(tmp_path: Path, visit: Visit) -> None:
    """Picture i of the tests is black but for its pixel i."""
    write_page(a_review(120, 2, shape=(12, 12)), tmp_path / "page.html")
    page, found = visit(tmp_path / "page.html"), a_review(120, 2, shape=(12, 12))
    page.select_option("#scope", "all")
    page.click("#next")
    page.click("#next")
    page.wait_for_timeout(200)
    read = "c => [...c.getContext('2d').getImageData(0, 0, 12, 12).data].filter((_, k) => k % 4 === 0)"
    for slot in (0, 3, 20):  # of the third page of 48: on both sheets
        pixels = page.locator("canvas").nth(slot).evaluate(read)
        assert np.argmax(pixels) == found.rows[96 + slot]
        assert sum(pixels) == 255

"""What holds for every view of the page, and pictures of two of them for the documentation."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from tests.support.ui.archive import BrowserArchive
from tests.support.ui.browser import Browser
from tests.support.ui.engine import PacedEngine
from tests.support.ui.keys import Keys
from tests.support.ui.scene import Scene, fill
from tests.support.ui.site import Site

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
KEEP = "KEEP_SCREENSHOTS"
"""Set this environment variable to write docs/images/ui-queue.png and ui-series.png anew; ui-compare.png is of `make demo`."""
VIEWS: dict[str, tuple[Callable[[Scene], str], str]] = {
    "queue": (lambda scene: "#/queue", "table.queue progress"),
    "series": (lambda scene: f"#/series/{scene.finished}", ".thumbnails img"),
    "compare": (
        lambda scene: f"#/compare/{scene.finished}",
        "[data-plane=coronal] figure:not([hidden]) canvas[data-pane=uncertainty]",
    ),
}
HEIGHTS = {"queue": 900, "series": 900, "compare": 1000}
NARROW = """return [...document.querySelectorAll('td, th, dd, p')].filter((one) => one.checkVisibility() && one.innerText.trim().length > 12
    && one.getBoundingClientRect().width < 80 && getComputedStyle(one).clipPath === 'none').map((one) => one.innerText)"""
NAMELESS = """return [...document.querySelectorAll('a, button, input, select, img, progress')].filter((one) => {
    const named = one.innerText || one.alt || one.getAttribute('aria-label') || (one.labels && one.labels.length);
    return one.checkVisibility() && !named && one.getAttribute('alt') !== '';
}).map((one) => one.outerHTML)"""


@pytest.fixture
def scene(archive: BrowserArchive, engine: PacedEngine) -> Scene:
    return fill(archive, engine)


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_keeps_to_itself_and_can_be_read_on_a_tablet_and_a_phone(
    view: str, scene: Scene, site: Site, browser: Browser, tmp_path: Path
) -> None:
    address, ready = VIEWS[view]
    browser.open(site.page + address(scene), 1280, HEIGHTS[view])
    browser.one(ready)
    browser.until(lambda: "Lindqvist" in browser.texts("main")[0])
    browser.until(lambda: not browser.run("return [...document.images].some((one) => !one.complete)"))
    browser.screenshot(tmp_path / f"ui-{view}.png")
    if KEEP in os.environ and view != "compare":
        taken = Image.open(tmp_path / f"ui-{view}.png").convert("RGB")
        taken.quantize(256, Image.Quantize.MAXCOVERAGE).save(IMAGES / f"ui-{view}.png", optimize=True)

    assert browser.run(NAMELESS) == []
    notice = "const box = document.querySelector('.research').getBoundingClientRect(); return box.top >= 0 && box.bottom <= innerHeight"
    browser.run("window.scrollTo(0, document.body.scrollHeight)")
    assert browser.run(notice), "the research notice must stay in sight"

    for size in ((768, 1024), (390, 844)):
        browser.size(*size)
        width, window = browser.run("return [document.documentElement.scrollWidth, innerWidth]")
        browser.screenshot(tmp_path / f"ui-{view}-{size[0]}.png")
        assert width <= window
        assert browser.run(NARROW) == [], "what is read must have room for a word"
    browser.scheme("dark")
    assert browser.run("return getComputedStyle(document.body).backgroundColor") == "rgb(16, 21, 27)"
    browser.screenshot(tmp_path / f"ui-{view}-dark.png")

    requested = browser.requested()
    assert len(requested) > 20
    assert [one for one in requested if not one.startswith(f"{site.url}/")] == []
    assert [entry["message"] for entry in browser.drain("browser")] == []


def test_focus_is_visible_and_begins_with_the_way_past_the_header(
    scene: Scene, site: Site, browser: Browser
) -> None:
    browser.open(site.page)
    browser.one("table.queue progress")
    browser.press(Keys.TAB)
    assert browser.run("return document.activeElement.id") == "skip"
    browser.press(Keys.TAB)
    style = "const one = getComputedStyle(document.activeElement); return [one.outlineStyle, parseFloat(one.outlineWidth)]"
    assert browser.run(style) == ["solid", 3]
    browser.run("document.getElementById('skip').click()")
    assert browser.run("return document.activeElement.id") == "main"


@pytest.mark.parametrize("path", ["/nullsplat/ui", "/nullsplat/ui/", "/nullsplat/page.html"])
def test_every_way_to_the_page_ends_at_it(path: str, site: Site, browser: Browser) -> None:
    browser.open(site.url + path)
    browser.one(".empty")
    assert browser.driver.current_url == site.page

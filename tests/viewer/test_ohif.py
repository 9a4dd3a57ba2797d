"""OHIF over a real Orthanc: opened by the address that the node's pages lead to, it shows source and result."""

import os
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydicom.dataset import Dataset
from tests.support.plugin.node import ADMIN, running_node
from tests.support.plugin.series import ct_series
from tests.support.ui.browser import Browser

from nullsplat.node.viewer import viewer_configuration

pytestmark = [pytest.mark.orthanc, pytest.mark.slow]
IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
PATIENCE = 240.0
"""Seconds. OHIF is 30 MB of JavaScript, and its graphics are computed by the processor here."""
BRIGHTEST = """
    return [...document.querySelectorAll('.cornerstone-canvas')].map((canvas) => {
        if (!canvas.width) { return 0; }
        const values = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        return values.reduce((most, value, index) => (index % 4 === 3 ? most : Math.max(most, value)), 0);
    });"""
"""Of every viewport."""


def described(_: int, dataset: Dataset) -> None:
    dataset.SeriesDescription, dataset.WindowCenter, dataset.WindowWidth = "LUNG SCREENING", -600, 1500


def links(browser: Browser, selector: str) -> list[str]:
    """The addresses that the links lead to."""
    found = browser.run(
        "return [...document.querySelectorAll(arguments[0])].map((one) => one.href)", selector
    )
    return list(found)


def test_ohif_shows_source_and_result_side_by_side_and_asks_nobody_else(
    tmp_path: Path, browser: Browser, ohif: Path
) -> None:
    with ExitStack() as stack:
        node = running_node(tmp_path, stack, viewer_configuration(ohif))
        made = ct_series(6, change=described)
        series = node.send(made)
        node.wait_for(series, "done")
        browser.authorise("admin", ADMIN)
        study = f"{node.orthanc.url}/ohif/viewer?StudyInstanceUIDs={made[0].StudyInstanceUID}"
        result = node.series(series)["derived"]["series_instance_uid"]
        address = (
            f"{study}&SeriesInstanceUIDs={made[0].SeriesInstanceUID},{result}&hangingProtocolId=nullsplat"
        )

        browser.open(f"{node.orthanc.url}/app/explorer.html#series?uuid={series}")
        browser.until(lambda: links(browser, "#nullsplat-ohif a") == [study])
        browser.open(f"{node.orthanc.url}/nullsplat/ui/#/series/{series}")
        browser.until(lambda: address in links(browser, "a"))

        browser.open(address, 1600, 900)
        listed = "[data-cy='study-browser-thumbnail']"
        browser.until(lambda: len(browser.all(listed)) == 2, "OHIF must list two series", PATIENCE)
        shown = [text.splitlines() for text in browser.texts(listed)]
        assert sorted(lines[-1] for lines in shown) == ["12", "6"]  # slices of result and source
        bright = "OHIF must draw a slice of both, one beside the other"
        browser.until(lambda: [one > 100 for one in browser.run(BRIGHTEST)] == [True, True], bright, PATIENCE)
        assert browser.all(".shepherd-element") == [], "no tour may stand before the images"
        if "KEEP_SCREENSHOTS" in os.environ:
            browser.screenshot(IMAGES / "ohif.png")

        asked = {urlsplit(one).netloc for one in browser.requested() if one.startswith("http")}
        assert asked == {urlsplit(node.orthanc.url).netloc}
        refused = [
            entry["message"] for entry in browser.drain("browser") if "Content Security" in entry["message"]
        ]
        assert refused == []
        node.orthanc.kill()  # its regular end takes seconds

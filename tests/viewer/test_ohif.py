"""OHIF over a real Orthanc: opened by the address that the node's pages lead to, it shows source, result and intervals."""

from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from tests.support.dicom.results import make_provenance, make_result
from tests.support.plugin.node import ADMIN, Node, running_node
from tests.support.plugin.series import ct_series
from tests.support.ui.browser import Browser

from nullsplat.core.volume import Volume
from nullsplat.dicom.read.series import read_datasets
from nullsplat.dicom.write.parametric_map import INTERVAL, write_map
from nullsplat.node.viewer import viewer_configuration

pytestmark = [pytest.mark.orthanc, pytest.mark.slow]
PATIENCE = 240.0
"""Seconds. OHIF is 30 MB of JavaScript, and its graphics are computed by the processor here."""
BRIGHTEST = """
    return [...document.querySelectorAll('.cornerstone-canvas')].map((canvas) => {
        if (!canvas.width) { return 0; }
        const values = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        return values.reduce((most, value, index) => (index % 4 === 3 ? most : Math.max(most, value)), 0);
    });"""
"""Of every viewport."""
VIEWPORTS = """
    const engine = (window.cornerstone?.getRenderingEngines() || [])[0];
    return (engine?.getViewports() || []).map((one) => {
        const plane = one.getCurrentImageId() && cornerstone.metaData.get('imagePlaneModule', one.getCurrentImageId());
        const { voiRange, colormap } = one.getProperties();
        return plane && { place: plane.imagePositionPatient, slices: one.getImageIds().length, left: one.element.getBoundingClientRect().left,
            window: voiRange && [voiRange.lower, voiRange.upper], colours: colormap?.name || '' };
    }).sort((a, b) => a?.left - b?.left);"""
"""From left to right, what each shows."""
LEFTMOST = """
    const [first] = cornerstone.getRenderingEngines()[0].getViewports()
        .sort((a, b) => a.element.getBoundingClientRect().left - b.element.getBoundingClientRect().left);"""
SCROLL = f"""{LEFTMOST}
    const heights = first.getImageIds().map((one) => cornerstone.metaData.get('imagePlaneModule', one).imagePositionPatient[2]);
    first.setImageIdIndex(heights.indexOf(arguments[0]));"""
"""The leftmost to the slice at a height in mm."""
WINDOW = f"{LEFTMOST} first.setProperties({{ voiRange: {{ lower: -1350, upper: 150 }} }}); first.render();"
"""Of the leftmost: lung."""
THICK, RESULT, FRAME = 5.0, 1.25, 5 / 3
"""Distances in mm of the slices of source, result and map: all three differ, so that no index would do for another."""


def described(_: int, dataset: Dataset) -> None:
    dataset.SeriesDescription, dataset.WindowCenter, dataset.WindowWidth = "LUNG SCREENING", -600, 1500


def map_of(made: list[Dataset], folder: Path) -> Dataset:
    """A map of intervals with three frames for each slice of the source."""
    source = read_datasets(made)
    values = make_result(source, (3.0, 1.0, 1.0))
    magnitudes = Volume(np.abs(values.hu), values.geometry)
    return dcmread(write_map(INTERVAL, source, magnitudes, make_provenance(source), folder).path)


def links(browser: Browser, selector: str) -> list[str]:
    """The addresses that the links lead to."""
    found = browser.run(
        "return [...document.querySelectorAll(arguments[0])].map((one) => one.href)", selector
    )
    return list(found)


def study_of(node: Node, made: list[Dataset]) -> str:
    return f"{node.orthanc.url}/ohif/viewer?StudyInstanceUIDs={made[0].StudyInstanceUID}"


def address_of(node: Node, made: list[Dataset], *series: str) -> str:
    """Where OHIF shows these with the protocol of the node."""
    shown = ",".join((str(made[0].SeriesInstanceUID), *series))
    stage = "&stageId=intervals" if len(series) > 1 else ""
    return f"{study_of(node, made)}&SeriesInstanceUIDs={shown}&hangingProtocolId=nullsplat{stage}"


def drawn(browser: Browser, count: int) -> None:
    """Wait until there are so many viewports, and each shows something."""
    words = f"OHIF must draw {count} images side by side"
    browser.until(lambda: [one > 100 for one in browser.run(BRIGHTEST)] == [True] * count, words, PATIENCE)
    assert len(browser.all("[data-cy='viewport-pane']")) == count


def test_ohif_shows_source_result_and_intervals_at_one_place_and_asks_nobody_else(
    tmp_path: Path, browser: Browser, ohif: Path
) -> None:
    with ExitStack() as stack:
        node = running_node(tmp_path, stack, viewer_configuration(ohif))
        made = ct_series(6, THICK, described)
        intervals = map_of(made, tmp_path)
        node.engine.maps = lambda _: intervals
        series = node.send(made)
        node.wait_for(series, "done")
        browser.authorise("admin", ADMIN)
        result = node.series(series)["derived"]["series_instance_uid"]
        address = address_of(node, made, result, str(intervals.SeriesInstanceUID))

        browser.open(f"{node.orthanc.url}/app/explorer.html#series?uuid={series}")
        browser.until(lambda: links(browser, "#nullsplat-ohif a") == [study_of(node, made)])
        browser.open(f"{node.orthanc.url}/nullsplat/ui/#/series/{series}")
        browser.until(lambda: address in links(browser, "a"))

        browser.open(address, 1600, 900)
        listed = "[data-cy='study-browser-thumbnail']"
        browser.until(lambda: len(browser.all(listed)) == 3, "OHIF must list three series", PATIENCE)
        shown = [text.splitlines() for text in browser.texts(listed)]
        assert sorted(lines[-1] for lines in shown) == ["12", "18", "6"]  # slices of result, map and source
        drawn(browser, 3)
        assert browser.all(".shepherd-element") == [], "no tour may stand before the images"
        assert "FPS" not in browser.texts("body")[0], "a map may not play as a film"
        _are_at_one_place(browser, intervals)
        asked = {urlsplit(one).netloc for one in browser.requested() if one.startswith("http")}
        assert asked == {urlsplit(node.orthanc.url).netloc}
        refused = [
            entry["message"] for entry in browser.drain("browser") if "Content Security" in entry["message"]
        ]
        assert refused == []

        browser.open(address_of(node, made, result), 1600, 900)
        drawn(browser, 2)
        node.orthanc.kill()  # its regular end takes seconds


def _are_at_one_place(browser: Browser, intervals: Dataset) -> None:
    """Scroll the source and see the others follow to the same place in mm; the window is common, but not the map's."""
    for there in (2 * THICK, 0.0, THICK):
        browser.run(SCROLL, there)

        def follow(there: float = there) -> bool:
            off = [abs(one["place"][2] - there) for one in browser.run(VIEWPORTS) if one]
            return len(off) == 3 and off[0] == 0 and off[1] <= RESULT / 2 and off[2] <= FRAME / 2 + 1e-6

        browser.until(follow, f"all must show {there} mm, not {browser.run(VIEWPORTS)}")
    browser.run(WINDOW)
    browser.until(lambda: [one["window"] for one in browser.run(VIEWPORTS)[:2]] == [[-1350, 150]] * 2)
    shown = browser.run(VIEWPORTS)
    assert [one["slices"] for one in shown] == [6, 12, 18]
    suggested = intervals.SharedFunctionalGroupsSequence[0].FrameVOILUTSequence[0]
    assert shown[2]["window"] == pytest.approx([0, suggested.WindowWidth], abs=1)
    assert [one["colours"] for one in shown] == ["", "", "dicom_hot_iron"]

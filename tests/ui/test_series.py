"""One series: history, deliveries, pictures, ways to other viewers."""

import time
from dataclasses import replace

import pytest
from tests.support.ui.archive import BrowserArchive
from tests.support.ui.browser import Browser
from tests.support.ui.engine import PacedEngine
from tests.support.ui.phantom import key_image
from tests.support.ui.scene import REPORT, Scene, fill, keep
from tests.support.ui.site import Site

from nullsplat_node.archive.archive import Archive
from nullsplat_node.lifecycle.routing import Route
from nullsplat_node.lifecycle.state import HELD, RESULT, ROUTING, SeriesState, decode


@pytest.fixture
def scene(archive: BrowserArchive, engine: PacedEngine) -> Scene:
    return fill(archive, engine)


def test_the_story_of_a_series_is_told_and_leads_on(scene: Scene, site: Site, browser: Browser) -> None:
    browser.open(f"{site.page}#/series/{scene.finished}")
    browser.until(lambda: len(browser.all(".thumbnails img")) == 6)
    page = browser.texts("main")[0]
    attempts = browser.texts(".attempt")
    assert [attempt.split("\n")[0] for attempt in attempts] == ["Attempt 2", "Attempt 1"]
    assert "Low dose because CTDIvol 1.1 mGy" in attempts[1]
    assert "stage 2 needed 9.1 GB of GPU memory" in attempts[1].replace("Stage", "stage")
    assert "Delivered" in attempts[0]
    assert [line.split("\t")[:2] for line in browser.texts("table.plain tbody tr")] == [
        ["PACS", "Delivered"],
        ["TEACHING", "Delivered"],
    ]
    for words in ("Marta Lindqvist", "P-20417", "3.2 HU RMSE when brought back to the source's resolution"):
        assert words in page
    links = {one.text: one.get_attribute("href") for one in browser.all(".image-row .links a")}
    assert set(links) == {"Orthanc Explorer", "Web viewer", "OHIF", "Its page here"}
    assert links["OHIF"] == f"{site.url}/ohif/viewer?StudyInstanceUIDs=2.25.1001"
    assert links["Web viewer"] == f"{site.url}/web-viewer/app/viewer.html?series={scene.result}"
    browser.until(lambda: all(browser.run("return [...document.querySelectorAll('.thumbnails img')].map((one) => one.naturalWidth)")))  # fmt: skip


def test_what_is_unusual_about_the_source_and_what_its_data_contradict_is_said(
    scene: Scene, site: Site, browser: Browser
) -> None:
    browser.open(f"{site.page}#/series/{scene.finished}")
    browser.one("dl")
    told = dict(zip(browser.texts("dt"), browser.texts("dd"), strict=True))
    assert (
        told["About the source"]
        == "The gantry was tilted by 15.0 degrees; the source was compressed with loss"
    )
    assert told["Slice profile"] == "box, FWHM 5.0 mm (Scan Options: sequential)"
    assert told["Warning"].startswith("The data contradict this slice profile")
    assert told["Warning"].endswith("it would fit bell*1")


@pytest.fixture
def reported(scene: Scene, archive: BrowserArchive, request: pytest.FixtureRequest) -> Scene:
    """The scene with further entries in its report; a node reads a state once, so ask for this before the site."""
    state = decode(Archive(archive).look(scene.finished).stored_state)
    assert state.result is not None
    report = {**state.result.report, **request.param}
    keep(archive, scene.finished, replace(state, result=replace(state.result, report=report)))
    return scene


REFINED_IN_PLANE = {"slice_profile": {**REPORT["slice_profile"], "in_plane": "gaussian*1.2"}}


@pytest.mark.parametrize("reported", [REFINED_IN_PLANE], indirect=True, ids=["in-plane"])
def test_what_a_pixel_was_taken_for_is_said_where_the_axial_plane_was_refined(
    reported: Scene, site: Site, browser: Browser
) -> None:
    browser.open(f"{site.page}#/series/{reported.finished}")
    browser.one("dl")
    told = dict(zip(browser.texts("dt"), browser.texts("dd"), strict=True))
    assert told["Pixel profile"] == "gaussian*1.2"


@pytest.fixture
def held(scene: Scene, archive: BrowserArchive) -> str:
    """The finished series, as if its rule had held its result back."""
    state = decode(Archive(archive).look(scene.finished).stored_state)
    why = "the RMSE against the source is 6.1 HU, above 5 HU"
    keep(archive, scene.finished, replace(state, phase=HELD, code=HELD, message=why, routes=(Route("PACS"),)))
    return scene.finished


def test_what_is_held_back_says_why_and_is_passed_on_after_a_question(
    held: str, archive: BrowserArchive, site: Site, browser: Browser
) -> None:
    browser.open(f"{site.page}#/series/{held}")
    browser.until(lambda: "above 5 HU" in browser.texts("main")[0])
    browser.until(lambda: browser.texts("button[data-action]") == ["Pass on", "Run again", "Do not send"])
    browser.click('button[data-action="deliver"]')
    browser.until(lambda: "Pass this result on?" in " ".join(browser.texts("dialog")))
    assert archive.remembered(held)["phase"] == HELD
    browser.click('dialog button[value="yes"]')
    browser.until(lambda: "Finished, being sent on, marked" in browser.texts("main")[0])
    assert "above 5 HU" in browser.texts("main")[0]
    assert archive.remembered(held)["phase"] == ROUTING


def test_a_result_leads_to_the_comparison_with_its_source(scene: Scene, site: Site, browser: Browser) -> None:
    browser.open(f"{site.page}#/compare/{scene.result}")
    browser.until(lambda: browser.texts(".slice-words")[:1] == ["17 of 32, at 28.1 mm"])
    assert browser.run("return location.hash") == f"#/compare/{scene.finished}"


def test_a_result_s_page_has_the_verdict_the_figures_and_the_way_to_compare(
    scene: Scene, site: Site, browser: Browser
) -> None:
    browser.open(f"{site.page}#/series/{scene.result}")
    browser.until(lambda: browser.texts(".verdict"))
    assert browser.texts(".verdict") == [
        "✓ Agrees with the scan: averaged back, it differs by 3.2 HU, within the noise of 15.1 HU; that does not prove the 12 HU rms of detail that were added.",
        "! The data contradict the assumed slice profile, so that edges across slices may be wrong: it would fit bell*1.",
    ]
    browser.until(lambda: "11.7 HU rms that the source does not determine" in browser.texts("main")[0])
    compare = browser.one(".card .button")
    assert compare.text == "Compare source and result"
    assert compare.get_attribute("href").endswith(f"#/compare/{scene.finished}")
    assert "Nothing has happened" not in browser.texts("main")[0]


UNFAMILIAR = {"outside_training": "the noise is 90 HU, familiar is 0 HU to 40 HU"}


@pytest.mark.parametrize("reported", [UNFAMILIAR], indirect=True, ids=["noisy"])
def test_a_series_unlike_the_training_data_is_said_beside_the_verdict_and_among_the_facts(
    reported: Scene, site: Site, browser: Browser
) -> None:
    browser.open(f"{site.page}#/series/{reported.result}")
    browser.until(lambda: browser.texts(".verdict.bad"))
    warning, _ = browser.texts(".verdict.bad")
    assert warning.startswith("! Unlike what the network was trained on, so that added detail and")
    assert warning.endswith("wrong: the noise is 90 HU, familiar is 0 HU to 40 HU.")
    browser.until(lambda: "lies outside what the network was trained on" in " ".join(browser.texts("dd")))


@pytest.fixture
def picture(scene: Scene, archive: BrowserArchive) -> str:
    """A key image that was made of the finished series."""
    shown = archive.add([key_image("2.25.1001")])
    keep(archive, shown, SeriesState(RESULT, time.time(), source=scene.finished))
    return shown


def test_a_key_image_s_page_shows_it(picture: str, site: Site, browser: Browser) -> None:
    browser.open(f"{site.page}#/series/{picture}")
    browser.one(".thumbnails .whole")
    width = key_image("2.25.1001").Columns
    browser.until(lambda: browser.run("return document.querySelector('.whole').naturalWidth") == width)


INTERVALS = {
    "interval_rms_hu_by_tissue": {"lung": 45.3, "soft tissue": 51.8},
    "interval_coverage": "calibrated on 3 CTs",
}


@pytest.mark.parametrize("reported", [INTERVALS], indirect=True, ids=["intervals"])
def test_the_intervals_are_among_the_facts(reported: Scene, site: Site, browser: Browser) -> None:
    browser.open(f"{site.page}#/series/{reported.finished}")
    browser.until(
        lambda: (
            "lung ±45 HU, soft tissue ±52 HU (rms of the half width); calibrated on 3 CTs"
            in browser.texts("dd")
        )
    )


def test_a_report_s_page_says_where_its_figures_are_and_an_earlier_run_s_that_they_are_gone(
    scene: Scene, site: Site, browser: Browser
) -> None:
    browser.open(f"{site.page}#/series/{scene.report}")
    browser.until(lambda: "A report in words and numbers" in browser.texts("main")[0])
    browser.until(lambda: "3.2 HU RMSE when brought back" in browser.texts("main")[0])
    browser.open(f"{site.page}#/series/{scene.earlier}")
    browser.until(lambda: "An earlier run made this" in browser.texts("main")[0])
    assert browser.texts(".verdict") == []


def test_a_series_that_is_not_there_is_told(site: Site, browser: Browser) -> None:
    nowhere = "-".join(["0" * 8] * 5)
    browser.open(f"{site.page}#/series/{nowhere}")
    browser.until(lambda: "there is no series" in browser.texts("#connection")[0])

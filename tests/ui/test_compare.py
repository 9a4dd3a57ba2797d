"""The comparison: what the canvases hold is worked out here from the arrays that were stored."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.support.ui.archive import BrowserArchive
from tests.support.ui.browser import Browser
from tests.support.ui.keys import Keys
from tests.support.ui.phantom import series, uncertainty
from tests.support.ui.scene import RUN, done
from tests.support.ui.site import Site

LUNG, SOFT = (-600, 1500), (40, 400)
ROWS, COLUMNS = 6, 4


@dataclass
class Pair:
    """A source of three slices of 5 mm and a result of six of 2.5 mm with pixels half as wide."""

    identifier: str
    source: NDArray[np.float32]
    result: NDArray[np.float32]
    spread: NDArray[np.float32]


@pytest.fixture
def pair(archive: BrowserArchive, request: pytest.FixtureRequest) -> Pair:
    """The parameter, where there is one, are further attributes of both series."""
    rng = np.random.default_rng(3)
    source = rng.integers(-1000, 900, (3, ROWS, COLUMNS)).astype(np.float32)
    result = rng.integers(-1000, 900, (6, 2 * ROWS, 2 * COLUMNS)).astype(np.float32)
    spread = rng.integers(0, 60, (6, 2 * ROWS, 2 * COLUMNS)).astype(np.float32)
    about = {"StudyInstanceUID": "2.25.77", "PatientID": "P-1", "PatientName": "Known^Array"}
    about |= getattr(request, "param", {})
    thick = series(
        list(source),
        [0.0, 5.0, 10.0],
        {**about, "SeriesDescription": "Thick", "SliceThickness": 5, "PixelSpacing": [1.5, 1.5]},
    )
    thin = series(
        list(result), [-1.25 + 2.5 * index for index in range(6)],
        {**about, **RUN, "SeriesDescription": "Thin", "PixelSpacing": [0.75, 0.75], "RescaleSlope": 1},
    )  # fmt: skip
    for one, image in zip(thick, source, strict=True):  # unsigned, and with half a HU for each step
        one.ImagePositionPatient[:2] = [10.0, 20.0]
        one.PixelRepresentation, one.RescaleSlope = 0, 0.5
        one.PixelData = (2 * (image + 1024)).astype("<u2").tobytes()
    for one in thin:  # the edges of both fields of view are the same: 10 - 0.75, 20 - 0.75
        one.ImagePositionPatient[:2] = [9.625, 19.625]
    thin.reverse()  # the order of arrival must not matter
    identifiers = [archive.add(one) for one in (thick, thin)]
    thin.reverse()
    archive.add(uncertainty(list(spread), thin))
    done(archive, identifiers[0], str(thick[0].SeriesInstanceUID), (identifiers[1], 6), time.time() - 1000)
    return Pair(identifiers[0], source, result, spread)


@pytest.fixture
def compare(pair: Pair, site: Site, browser: Browser) -> Browser:
    """The comparison at its first picture, slice 4 of 6, with the uncertainty there too."""
    browser.open(f"{site.page}#/compare/{pair.identifier}")
    browser.one("figure:not([hidden]) canvas[data-pane=uncertainty]")
    return browser


def grey(hu: NDArray[np.float32], window: tuple[float, float]) -> NDArray[np.float64]:
    """PS3.3 C.11.2.1.2.1, halves rounded up."""
    centre, width = window
    return np.floor(255 * np.clip((hu - (centre - 0.5)) / (width - 1) + 0.5, 0, 1) + 0.5)


def drawn(browser: Browser, pane: str) -> NDArray[Any]:
    width, height, values = browser.pixels(f"canvas[data-pane={pane}]")
    rgba = np.array(values).reshape(height, width, 4)
    assert (rgba[..., 3] == 255).all()
    assert (rgba[..., 0] == rgba[..., 1]).all()
    assert (rgba[..., 0] == rgba[..., 2]).all()
    return rgba[..., 0]


def fine(slice_: NDArray[np.float32]) -> NDArray[np.float32]:
    """A source slice on the grid of the result: every pixel is two by two there."""
    return slice_.repeat(2, axis=0).repeat(2, axis=1)


def expect(browser: Browser, pair: Pair, index: int, nearest: int, window: tuple[float, float]) -> None:
    """All four pictures of one slice."""
    source, result = fine(pair.source[nearest]), pair.result[index]
    wanted = {"source": grey(source, window), "result": grey(result, window), "difference": grey(result - source, (0, 400)),
              "uncertainty": grey(pair.spread[index], (25, 50))}  # fmt: skip
    browser.until(lambda: browser.texts(".slice-words")[0].startswith(f"{index + 1} of 6"))
    for pane, levels in wanted.items():
        np.testing.assert_array_equal(drawn(browser, pane), levels, err_msg=pane)


def test_every_picture_is_that_of_its_array(compare: Browser, pair: Pair) -> None:
    expect(compare, pair, 3, 1, LUNG)  # at 6.25 mm, 1.25 mm from the source's second slice
    assert "5 mm thick, centre 1.3 mm away" in compare.texts("figcaption")[0].replace("\n", " ")
    assert "at 6.3 mm" in compare.texts(".slice-words")[0]


@pytest.mark.parametrize(
    "pair", [{"SpecificCharacterSet": ["ISO 2022 IR 13", "ISO 2022 IR 87"]}], indirect=True
)
def test_a_japanese_series_is_compared_like_any_other(compare: Browser, pair: Pair) -> None:
    """Orthanc shows the backslash between its values as a yen sign."""
    expect(compare, pair, 3, 1, LUNG)


def test_slices_are_reached_by_keys_wheel_and_slider(compare: Browser, pair: Pair) -> None:
    compare.tab_to(".screens")
    compare.press(Keys.END)
    expect(compare, pair, 5, 2, LUNG)  # at 11.25 mm
    compare.press(Keys.HOME)
    expect(compare, pair, 0, 0, LUNG)
    compare.press(Keys.ARROW_DOWN)
    expect(compare, pair, 1, 0, LUNG)  # at 1.25 mm
    compare.run(
        "document.querySelector('.screens').dispatchEvent(new WheelEvent('wheel', {deltaY: 100, cancelable: true}))"
    )
    expect(compare, pair, 2, 1, LUNG)  # at 3.75 mm
    compare.one("#slice").send_keys(Keys.ARROW_RIGHT)
    expect(compare, pair, 3, 1, LUNG)


def test_windows_are_chosen_by_button_key_and_number(compare: Browser, pair: Pair) -> None:
    compare.one("[data-preset=soft]").click()
    expect(compare, pair, 3, 1, SOFT)
    assert compare.one("[data-preset=soft]").get_attribute("aria-pressed") == "true"
    compare.one(".screens").send_keys("1")
    expect(compare, pair, 3, 1, LUNG)
    width = compare.one('input[aria-label="Width in HU"]')
    width.clear()
    width.send_keys("800")
    expect(compare, pair, 3, 1, (-600, 800))
    assert "true" not in [one.get_attribute("aria-pressed") for one in compare.all("[data-preset]")]


def test_swiping_uncovers_the_source_under_the_result(compare: Browser, pair: Pair) -> None:
    compare.one("[data-mode=swipe]").click()
    np.testing.assert_array_equal(drawn(compare, "swipe-under"), grey(fine(pair.source[1]), LUNG))
    np.testing.assert_array_equal(drawn(compare, "swipe-over"), grey(pair.result[3], LUNG))
    slider = compare.one('input[aria-label^="Swipe"]')
    slider.send_keys(Keys.END)
    assert "100%" in compare.run("return document.querySelector('.over').style.clipPath")


def test_the_pixel_under_the_pointer_is_read_in_hu(compare: Browser, pair: Pair) -> None:
    compare.run("""const one = document.querySelector('canvas[data-pane=result]'), box = one.getBoundingClientRect();
        one.dispatchEvent(new PointerEvent('pointermove', {bubbles: true,
            clientX: box.left + box.width * 5.5 / 8, clientY: box.top + box.height * 2.5 / 12}))""")
    source, result = pair.source[1, 1, 2], pair.result[3, 2, 5]
    shown = compare.texts(".readout")[0]
    assert shown.startswith(f"Column 5, row 2: Source {source:.0f} HU · Super-resolved {result:.0f} HU")
    assert f"Difference {result - source:.0f} HU" in shown


def test_edges_are_named_after_the_patient(compare: Browser) -> None:
    # Axial, first row anterior, first column at the patient's right.
    edges = {
        edge: compare.texts(f"figure:not([hidden]) .edge.{edge}")[0]
        for edge in ("left", "right", "top", "bottom")
    }
    assert edges == {"left": "R", "right": "L", "top": "A", "bottom": "P"}

"""The comparison: what the canvases hold is worked out here from the arrays that were stored."""

import time
from collections.abc import Callable
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
THICK = [0.0, 5.0, 10.0]
THIN = [-1.25 + 2.5 * index for index in range(6)]
AMBER, BLUE = [255, 176, 0], [70, 150, 255]
NO_MAP, TWO_MAPS = {"maps": ()}, {"maps": ("UNCERTAINTY", "INTERVAL_90")}
SHOWN: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "UNCERTAINTY": lambda spread: spread,
    "INTERVAL_90": lambda spread: 3 * spread,
}
"""What maps hold by their Content Label."""


@dataclass
class Pair:
    """A source of three slices of 5 mm and a result of six of 2.5 mm with pixels half as wide."""

    identifier: str
    source: NDArray[np.float32]
    result: NDArray[np.float32]
    spread: NDArray[np.float32]


@pytest.fixture
def pair(archive: BrowserArchive, request: pytest.FixtureRequest) -> Pair:
    """The parameter, where there is one, are further attributes of both series; `maps` are the labels of the maps."""
    rng = np.random.default_rng(3)
    source = rng.integers(-1000, 900, (3, ROWS, COLUMNS)).astype(np.float32)
    result = rng.integers(-1000, 900, (6, 2 * ROWS, 2 * COLUMNS)).astype(np.float32)
    spread = rng.integers(0, 60, (6, 2 * ROWS, 2 * COLUMNS)).astype(np.float32)
    about = {"StudyInstanceUID": "2.25.77", "PatientID": "P-1", "PatientName": "Known^Array"}
    about |= getattr(request, "param", {})
    maps = about.pop("maps", ("UNCERTAINTY",))
    thick = series(
        list(source), THICK, {**about, "SeriesDescription": "Thick", "SliceThickness": 5, "PixelSpacing": [1.5, 1.5]}
    )  # fmt: skip
    thin = series(
        list(result), THIN, {**about, **RUN, "SeriesDescription": "Thin", "PixelSpacing": [0.75, 0.75], "RescaleSlope": 1}
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
    archive.add(uncertainty(list(1000 + spread), thin, "NULL_SPACE"))  # the run's, but no uncertainty
    for label in maps:
        window = (100, 200) if label == "INTERVAL_90" else None
        archive.add(uncertainty(list(SHOWN[label](spread)), thin, label, window))
    done(archive, identifiers[0], str(thick[0].SeriesInstanceUID), (identifiers[1], 6), time.time() - 1000)
    return Pair(identifiers[0], source, result, spread)


@pytest.fixture
def compare(pair: Pair, site: Site, browser: Browser) -> Browser:
    """The comparison at its first pictures, slice 4 of 6, with the uncertainty there too and nothing marked."""
    browser.open(f"{site.page}#/compare/{pair.identifier}")
    browser.one("[data-plane=axial] figure:not([hidden]) canvas[data-pane=uncertainty]")
    browser.press("m")
    return browser


def grey(hu: NDArray[np.float32], window: tuple[float, float]) -> NDArray[np.float64]:
    """PS3.3 C.11.2.1.2.1, halves rounded up."""
    centre, width = window
    return np.floor(255 * np.clip((hu - (centre - 0.5)) / (width - 1) + 0.5, 0, 1) + 0.5)


def coloured(browser: Browser, pane: str, plane: str = "axial") -> NDArray[Any]:
    width, height, values = browser.pixels(f"[data-plane={plane}] canvas[data-pane={pane}]")
    rgba = np.array(values).reshape(height, width, 4)
    assert (rgba[..., 3] == 255).all()
    return rgba[..., :3]


def drawn(browser: Browser, pane: str, plane: str = "axial") -> NDArray[Any]:
    rgb = coloured(browser, pane, plane)
    assert (rgb == rgb[..., :1]).all()
    return rgb[..., 0]


def fine(slice_: NDArray[np.float32]) -> NDArray[np.float32]:
    """A source slice on the grid of the result: every pixel is two by two there."""
    return slice_.repeat(2, axis=0).repeat(2, axis=1)


def interpolated(source: NDArray[np.float32]) -> NDArray[np.float64]:
    """The source at the result's own positions, axis by axis; the last sample counts beyond it."""
    values = source.astype(float)
    rows, columns = (-0.25 + 0.5 * np.arange(2 * count) for count in (ROWS, COLUMNS))
    for axis, (at, samples) in enumerate(((THIN, THICK), (rows, range(ROWS)), (columns, range(COLUMNS)))):
        values = np.apply_along_axis(
            lambda line, at=at, samples=samples: np.interp(at, samples, line), axis, values
        )
    return values


def nearest(pair: Pair) -> NDArray[np.float32]:
    return np.stack([fine(pair.source[index]) for index in (0, 0, 1, 1, 2, 2)])


def wanted(pair: Pair, window: tuple[float, float]) -> dict[str, NDArray[np.float64]]:
    """All four pictures as volumes of grey levels."""
    added = pair.result - interpolated(pair.source)
    return {"source": grey(nearest(pair), window), "result": grey(pair.result, window), "difference": grey(added, (0, 400)),
            "uncertainty": grey(pair.spread, (25, 50))}  # fmt: skip


def expect(browser: Browser, pair: Pair, index: int, window: tuple[float, float]) -> None:
    """All four pictures of one axial slice."""
    browser.until(lambda: browser.texts(".slice-words")[0].startswith(f"{index + 1} of 6"))
    for pane, levels in wanted(pair, window).items():
        np.testing.assert_allclose(
            drawn(browser, pane), levels[index], atol=1 if pane == "difference" else 0, err_msg=pane
        )


def test_every_picture_is_that_of_its_array(compare: Browser, pair: Pair) -> None:
    expect(compare, pair, 3, LUNG)  # at 6.25 mm, 1.25 mm from the source's second slice
    assert "5 mm thick, centre 1.3 mm away" in compare.texts("figcaption")[0].replace("\n", " ")
    assert "at 6.3 mm" in compare.texts(".slice-words")[0]
    agreement, warning = compare.texts(".verdict")
    assert agreement == (
        "✓ Agrees with the scan: averaged back, it differs by 3.2 HU, within the noise of 15.1 HU; "
        "that does not prove the 12 HU rms of detail that were added."
    )
    assert warning.startswith("! The data contradict the assumed slice profile")
    assert "does not prove that added detail is true" in compare.texts(".verdict-lines")[0]


@pytest.mark.parametrize(
    "pair", [{"SpecificCharacterSet": ["ISO 2022 IR 13", "ISO 2022 IR 87"]}], indirect=True
)
def test_a_japanese_series_is_compared_like_any_other(compare: Browser, pair: Pair) -> None:
    """Orthanc shows the backslash between its values as a yen sign."""
    expect(compare, pair, 3, LUNG)


def test_coronal_and_sagittal_planes_are_cut_through_the_cross_hair(compare: Browser, pair: Pair) -> None:
    point(compare, "axial", "result", (1.5 / 8, 8.5 / 12), "pointerdown")
    compare.until(
        lambda: (
            [one.split(",")[0] for one in compare.texts(".slice-words")] == ["4 of 6", "9 of 12", "2 of 8"]
        )
    )
    for plane, cut in (("coronal", np.s_[::-1, 8, :]), ("sagittal", np.s_[::-1, :, 1])):  # the head is up
        for pane, levels in wanted(pair, LUNG).items():
            np.testing.assert_allclose(
                drawn(compare, pane, plane),
                levels[cut],
                atol=1 if pane == "difference" else 0,
                err_msg=f"{plane} {pane}",
            )
    aspect = "return [...document.querySelectorAll('canvas[data-pane=result]')].map((one) => one.clientWidth / one.clientHeight)"
    np.testing.assert_allclose(compare.run(aspect), [6 / 9, 6 / 15, 9 / 15], rtol=0.02)  # in mm
    point(
        compare, "sagittal", "source", (4.5 / 12, 0.5 / 6), "pointerdown"
    )  # of the highest slice the fifth row
    compare.until(
        lambda: (
            [one.split(",")[0] for one in compare.texts(".slice-words")] == ["6 of 6", "5 of 12", "2 of 8"]
        )
    )
    expect(compare, pair, 5, LUNG)


def point(browser: Browser, plane: str, pane: str, at: tuple[float, float], kind: str, **more: Any) -> None:
    """Send a pointer's event to a place of a picture, as shares of its width and height."""
    browser.run(
        """const [plane, pane, [x, y], kind, more] = arguments;
        const one = document.querySelector(`[data-plane=${plane}] canvas[data-pane=${pane}]`), box = one.getBoundingClientRect();
        one.dispatchEvent(new PointerEvent(kind, {bubbles: true, ...more, clientX: box.left + box.width * x, clientY: box.top + box.height * y}))""",
        plane, pane, at, kind, more,
    )  # fmt: skip


def test_slices_are_reached_by_keys_wheel_slider_and_finger(compare: Browser, pair: Pair) -> None:
    assert compare.run("return document.activeElement === document.body"), "keys must work without a click"
    compare.press(Keys.END)
    expect(compare, pair, 5, LUNG)
    compare.one("[data-preset=lung]").send_keys(Keys.HOME)  # the focus is on a button now
    expect(compare, pair, 0, LUNG)
    compare.press(Keys.ARROW_DOWN)
    expect(compare, pair, 1, LUNG)
    compare.run(
        "document.querySelector('.panes').dispatchEvent(new WheelEvent('wheel', {deltaY: 100, cancelable: true}))"
    )
    expect(compare, pair, 2, LUNG)
    compare.one("#slice-axial").send_keys(Keys.ARROW_RIGHT)
    expect(compare, pair, 3, LUNG)
    point(compare, "axial", "result", (0.5, 0.5), "pointerdown", pointerType="touch")
    box = "return document.querySelector('[data-plane=axial] canvas[data-pane=result]').clientWidth"
    point(compare, "axial", "result", (0.5 - 13 / compare.run(box), 0.5), "pointermove", pointerType="touch")
    expect(compare, pair, 2, LUNG)
    compare.press("c", Keys.ARROW_DOWN)
    compare.until(
        lambda: (
            [one.split(",")[0] for one in compare.texts(".slice-words")] == ["3 of 6", "8 of 12", "5 of 8"]
        )
    )
    width = compare.one('input[aria-label="Width in HU"]')
    width.send_keys("1", Keys.HOME, "s")
    assert compare.texts(".plane.active .label") == ["Coronal"], "what is typed into a field is no key"
    assert compare.texts(".slice-words")[1].startswith("8 of 12")


def test_windows_are_chosen_by_button_key_and_number(compare: Browser, pair: Pair) -> None:
    compare.one("[data-preset=soft]").click()
    expect(compare, pair, 3, SOFT)
    assert compare.one("[data-preset=soft]").get_attribute("aria-pressed") == "true"
    compare.press("1")
    expect(compare, pair, 3, LUNG)
    width = compare.one('input[aria-label="Width in HU"]')
    width.clear()
    width.send_keys("800")
    expect(compare, pair, 3, (-600, 800))
    assert "true" not in [one.get_attribute("aria-pressed") for one in compare.all("[data-preset]")]


def test_swiping_uncovers_the_source_under_the_result(compare: Browser, pair: Pair) -> None:
    compare.press("x")
    compare.until(lambda: compare.one("[data-plane=axial] .swipe").is_displayed())
    swipe = "[data-plane=axial] [data-figure=swipe-under]"
    assert "left: Source, right: Super-resolved" in compare.texts(swipe)[0]
    np.testing.assert_array_equal(drawn(compare, "swipe-under"), grey(fine(pair.source[1]), LUNG))
    np.testing.assert_array_equal(drawn(compare, "swipe-over", "coronal"), grey(pair.result[::-1, 6], LUNG))
    slider = compare.one('input[aria-label^="Swipe"]')
    slider.send_keys(Keys.END)
    assert "100%" in compare.run("return document.querySelector('.over').style.clipPath")
    assert "amber" not in compare.texts(swipe)[0]
    compare.press("m")
    compare.until(
        lambda: "Super-resolved, computed, not measured: amber over " in compare.texts(swipe)[0],
        "marks are not explained",
    )


def test_the_pixel_under_the_pointer_is_read_in_hu(compare: Browser, pair: Pair) -> None:
    point(compare, "axial", "result", (5.5 / 8, 2.5 / 12), "pointermove")
    source, result, between = pair.source[1, 1, 2], pair.result[3, 2, 5], interpolated(pair.source)[3, 2, 5]
    shown = compare.texts(".readout")[0]
    assert shown.startswith(f"Axial, column 5, row 2: Source {source:.0f} HU · Source, interpolated")
    words = dict(one.removesuffix(" HU").rsplit(" ", 1) for one in shown.split(": ")[1].split(" · "))
    assert float(words["Super-resolved"]) == result
    assert float(words["Added detail"]) == pytest.approx(result - between, abs=0.51)


def test_edges_are_named_after_the_patient(compare: Browser) -> None:
    # Axial, first row anterior, first column at the patient's right.
    edges = {
        plane: "".join(compare.texts(f"[data-plane={plane}] [data-figure=result] .edge"))
        for plane in ("axial", "coronal", "sagittal")
    }
    assert edges == {"axial": "RLAP", "coronal": "RLHF", "sagittal": "APHF"}


def expect_marks(
    browser: Browser, pair: Pair, threshold: int, marked: NDArray[np.floating], colours: list[list[int]]
) -> None:
    """The result in two planes, coloured where `marked` exceeds the threshold upwards, and downwards."""
    field = browser.one('input[aria-label^="Marked"]')
    field.clear()
    field.send_keys(str(threshold))
    browser.until(lambda: f"{threshold} HU" in browser.texts("[data-plane=axial] [data-figure=result]")[0])
    for plane, cut in (("axial", np.s_[3]), ("coronal", np.s_[::-1, 6])):
        rgb, plain = (
            coloured(browser, "result", plane),
            grey(pair.result[cut], LUNG)[..., None].repeat(3, axis=-1),
        )
        sides = [marked[cut] > threshold, marked[cut] < -threshold]
        for side, colour in zip(sides, colours, strict=False):
            np.testing.assert_allclose(rgb[side], 0.6 * np.array(colour) + 0.4 * plain[side], atol=0.51)
            assert 0 < side.sum() < side.size
        rest = ~(sides[0] | sides[1])
        np.testing.assert_array_equal(rgb[rest], plain[rest])


def test_what_was_added_is_marked_from_the_start_brighter_and_darker_apart(
    compare: Browser, pair: Pair
) -> None:
    compare.press("m")  # the fixture has hidden them
    result = "[data-plane=axial] [data-figure=result]"
    wording = "computed, not measured: amber over 100 HU brighter than interpolation, blue darker"
    compare.until(lambda: wording in compare.texts(result)[0])
    expect_marks(compare, pair, 301, pair.result - interpolated(pair.source), [AMBER, BLUE])


def test_the_uncertainty_can_be_marked_exactly_where_its_map_exceeds_the_threshold(
    compare: Browser, pair: Pair
) -> None:
    compare.press("m")
    compare.one('select[aria-label^="What is marked"]').send_keys("uncertainty")
    result = "[data-plane=axial] [data-figure=result]"
    compare.until(lambda: "amber: uncertain by more than ±25 HU" in compare.texts(result)[0])
    expect_marks(compare, pair, 40, pair.spread, [AMBER])


def test_scales_say_what_black_and_white_are_where_a_picture_is_no_image(compare: Browser) -> None:
    scales = {
        pane: compare.texts(f"[data-plane=axial] [data-figure={pane}] .scale:not([hidden])")
        for pane in ("source", "result", "difference", "uncertainty")
    }
    assert {pane: [one.split("\n") for one in found] for pane, found in scales.items()} == {
        "source": [], "result": [], "difference": [["−200 HU", "+200 HU"]], "uncertainty": [["±0 HU", "±50 HU or more"]],
    }  # fmt: skip


@pytest.mark.parametrize("width", [1280, 390])
def test_captions_are_whole_images_stay_level_and_sliders_are_long(compare: Browser, width: int) -> None:
    compare.size(width, 900)
    cut = "return [...document.querySelectorAll('figcaption')].filter((one) => one.scrollWidth > one.clientWidth).length"
    rows = """return [...document.querySelectorAll('.panes')].flatMap((panes) => {
        const boxes = [...panes.querySelectorAll('figure:not([hidden])')].map((one) => [one, one.querySelector('.stage')].map((it) => Math.round(it.getBoundingClientRect().top)));
        return boxes.map(([top, stage]) => `${top} ${stage}`).filter((one, index, all) => all.indexOf(one) === index);
    }).length"""
    sliders = "return [...document.querySelectorAll('.scrolling input')].map((one) => one.clientWidth)"
    compare.until(lambda: compare.run(cut) == 0, "a caption is cut off")
    compare.until(lambda: compare.run(rows) == (3 if width > 1000 else 6), "images of a row are not level")
    compare.press("x")
    compare.until(lambda: min(compare.run(sliders)) > 200, "a slider is too short to aim with")


@pytest.mark.parametrize("pair", [NO_MAP], indirect=True)
def test_without_a_map_the_page_says_why_and_shows_no_other_map_for_it(
    pair: Pair, site: Site, browser: Browser
) -> None:
    browser.open(f"{site.page}#/compare/{pair.identifier}")
    browser.until(
        lambda: (
            "no map of the uncertainty in the archive, though this run computed one"
            in "".join(browser.texts("[data-note]"))
        )
    )
    assert not browser.one("[data-figure=uncertainty]").is_displayed()
    words = browser.driver.execute_async_script(
        "const [done] = arguments; import('./compare/deviation.js').then(({ whyNoMap }) => done(whyNoMap({ samples: 1 })))"
    )
    assert "a single sample was computed, which has no spread" in words


@pytest.mark.parametrize("pair", [TWO_MAPS], indirect=True)
def test_a_calibrated_interval_is_shown_before_a_deviation_and_marked_from_100_hu(
    pair: Pair, site: Site, browser: Browser
) -> None:
    browser.open(f"{site.page}#/compare/{pair.identifier}")
    browser.one("[data-plane=axial] figure:not([hidden]) canvas[data-pane=uncertainty]")
    browser.one('select[aria-label^="What is marked"]').send_keys("uncertainty")
    browser.until(
        lambda: "amber: uncertain by more than ±100 HU" in " ".join(browser.texts("[data-figure=result]"))
    )
    np.testing.assert_array_equal(drawn(browser, "uncertainty"), grey(3 * pair.spread[3], (100, 200)))
    rgb = coloured(browser, "result")
    np.testing.assert_array_equal(rgb[..., 0] != rgb[..., 2], 3 * pair.spread[3] > 100)
    shown = browser.texts("[data-plane=axial] [data-figure=uncertainty]")[0]
    assert "the true value lies within this distance in 90 % of voxels" in shown
    assert "±200 HU or more" in shown


def test_a_verdict_says_what_its_figures_say(site: Site, browser: Browser) -> None:
    browser.open(site.page)
    reports = [
        [11.8, 17.0, 33.4],
        [20.1, 17.0, 33.4],
        [0.3, 0.0, None],
        [1.2, None, None],
        [None, 17.0, 33.4],
    ]
    names = ("lr_consistency_rmse_hu", "noise_hu", "null_space_rms_hu")
    given = [
        {name: value for name, value in zip(names, one, strict=True) if value is not None} for one in reports
    ]
    found = browser.driver.execute_async_script(
        "const [given, done] = arguments; import('./verdict.js').then(({ verdict }) => done(given.map(verdict)))",
        given,
    )
    assert found == [
        {
            "agrees": True,
            "words": "Agrees with the scan: averaged back, it differs by 11.8 HU, within the noise of 17.0 HU; that does not prove the 33 HU rms of detail that were added.",
        },
        {
            "agrees": False,
            "words": "Does not agree with the scan: averaged back, it differs by 20.1 HU, more than the noise of 17.0 HU; 33 HU rms of detail were added.",
        },
        {
            "agrees": True,
            "words": "Agrees with the scan: averaged back, it differs by 0.3 HU, within the noise of 0.0 HU.",
        },
        {
            "agrees": None,
            "words": "Averaged back, it differs from the scan by 1.2 HU; the noise of the scan is not known.",
        },
        None,
    ]


def test_a_series_over_the_memory_s_budget_keeps_every_second_row_and_column(
    compare: Browser, pair: Pair, site: Site
) -> None:
    """The slices that are looked at stay whole; 144 bytes are half of what the source's three take."""
    script = """const [series, done] = arguments;
        Promise.all([import('./compare/volume.js'), import('./stack.js')]).then(async ([{ Volume }, { loadStack }]) => {
            const volume = new Volume(series, await loadStack(series), 72);
            await volume.image(1);
            await volume.loadAll(() => {});
            done([volume.arrived, volume.images.map((image) => [...image.values]), volume.at(1).values.length, volume.at(0).spacing]);
        });"""
    arrived, kept, whole, spacing = compare.driver.execute_async_script(script, pair.identifier)
    assert (arrived, whole, spacing) == (3, ROWS * COLUMNS, [3, 3])
    assert kept == [list((2 * (image[::2, ::2] + 1024)).ravel()) for image in pair.source]

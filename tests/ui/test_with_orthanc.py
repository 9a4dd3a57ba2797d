"""The comparison over a real Orthanc: its own answers, its own content, its own password."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from tests.support.plugin.node import ADMIN, running_node
from tests.support.plugin.series import ct_series, ct_slice
from tests.support.ui.browser import Browser

SLICES, SHOWN = 6, 6
"""Source slices, 5 mm apart; of the 12 of the result (at 0, 1.25, ... mm) the middle one is shown first, at 7.5 mm."""


def lung(dataset: Dataset) -> NDArray[Any]:
    """Grey levels of an image of the tests (values + -1024 HU) in the lung window, by PS3.3 C.11.2.1.2.1."""
    hu = np.frombuffer(dataset.PixelData, "<i2").reshape(16, 16) - 1024.0
    return np.floor(255 * np.clip((hu + 600.5) / 1499 + 0.5, 0, 1) + 0.5)


@pytest.mark.orthanc
def test_orthanc_s_own_pixels_reach_the_canvas_and_its_explorer_leads_there(
    tmp_path: Path, browser: Browser
) -> None:
    with ExitStack() as stack:
        node = running_node(tmp_path, stack)
        made = ct_series(SLICES)
        series = node.send(made)
        node.wait_for(series, "done")
        browser.authorise("admin", ADMIN)
        stack.callback(browser.authorise, "", "")
        browser.open(f"{node.orthanc.url}/nullsplat/ui/#/compare/{series}")
        browser.until(lambda: browser.texts(".slice-words")[:1] == ["7 of 12, at 7.5 mm"])
        browser.press("m")  # no marks
        for pane, dataset in (("source", made[1]), ("result", ct_slice(SHOWN, 1.25, seed=1))):
            width, height, values = browser.pixels(f"[data-plane=axial] canvas[data-pane={pane}]")
            levels = np.array(values).reshape(height, width, 4)[..., 0]
            np.testing.assert_array_equal(levels, lung(dataset), err_msg=pane)
        browser.open(f"{node.orthanc.url}/nullsplat/ui/#/series/{series}")
        loaded = "return [...document.querySelectorAll('.thumbnails img')].map((one) => one.naturalWidth)"
        browser.until(lambda: browser.run(loaded) == [160] * 6)
        assert [entry["message"] for entry in browser.drain("browser")] == []
        browser.open(f"{node.orthanc.url}/app/explorer.html#series?uuid={series}")
        links = (
            "return [...document.querySelectorAll('#nullsplat-row a')].map((one) => one.getAttribute('href'))"
        )
        page = "../nullsplat/ui/index.html#"
        browser.until(
            lambda: {f"{page}/series/{series}", f"{page}/compare/{series}"} <= set(browser.run(links))
        )
        study = node.call("GET", f"/series/{series}/study")[1]["ID"]
        browser.open(f"{node.orthanc.url}/app/explorer.html#study?uuid={study}")
        browser.until(lambda: f"{page}/compare/{series}" in browser.run(links.replace("-row", "-study")))
        assert len(browser.all("#nullsplat-study > div")) == 1, "a result stands under its source"
        node.orthanc.kill()  # its regular end takes seconds

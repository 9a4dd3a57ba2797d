from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nullsplat_node.access import allowed, user_of


def basic(user: str) -> dict[str, str]:
    return {"authorization": "Basic " + b64encode(f"{user}:p:w".encode()).decode()}


@pytest.mark.parametrize(
    "uri",
    ["/dicom-web/studies", "/dicom-web/studies/1.2/series/3.4", "/dicom-web/series", "/dicom-web/instances"],
)
def test_the_engine_may_read_and_store_images(uri: str) -> None:
    assert allowed(uri, basic("engine"), "engine")


@pytest.mark.parametrize(
    "uri",
    ["/", "/system", "/series", "/nullsplat/status", "/tools/execute-script", "/dicom-web", "/dicom-web/servers/x/stow",
     "/dicom-web-x/studies", "/dicom-web/studiesX", "/wado", "/modalities/PACS/store", "/x/dicom-web/studies"],
)  # fmt: skip
def test_the_engine_may_do_nothing_else(uri: str) -> None:
    assert not allowed(uri, basic("engine"), "engine")
    assert allowed(uri, basic("admin"), "engine")


@given(st.text(max_size=40))
def test_no_header_whatever_crashes_the_filter(header: str) -> None:
    assert isinstance(user_of({"authorization": header}), str)


def test_the_user_is_read_as_orthanc_reads_it() -> None:
    assert user_of(basic("engine")) == "engine"
    assert user_of({}) == ""
    assert user_of({"authorization": "Bearer engine"}) == ""

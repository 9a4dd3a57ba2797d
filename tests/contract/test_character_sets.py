"""Whatever character set a series is in, the plugin reads the same values out of what a real Orthanc shows.

The page is tried in tests/ui over an archive that shows values likewise, which is made sure of here.
"""

import json
import subprocess
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from pydicom import dcmwrite
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from tests.support.dicom.series import Spec, make_series
from tests.support.plugin.series import simplified_tags

from nullsplat.dicom.headers import quiet_pydicom
from nullsplat.node.installation import installed_orthanc
from nullsplat.node.processes import free_port
from nullsplat_node.rules.conditions import Origin, facts_of
from nullsplat_node.series import tags as read
from nullsplat_node.series.dose import LowDoseRules

SINGLE = "6 100 101 109 110 144 127 126 138 148 203 13 166 192"
EXTENDED = "6 100 101 109 110 144 127 126 138 148 203 13 166 87 159 149 58"
TERMS = (
    ("GB18030",),
    ("GBK",),
    *((f"ISO_IR {number}",) for number in SINGLE.split()),
    *((f"ISO 2022 IR {number}",) for number in EXTENDED.split()),
    *(("", f"ISO 2022 IR {number}") for number in EXTENDED.split()),
    ("ISO 2022 IR 13", "ISO 2022 IR 87"),
    ("ISO 2022 IR 13", "ISO 2022 IR 87", "ISO 2022 IR 159"),
    ("ISO 2022 IR 100", "ISO 2022 IR 13"),
)
"""PS3.3 C.12.1.1.2: every defined term, alone, as an extension, and as Japanese scanners combine them."""
NUMBERS = {"ImagePositionPatient": 3, "ImageOrientationPatient": 6, "PixelSpacing": 2, "WindowCenter": 2,
           "RescaleSlope": 1, "Rows": 1, "CTDIvol": 1}  # fmt: skip
Shown = dict[tuple[str, ...], dict[str, Any]]


def image(terms: tuple[str, ...]) -> Dataset:
    """One slice in a character set; what decides is the same in all."""
    [dataset] = make_series(Spec(shape=(1, 8, 8)))
    dataset.SpecificCharacterSet, dataset.PatientName = list(terms), "Yamada^Tarou"
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=["\\".join(terms)])
    dataset.StudyDescription = "Thorax"
    dataset.WindowCenter, dataset.WindowWidth = [40, -600], [400, 1500]
    dataset.ScanOptions, dataset.ConvolutionKernel = ["HELICAL", "X"], ["Br40", "3"]
    return dataset


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """What one Orthanc shows of an image in every character set: its simplified tags."""
    folder, port = tmp_path_factory.mktemp("orthanc"), free_port()
    configuration = {"StorageDirectory": str(folder), "IndexDirectory": str(folder), "HttpPort": port, "Plugins": [],
                     "DicomServerEnabled": False, "RemoteAccessAllowed": False, "AuthenticationEnabled": False}  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(configuration))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [installed_orthanc(), str(folder / "orthanc.json")], stdout=log, stderr=log
        )
    transport = httpx.HTTPTransport(retries=8)  # while it starts; each waits longer
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", transport=transport, timeout=20) as client:
            yield {terms: tags_of(client, image(terms)) for terms in TERMS}
    finally:
        process.kill()
        process.wait()


def tags_of(client: httpx.Client, dataset: Dataset) -> dict[str, Any]:
    buffer = BytesIO()
    with quiet_pydicom():  # which does not know ISO_IR 203
        dcmwrite(buffer, dataset, enforce_file_format=True)
    stored = client.post("/instances", content=buffer.getvalue()).raise_for_status().json()
    found: dict[str, Any] = client.get(f"/instances/{stored['ID']}/simplified-tags").json()
    return found


@pytest.mark.orthanc
@pytest.mark.parametrize("terms", TERMS, ids="+".join)
def test_values_that_decide_do_not_depend_on_the_character_set(terms: tuple[str, ...], shown: Shown) -> None:
    tags, written = shown[terms], image(terms)
    for keyword, count in NUMBERS.items():
        np.testing.assert_array_equal(
            read.numbers(tags, keyword, count), np.atleast_1d(written[keyword].value)
        )
    for keyword in ("ImageType", "ScanOptions"):
        assert read.values(tags, keyword) == tuple(written[keyword].value)
    for keyword in (
        "SOPInstanceUID",
        "SeriesInstanceUID",
        "StudyInstanceUID",
        "FrameOfReferenceUID",
        "SOPClassUID",
    ):
        assert read.text(tags, keyword) == written[keyword].value
    texts = facts_of([tags], Origin(), LowDoseRules()).texts
    assert (texts["image_type"], texts["kernel"]) == ("ORIGINAL\\PRIMARY\\AXIAL", "Br40\\3")


@pytest.mark.orthanc
@pytest.mark.parametrize(
    "terms", [("ISO_IR 13",), ("ISO 2022 IR 13", "ISO 2022 IR 87"), ("ISO_IR 100",)], ids="+".join
)
def test_the_tests_archive_shows_values_as_orthanc_does(terms: tuple[str, ...], shown: Shown) -> None:
    """Of Orthanc up to 1.12: later ones show the separator as it is encoded, whatever the character set."""
    imitated = simplified_tags(image(terms))
    for keyword in ("ImageType", "PixelSpacing", "ScanOptions"):
        assert shown[terms][keyword] in (imitated[keyword], str(imitated[keyword]).replace("¥", "\\"))

"""How a series was scanned, by what makers write into their headers, and so which slice profile is taken."""

from collections.abc import Callable

import pytest
from pydicom.dataset import Dataset
from tests.support.dicom.enhanced import group, make_enhanced
from tests.support.dicom.series import Spec, edited, make_series

from nullsplat.dicom.headers import decode
from nullsplat.dicom.read.acquisition import profile_of
from nullsplat.dicom.read.series import SourceSeries, read_datasets
from nullsplat.physics.profile import BELL, BOX, Profile, Resolution

ASSUMED = "assumed, the header does not tell a helical scan from a sequential one"
ORIGINAL = ["ORIGINAL", "PRIMARY", "AXIAL"]
GE_TABLE = {"TableSpeed": 39.375, "RevolutionTime": 0.4, "TotalCollimationWidth": 40.0}

HEADERS: dict[str, tuple[dict[str, object], Profile, str]] = {
    "Philips, new": ({"AcquisitionType": "SPIRAL", "ScanOptions": "HELIX"}, BELL, "Acquisition Type SPIRAL"),
    "Philips, old": ({"ScanOptions": "HELIX"}, BELL, "Scan Options: helical"),
    "Philips, step and shoot": ({"ScanOptions": "AXIAL"}, BOX, "Scan Options: sequential"),
    "Philips, sequential": ({"AcquisitionType": "SEQUENCED"}, BOX, "Acquisition Type SEQUENCED"),
    "GE, helical": ({"ScanOptions": "HELICAL MODE"}, BELL, "Scan Options: helical"),
    "GE, axial": ({"ScanOptions": "AXIAL MODE"}, BOX, "Scan Options: sequential"),
    "GE, cine": ({"ScanOptions": "CINE MODE"}, BOX, "Scan Options: sequential"),
    "GE, table alone": (GE_TABLE, BELL, "Table Feed per Rotation, a pitch of 0.394"),
    "Canon, helical": ({"ScanOptions": "HELICAL_CT"}, BELL, "Scan Options: helical"),
    "Canon, volume": ({"ScanOptions": "VOLUME_CT"}, BOX, "Scan Options: sequential"),
    "Canon, dynamic volume": ({"ScanOptions": "DVOLUME_CT"}, BOX, "Scan Options: sequential"),
    "Siemens, spiral": ({"SpiralPitchFactor": 0.6}, BELL, "Spiral Pitch Factor 0.6"),
    "Siemens, flash": ({"SpiralPitchFactor": 3.4}, BELL, "Spiral Pitch Factor 3.4"),
    "table feed": ({"TableFeedPerRotation": 23.0, "TotalCollimationWidth": 38.4}, BELL, "Table Feed per Rotation, a pitch of 0.599"),
    "rows alone": ({"TableFeedPerRotation": 23.0, "SingleCollimationWidth": 0.6}, BELL, "Table Feed per Rotation, 38.3 detector rows"),
    "Siemens, image type": ({"ImageType": [*ORIGINAL, "CT_SOM5 SPI"]}, BELL, "Image Type: helical"),
    "Siemens, dual": ({"ImageType": [*ORIGINAL, "CT_SOM7 SPI DUAL", "STD"]}, BELL, "Image Type: helical"),
    "Siemens, sequence": ({"ImageType": [*ORIGINAL, "CT_SOM5 SEQ"]}, BOX, "Image Type: sequential"),
    "Philips, image type": ({"ImageType": [*ORIGINAL, "HELIX"]}, BELL, "Image Type: helical"),
    "several options": ({"ScanOptions": ["TP70", "SPIRAL"]}, BELL, "Scan Options: helical"),
    "the telling before the free text": ({"AcquisitionType": "SEQUENCED", "ScanOptions": "HELIX"}, BOX, "Acquisition Type SEQUENCED"),
    "nothing": ({}, BELL, ASSUMED),
    "no scan at all": ({"AcquisitionType": "FREE", "ScanOptions": "SCOUT MODE"}, BELL, ASSUMED),
    "both": ({"ScanOptions": ["HELICAL MODE", "AXIAL MODE"]}, BELL, ASSUMED),
    "a part of a word": ({"ScanOptions": ["COAXIAL", "FOOTSTEPS"]}, BELL, ASSUMED),
    "a pitch of none": ({"SpiralPitchFactor": 0.0}, BELL, ASSUMED),
    "a pitch in mm": ({"SpiralPitchFactor": 38.4}, BELL, ASSUMED),
    "a pitch that is no number": ({"SpiralPitchFactor": float("nan")}, BELL, ASSUMED),
    "a standing table": ({**GE_TABLE, "TableSpeed": 0.0}, BELL, ASSUMED),
    "an orientation": ({"ImageType": ORIGINAL}, BELL, ASSUMED),
    "both types": ({"ImageType": [*ORIGINAL, "CT_SOM5 SEQ", "HELIX"]}, BELL, ASSUMED),
    "a part of a type": ({"ImageType": [*ORIGINAL, "SEQUEL", "SPINE"]}, BELL, ASSUMED),
    "a standing table over rows": ({"TableFeedPerRotation": 0.0, "SingleCollimationWidth": 0.6}, BELL, ASSUMED),
    "a feed in another unit": ({"TableFeedPerRotation": 23000.0, "SingleCollimationWidth": 0.6}, BELL, ASSUMED),
    "no detector": ({**GE_TABLE, "TotalCollimationWidth": 0.0}, BELL, ASSUMED),
    "a detector of no number": ({**GE_TABLE, "TotalCollimationWidth": float("nan")}, BELL, ASSUMED),
}  # fmt: skip


@pytest.mark.parametrize(("attributes", "profile", "why"), HEADERS.values(), ids=HEADERS)
def test_the_header_speaks_for_a_profile(attributes: dict[str, object], profile: Profile, why: str) -> None:
    header = Dataset()
    for keyword, value in attributes.items():
        setattr(header, keyword, value)
    assert profile_of([header, header]) == (profile, why)


def options(*values: str) -> list[Dataset]:
    headers = [Dataset() for _ in values]
    for header, value in zip(headers, values, strict=True):
        if value:
            header.ScanOptions = value
    return headers


def test_slices_that_contradict_each_other_decide_nothing() -> None:
    assert profile_of(options("HELIX", "AXIAL", "HELIX")) == (BELL, ASSUMED)
    mixed = options("AXIAL", "AXIAL")
    mixed[0].AcquisitionType, mixed[1].AcquisitionType = "SPIRAL", "SEQUENCED"
    assert profile_of(mixed) == (BOX, "Scan Options: sequential")  # what they agree on does


def test_one_slice_that_tells_is_enough_and_the_answer_does_not_depend_on_the_order() -> None:
    assert profile_of(options("", "AXIAL", "")) == (BOX, "Scan Options: sequential")
    slices = [Dataset(), Dataset()]
    slices[0].SpiralPitchFactor, slices[1].SpiralPitchFactor = 0.9, 0.8
    assert profile_of(slices) == profile_of(slices[::-1]) == (BELL, "Spiral Pitch Factor 0.8")


@pytest.mark.parametrize(
    ("keyword", "vr", "value"),
    [
        ("ScanOptions", "CS", b"\xff\xfe"),
        ("SpiralPitchFactor", "FD", b"\x00\x01"),
        ("AcquisitionType", "CS", b""),
    ],
)
def test_a_damaged_value_says_nothing(keyword: str, vr: str, value: bytes) -> None:
    header = Dataset()
    header.add_new(keyword, vr, None)
    header[keyword]._value = value
    assert profile_of([decode(header)]) == (BELL, ASSUMED)


SEQUENCED = {"CTAcquisitionTypeSequence": {"AcquisitionType": "SEQUENCED", "TubeAngle": 0.0}}
SPIRAL = {"CTTableDynamicsSequence": {"SpiralPitchFactor": 0.8, "TableSpeed": 30.0}}


FEED = {
    "CTTableDynamicsSequence": {"TableSpeed": 39.375},
    "CTAcquisitionDetailsSequence": {"RevolutionTime": 0.4, "TotalCollimationWidth": 40.0},
}
ROWS = {
    "CTTableDynamicsSequence": {"TableFeedPerRotation": 23.0},
    "CTAcquisitionDetailsSequence": {"SingleCollimationWidth": 0.625},
}


@pytest.mark.parametrize(
    ("groups", "profile", "why"),
    [
        (SEQUENCED, BOX, "Acquisition Type SEQUENCED"),
        (SPIRAL, BELL, "Spiral Pitch Factor 0.8"),
        (FEED, BELL, "Table Feed per Rotation, a pitch of 0.394"),
        (ROWS, BELL, "Table Feed per Rotation, 36.8 detector rows"),
    ],
)
@pytest.mark.parametrize("shared", [True, False])
def test_enhanced_ct_tells_it_in_its_functional_groups(
    groups: dict[str, dict[str, object]], profile: Profile, why: str, shared: bool
) -> None:
    dataset = make_enhanced(Spec(shape=(6, 16, 16)))
    holders = dataset.SharedFunctionalGroupsSequence if shared else dataset.PerFrameFunctionalGroupsSequence
    for holder in holders:
        for keyword, attributes in groups.items():
            group(holder, keyword, **attributes)
    source = read_datasets([dataset])
    assert profile_of(source.headers) == (profile, why)


def of(edit: Callable[[Dataset], object]) -> SourceSeries:
    return read_datasets(edited(edit, spec=Spec(shape=(6, 16, 16))))


def test_slices_of_5_mm_every_2_5_mm_overlap_by_half() -> None:
    known = Resolution.of(of(lambda one: setattr(one, "SliceThickness", 5.0)).volume)
    assert known.slice_thickness_ratio == pytest.approx(2.0)


def test_the_evidence_comes_with_the_resolution() -> None:
    known = Resolution.of(of(lambda one: setattr(one, "ScanOptions", "AXIAL MODE")).volume)
    assert (known.slice_profile, known.why) == (BOX, "Scan Options: sequential")
    assert Resolution.of(read_datasets(make_series(Spec(shape=(6, 16, 16)))).volume).slice_profile == BELL

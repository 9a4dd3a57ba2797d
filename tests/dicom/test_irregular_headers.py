"""Headers that break the standard and that archives are full of; the derived objects must belong to the same patient."""

from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from tests.support.dicom.results import make_provenance, make_result
from tests.support.dicom.series import Spec, code, edited, save
from tests.support.dicom.validation import errors_of, needs_validator

from nullsplat.dicom.headers import quiet_pydicom
from nullsplat.dicom.read.series import read_folder
from nullsplat.dicom.write.derived_series import write_derived
from nullsplat.dicom.write.parametric_map import INTERVAL, write_map
from nullsplat.dicom.write.quality_report import write_quality_report

SMALL = Spec(shape=(4, 16, 20))
LEADING_ZERO = "1.2.840.0113619.2.05"


def derived_objects(folder: Path, **attributes: object) -> dict[str, Dataset]:
    """One object of each kind, made from a series with these attributes and read back."""

    def edit(dataset: Dataset) -> None:
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)

    with quiet_pydicom():
        source = read_folder(save(edited(edit, spec=SMALL), folder / "source"))
    result, provenance = make_result(source), make_provenance(source)
    series = write_derived(source, result, provenance, folder / "slices")
    paths = {
        "slice": series.paths[0],
        "map": write_map(INTERVAL, source, result, provenance, folder).path,
        "report": write_quality_report(source, series, {"noise_hu": 3.0}, provenance, folder).path,
    }
    return {kind: dcmread(path) for kind, path in paths.items()}


def test_all_objects_are_in_the_study_whose_identifier_has_leading_zeros(tmp_path: Path) -> None:
    objects = derived_objects(tmp_path, StudyInstanceUID=LEADING_ZERO, FrameOfReferenceUID="1.2.03")
    with quiet_pydicom():
        for kind, dataset in objects.items():
            assert dataset.get("StudyInstanceUID") == LEADING_ZERO, kind
            assert kind == "report" or dataset.get("FrameOfReferenceUID") == "1.2.03", kind
        evidence = objects["report"].CurrentRequestedProcedureEvidenceSequence
        assert evidence[0].StudyInstanceUID == LEADING_ZERO


REPAIRED: dict[str, tuple[str, object, object]] = {
    "a sex in small letters": ("PatientSex", "f", "F"),
    "a sex in German": ("PatientSex", "W", None),
    "a date of no month": ("PatientBirthDate", "19570000", None),
    "a date of zeros": ("PatientBirthDate", "00000000", None),
    "a date with dashes": ("StudyDate", "2024-02-03", "20240203"),
    "a date of ACR-NEMA": ("StudyDate", "2024.02.03", "20240203"),
    "a day that February lacks": ("StudyDate", "20230229", None),
    "a time with colons": ("StudyTime", "10:11:12", "101112"),
    "an hour that no day has": ("StudyTime", "251112", None),
    "a time zone with a colon": ("TimezoneOffsetFromUTC", "+05:30", "+0530"),
    "an age without its unit": ("PatientAge", "45", None),
    "a code in small letters": ("BodyPartExamined", "Chest", "CHEST"),
    "a weight with too many digits": ("PatientWeight", "70.12345678901234567", "70.1234567890124"),
}
"""What comes, and what it becomes; None where it is left out, or empty if it must be there."""


@pytest.mark.parametrize(("keyword", "value", "expected"), REPAIRED.values(), ids=REPAIRED)
def test_values_outside_the_standard_are_repaired_or_left_out(
    tmp_path: Path, keyword: str, value: object, expected: object
) -> None:
    for kind, dataset in derived_objects(tmp_path, **{keyword: value}).items():
        if kind != "slice" and keyword in SERIES_ONLY:
            continue
        got = dataset.get(keyword)
        assert (str(got) if got else None) == expected, kind


SERIES_ONLY = ("BodyPartExamined",)
IMAGE_VALUES: dict[str, tuple[str, object, object]] = {
    "a whole number with decimals": ("AcquisitionNumber", "3.0", 3),
    "a fraction where a whole number must be": ("Exposure", "15.5", None),
    "an impossible moment": ("AcquisitionDateTime", "20261340101112", None),
    "a moment of no such hour": ("AcquisitionDateTime", "20240203250000", None),
    "a moment": ("AcquisitionDateTime", "20240203101112.5+0100", "20240203101112.5+0100"),
    "a direction that is none": ("RotationDirection", "LEFT", None),
    "an item without a code": ("AnatomicRegionSequence", [Dataset()], None),
}


@pytest.mark.parametrize(("keyword", "value", "expected"), IMAGE_VALUES.values(), ids=IMAGE_VALUES)
def test_values_of_a_slice_are_repaired_or_left_out(
    tmp_path: Path, keyword: str, value: object, expected: object
) -> None:
    got = derived_objects(tmp_path, **{keyword: value})["slice"].get(keyword)
    assert (got or None) == expected


WINDOWS: dict[str, tuple[object, object, object, object]] = {
    "no width": (40, 0, None, None),
    "a negative width": (40, -1, None, None),
    "two centres and one width": ([40, -600], 400, 40, 400),
    "one of two without width": ([40, -600], [0, 1500], -600, 1500),
    "two windows": ([40, -600], [400, 1500], [40, -600], [400, 1500]),
}


@pytest.mark.parametrize(("centre", "width", "shown", "wide"), WINDOWS.values(), ids=WINDOWS)
def test_only_windows_that_can_be_shown_are_carried(
    tmp_path: Path, centre: object, width: object, shown: object, wide: object
) -> None:
    words = ["SOFT", "LUNG"]
    dataset = derived_objects(
        tmp_path, WindowCenter=centre, WindowWidth=width, WindowCenterWidthExplanation=words
    )
    got = dataset["slice"]
    assert (got.get("WindowCenter"), got.get("WindowWidth")) == (shown, wide)
    assert ("WindowCenterWidthExplanation" in got) == isinstance(shown, list)


@pytest.mark.parametrize("empty", ["", None, ["", ""]])
def test_an_empty_character_set_is_left_out(tmp_path: Path, empty: object) -> None:
    objects = derived_objects(
        tmp_path, SpecificCharacterSet=empty, PatientName="Doe^Jane", StudyDescription="CT"
    )
    for kind, dataset in objects.items():
        assert "SpecificCharacterSet" not in dataset, kind


def test_texts_of_slices_in_several_character_sets_keep_their_letters(tmp_path: Path) -> None:
    datasets = edited(lambda one: setattr(one, "PatientName", "Doe^Jane"), spec=SMALL)
    for index, one in enumerate(datasets):
        one.StudyDescription = "Thorax"
        one.SpecificCharacterSet = "ISO_IR 192" if index else "ISO_IR 100"
        one.ContrastBolusAgent = "Kontrastmittel 沃" if index else "Müller"
    source = read_folder(save(datasets, tmp_path / "source"))
    paths = write_derived(source, make_result(source), make_provenance(source), tmp_path / "slices").paths
    told = [dcmread(path).ContrastBolusAgent for path in paths]
    assert set(told) == {"Müller", "Kontrastmittel 沃"}


@needs_validator
def test_the_validator_finds_no_errors_in_what_came_of_all_of_them(tmp_path: Path) -> None:
    worst = {keyword: value for keyword, value, _ in [*REPAIRED.values(), *IMAGE_VALUES.values()]}
    item = Dataset()
    with quiet_pydicom():
        item.Manufacturer, item.ContributionDateTime = "Archive", "20261340"
    item.PurposeOfReferenceCodeSequence = Items([code("109101", "DCM", "Acquisition Equipment")])
    worst |= {"WindowCenter": [40, 40], "WindowWidth": [0, -1], "SpecificCharacterSet": "", "StudyDescription": "CT",
              "ContributingEquipmentSequence": [item], "ImageComments": "", "PatientName": "Doe^Jane"}  # fmt: skip
    derived_objects(tmp_path, **worst)
    for path in (tmp_path / "slices/00001.dcm", tmp_path / "interval.dcm", *tmp_path.glob("*report*.dcm")):
        assert errors_of(path) == []


@pytest.mark.parametrize(
    ("terms", "name"),
    [
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
        ("GB18030", "王^小东"),
        ("ISO-IR 192", "王^小东"),
        ("utf-8", "王^小东"),
        ("ISO IR 100", "Müller^Jörg"),
    ],
)
def test_names_survive_whatever_their_character_set(
    tmp_path: Path, terms: str | list[str], name: str
) -> None:
    for kind, dataset in derived_objects(tmp_path, SpecificCharacterSet=terms, PatientName=name).items():
        assert str(dataset.PatientName) == name, kind
        assert dataset.StudyDescription == "Thorax für Müller" or terms[0] == "", kind


def test_text_in_an_unknown_character_set_keeps_its_bytes(tmp_path: Path) -> None:
    objects = derived_objects(tmp_path, SpecificCharacterSet="KLINGON", PatientName="Müller^Jörg")
    for kind, dataset in objects.items():
        assert dataset.PatientName.original_string.rstrip() == "Müller^Jörg".encode("latin-1"), kind


def test_a_window_about_zero_is_a_window(tmp_path: Path) -> None:
    dataset = derived_objects(tmp_path, WindowCenter=0, WindowWidth=2000)["slice"]
    assert (dataset.get("WindowCenter"), dataset.get("WindowWidth")) == (0, 2000)


def test_times_are_in_the_time_zone_that_the_object_names(tmp_path: Path) -> None:
    for kind, dataset in derived_objects(tmp_path, TimezoneOffsetFromUTC="+0930").items():
        assert dataset.TimezoneOffsetFromUTC == "+0930"
        for event in ("Series", "Content", "InstanceCreation"):  # made at 15:16 in +0100
            assert dataset[f"{event}Time"].value == "234617.180000", kind


def test_a_date_changes_with_the_time_zone(tmp_path: Path) -> None:
    for kind, dataset in derived_objects(tmp_path, TimezoneOffsetFromUTC="+1100").items():
        assert (dataset.SeriesDate, dataset.SeriesTime) == ("20250305", "011617.180000"), kind


def test_a_time_zone_that_is_none_changes_nothing(tmp_path: Path) -> None:
    for kind, dataset in derived_objects(tmp_path, TimezoneOffsetFromUTC="CEST").items():
        assert dataset.SeriesTime == "151617.180000", kind

"""Headers that break the standard and that archives are full of; the derived objects must belong to the same patient."""

from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from tests.dicom.results import make_provenance, make_result
from tests.dicom.series import Spec, edited, save

from nullsplat.dicom.deriving import write_derived
from nullsplat.dicom.headers import quiet_pydicom
from nullsplat.dicom.parametric_map import DEVIATION, write_map
from nullsplat.dicom.quality_report import write_quality_report
from nullsplat.dicom.reading import read_folder

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
        "map": write_map(DEVIATION, source, result, provenance, folder).path,
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


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PatientSex", "W"),
        ("PatientSex", "f"),
        ("PatientBirthDate", "19570000"),
        ("StudyDate", "2024-02-03"),
        ("StudyTime", "10:11:12"),
    ],
)
def test_values_outside_the_standard_pass_as_they_came(tmp_path: Path, keyword: str, value: str) -> None:
    for kind, dataset in derived_objects(tmp_path, **{keyword: value}).items():
        assert str(dataset[keyword].value) == value, kind


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

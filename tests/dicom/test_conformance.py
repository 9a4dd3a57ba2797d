"""docs/conformance.md says what the code does: every table that can be compared is."""

import re
from pathlib import Path

import numpy as np
import pydicom.uid
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    EnhancedSRStorage,
    ParametricMapStorage,
    SecondaryCaptureImageStorage,
)
from tests.support.dicom.results import make_provenance, make_result
from tests.support.dicom.series import Spec, make_series

from nullsplat.core.errors import IneligibleSeries, NullSplatError
from nullsplat.core.volume import Volume
from nullsplat.dicom.read.eligibility import IMAGE_CLASSES
from nullsplat.dicom.read.pixels import check_transfer_syntax
from nullsplat.dicom.read.series import read_datasets
from nullsplat.dicom.refusals import Refusal
from nullsplat.dicom.write import codes, copied_attributes
from nullsplat.dicom.write.derived_series import write_derived
from nullsplat.dicom.write.encoding import OutputSyntax
from nullsplat.dicom.write.files import IMPLEMENTATION_CLASS_UID
from nullsplat.dicom.write.key_image import write_key_image
from nullsplat.dicom.write.parametric_map import DEVIATION, write_map
from nullsplat.dicom.write.quality_report import write_quality_report

STATEMENT = (Path(__file__).parents[2] / "docs" / "conformance.md").read_text()
SMALL = Spec(shape=(4, 6, 8))
OPTIONAL = ("ImageType", "FrameOfReferenceUID")
"""Needed if they are there: the plugin alone insists on the first, and the second can be made."""


def between(start: str, end: str) -> str:
    return STATEMENT.split(start, 1)[1].split(end, 1)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of a table's rows, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines[2:]]


def names(text: str) -> list[str]:
    return re.findall(r"`([A-Za-z0-9]+)`", text)


def test_the_sop_classes_are_those_of_the_code() -> None:
    table = {UID(uid): (read, written) for _, uid, read, written in rows(between("### 1.1", "### 1.2"))}
    assert {uid for uid, (read, _) in table.items() if read == "yes"} == set(IMAGE_CLASSES)
    written = {uid for uid, (_, written) in table.items() if written == "yes"}
    assert written == {CTImageStorage, ParametricMapStorage, EnhancedSRStorage, SecondaryCaptureImageStorage}


def can_be_read(uid: UID) -> bool:
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = uid
    try:
        check_transfer_syntax(header)
    except IneligibleSeries:
        return False
    return True


def test_the_transfer_syntaxes_are_those_of_the_code() -> None:
    table = rows(between("### 1.2", "## 2"))
    assert {row[1] for row in table if row[2] == "yes"} == set(
        filter(can_be_read, pydicom.uid.AllTransferSyntaxes)
    )
    settings = {row[1]: re.findall("`([a-z0-9-]+)`", row[4])[0] for row in table if row[3] == "yes"}
    assert settings == {one.uid: one.value for one in OutputSyntax}


def test_the_implementation_is_named() -> None:
    assert f"`{IMPLEMENTATION_CLASS_UID}`" in STATEMENT


def without(keyword: str) -> str | None:
    """The code with which a series without the attribute is refused."""
    datasets = make_series(SMALL)
    for dataset in datasets:
        del dataset[keyword]
    try:
        read_datasets(datasets)
    except NullSplatError as error:
        return error.code
    return None


def test_what_is_needed_is_needed_and_nothing_else_is() -> None:
    needed = {row[0].strip("`"): row[2] for row in rows(between("### 6.1", "### 6.2"))}
    for keyword in make_series(SMALL)[0].dir():
        code = without(keyword)
        if code is None:
            assert keyword not in needed or keyword in OPTIONAL
        else:
            assert f"`{code}`" in needed[keyword]


def test_every_reason_of_a_refusal_is_told() -> None:
    told = re.findall("`([a-z-]+)`", between("### 6.1", "### 6.2"))
    of_the_node_alone = {"series-not-unique"}
    assert set(told) - {"unreadable-file"} - of_the_node_alone == {reason.value for reason in Refusal}


def test_what_is_taken_over_is_what_the_code_takes_over() -> None:
    text = between("### 6.2", "### 6.3")
    study, series, image = (
        text.split("only:")[0],
        text.split("only:")[1].split("Into each")[0],
        text.split("pair:")[1],
    )
    assert names(study) == [*copied_attributes.STUDY_LEVEL, "SpecificCharacterSet"]
    assert [*copied_attributes.STUDY_LEVEL, *names(series)] == list(copied_attributes.SERIES_LEVEL)
    pairs = [*copied_attributes.DOSE_INDEX, *copied_attributes.WINDOW]
    assert names(image) == [*copied_attributes.IMAGE_LEVEL, *pairs, *copied_attributes.OPTIONAL_WITH_WINDOW]


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Dataset]:
    """One of each that a run writes, by how the statement calls it."""
    folder = tmp_path_factory.mktemp("objects")
    source = read_datasets(make_series(SMALL))
    result, provenance = make_result(source), make_provenance(source, samples=4)
    derived = write_derived(source, result, provenance, folder)
    shown = write_map(DEVIATION, source, Volume(np.abs(result.hu), result.geometry), provenance, folder)
    key = write_key_image(source, result, None, provenance, folder)
    told = write_quality_report(source, derived, {"noise_hu": 9.5}, provenance, folder)
    paths = {
        "CT slice": derived.paths[0],
        "Map": shown.path,
        "Quality report": told.path,
        "Key image": key.path,
    }
    return {name: dcmread(path) for name, path in paths.items()}


OVER = {*copied_attributes.SERIES_LEVEL, *copied_attributes.IMAGE_LEVEL, *copied_attributes.OPTIONAL_WITH_WINDOW, "SpecificCharacterSet",
        *copied_attributes.DOSE_INDEX, *copied_attributes.WINDOW}  # fmt: skip


@pytest.mark.parametrize("name", ["CT slice", "Map", "Quality report", "Key image"])
def test_each_object_has_the_attributes_of_its_table(objects: dict[str, Dataset], name: str) -> None:
    table = rows(between(f"**{name}**", "### 6.4").split("\n**")[0])
    told = {row[0].strip("`"): row[1] for row in table}
    assert len(told) == len(table)
    dataset = objects[name]
    assert set(dataset.dir()) - OVER == set(told) - OVER
    for keyword, value in told.items():
        if dataset[keyword].VR in ("CS", "US", "DS") and re.fullmatch(r"-?[A-Z0-9_\\]+", value):
            values = dataset[keyword].value
            shown = "\\".join(values) if dataset[keyword].VM > 1 else values
            assert value == (shown if isinstance(shown, str) else f"{shown:g}")


def test_the_private_codes_are_those_of_the_code() -> None:
    table = {row[0].strip("`"): row[1] for row in rows(between("### 6.4", "### 6.5"))}
    assert table == {code.value: code.meaning for code in codes.PRIVATE}


def test_nothing_private_is_written(objects: dict[str, Dataset]) -> None:
    for dataset in objects.values():
        assert not [element for element in dataset.iterall() if element.tag.is_private]

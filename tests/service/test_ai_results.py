"""What a job writes, read against the points of IHE's profile AI Results that docs/conformance.md lists."""

from pathlib import Path

import numpy as np
import pytest
import torch
from highdicom.sr import EnhancedSR, srread
from highdicom.sr.utils import find_content_items
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, EnhancedSRStorage, ParametricMapStorage, SecondaryCaptureImageStorage
from tests.support.dicom.results import make_provenance
from tests.support.dicom.series import Spec, make_series

from nullsplat.dicom.read.series import SourceSeries, read_datasets
from nullsplat.pipeline.checkpoints import Checkpoints
from nullsplat.service.processing.derived_files import Output, write_all

FIGURES = {"lr_consistency_rmse_hu": 3.25, "noise_hu": 15.0, "interval_rms_hu_by_tissue": {"lung": 31.5}}


@pytest.fixture(scope="module")
def source() -> SourceSeries:
    return read_datasets(make_series(Spec(shape=(4, 6, 8))))


@pytest.fixture(scope="module")
def objects(source: SourceSeries, tmp_path_factory: pytest.TempPathFactory) -> list[Dataset]:
    """Everything that a job of several samples can leave, of one series."""
    folder = tmp_path_factory.mktemp("results")
    checkpoints = Checkpoints()
    checkpoints.keep_source(source.volume)
    shape = (16, 6, 8)
    checkpoints.keep_result(torch.zeros(shape), torch.full(shape, 31.5))
    checkpoints.store.save_arrays("deviation", {"hu": np.full(shape, 7.5, np.float32)})
    checkpoints.keep_report(FIGURES)
    write_all(source, checkpoints, make_provenance(source, samples=4), folder, Output(key_image=True))
    return [dcmread(path) for path in sorted(folder.iterdir())]


@pytest.fixture(scope="module")
def further(objects: list[Dataset]) -> list[Dataset]:
    """Maps and key image."""
    return [one for one in objects if one.SOPClassUID not in (CTImageStorage, EnhancedSRStorage)]


@pytest.fixture(scope="module")
def root(objects: list[Dataset], tmp_path_factory: pytest.TempPathFactory) -> EnhancedSR:
    [report] = [one for one in objects if one.SOPClassUID == EnhancedSRStorage]
    path = tmp_path_factory.mktemp("root") / "report.dcm"
    report.save_as(path)
    return srread(path)


def test_all_lie_in_the_study_in_series_of_their_own(objects: list[Dataset], source: SourceSeries) -> None:
    assert {one.StudyInstanceUID for one in objects} == {source.headers[0].StudyInstanceUID}
    kinds: dict[str, list[str]] = {}
    for one in objects:
        kinds.setdefault(str(one.SeriesInstanceUID), []).append(str(one.SOPClassUID))
    assert source.headers[0].SeriesInstanceUID not in kinds
    assert sorted(kinds.values()) == sorted(
        [
            [CTImageStorage] * 16,
            [EnhancedSRStorage],
            [ParametricMapStorage],
            [ParametricMapStorage],
            [SecondaryCaptureImageStorage],
        ]
    )


def test_the_root_is_a_measurement_report_of_the_imaging_procedure(root: EnhancedSR) -> None:
    assert root.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert root.ConceptNameCodeSequence[0].CodeValue == "126000"
    [procedure] = [one for one in root.ContentSequence if one.name.value == "121058"]
    assert procedure.value.value == "77477000"


def test_the_root_refers_to_what_was_analysed_and_to_every_result(
    root: EnhancedSR, objects: list[Dataset], source: SourceSeries
) -> None:
    results = {str(one.SOPInstanceUID) for one in objects if one.SOPClassUID != EnhancedSRStorage}
    expected = results | {str(one.SOPInstanceUID) for one in source.headers}
    tree = {
        str(item.referenced_sop_instance_uid)
        for item in find_content_items(root, recursive=True)
        if item.ValueType == "IMAGE"
    }
    evidence = {str(uid) for _, _, uid, _ in root.get_evidence(current_procedure_only=True)}
    assert tree == evidence == expected


def test_every_object_describes_the_algorithm(objects: list[Dataset]) -> None:
    found = set()
    for one in objects:
        item = one.ContributingEquipmentSequence[-1]
        assert item.PurposeOfReferenceCodeSequence[0].CodeValue == "109102"
        found.add(
            (item.Manufacturer, item.ManufacturerModelName, tuple(item.SoftwareVersions), item.DeviceUID)
        )
    [(maker, model, versions, _)] = found
    assert (maker, model, versions) == ("NullSplat", "NullSplat", ("0.1.0", "weights a1a1a1a1a1a1"))


@pytest.mark.parametrize("change", [{"model_hash": "c3" * 32}, {"software_version": "0.2.0"}])
def test_another_algorithm_is_another_device(
    source: SourceSeries, objects: list[Dataset], tmp_path: Path, change: dict[str, str]
) -> None:
    checkpoints = Checkpoints()
    checkpoints.keep_source(source.volume)
    checkpoints.keep_result(torch.zeros(4, 6, 8))
    checkpoints.keep_report(FIGURES)
    write_all(source, checkpoints, make_provenance(source, **change), tmp_path, Output())
    [other] = {dcmread(path).ContributingEquipmentSequence[-1].DeviceUID for path in tmp_path.iterdir()}
    assert other != objects[0].ContributingEquipmentSequence[-1].DeviceUID


def algorithm_of(items: list[Dataset]) -> dict[str, str]:
    named = {one.ConceptNameCodeSequence[0].CodeValue: one.get("TextValue", "") for one in items}
    return {value: named[value] for value in ("111001", "111003", "111002") if value in named}


def test_report_and_maps_identify_the_algorithm_with_its_parameters(
    root: EnhancedSR, objects: list[Dataset]
) -> None:
    [group] = root.content.get_image_measurement_groups()
    told = [list(group[0].ContentSequence)]
    for one in objects:
        if one.SOPClassUID == ParametricMapStorage:
            shared = one.SharedFunctionalGroupsSequence[0]
            told.append(list(shared.RealWorldValueMappingSequence[0].QuantityDefinitionSequence))
    assert len(told) == 3
    for items in told:
        name, version, parameter = algorithm_of(items).values()
        assert name.startswith("Super-resolution by null-space diffusion")
        assert version == "0.1.0"
        assert ": " in parameter


def test_measurements_can_be_tracked(root: EnhancedSR, source: SourceSeries) -> None:
    [group] = root.content.get_image_measurement_groups()
    assert group.tracking_identifier == "Super-resolution quality"
    assert str(group.tracking_uid).startswith("2.25.")


def test_maps_say_what_their_values_are_and_how_to_show_them(further: list[Dataset]) -> None:
    maps = [one for one in further if one.SOPClassUID == ParametricMapStorage]
    assert len(maps) == 2
    for one in maps:
        shared = one.SharedFunctionalGroupsSequence[0]
        unit = shared.RealWorldValueMappingSequence[0].MeasurementUnitsCodeSequence[0]
        assert (unit.CodeValue, unit.CodingSchemeDesignator) == ("[hnsf'U]", "UCUM")
        assert shared.FrameVOILUTSequence[0].WindowWidth > 0


def test_results_in_space_share_the_frame_of_reference(objects: list[Dataset], source: SourceSeries) -> None:
    placed = [one for one in objects if one.SOPClassUID in (CTImageStorage, ParametricMapStorage)]
    assert {one.FrameOfReferenceUID for one in placed} == {source.headers[0].FrameOfReferenceUID}


def test_private_codes_are_identified(objects: list[Dataset]) -> None:
    for one in objects:
        private = [
            element
            for element in one.iterall()
            if element.keyword == "CodingSchemeDesignator" and str(element.value).startswith("99")
        ]
        schemes = {item.CodingSchemeDesignator for item in one.get("CodingSchemeIdentificationSequence", ())}
        assert {element.value for element in private} <= schemes

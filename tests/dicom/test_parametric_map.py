import hashlib
from dataclasses import replace
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut
from tests.support.dicom.results import derive, make_provenance, make_result
from tests.support.dicom.series import OBLIQUE, Spec, edited, make_series
from tests.support.dicom.validation import errors_of, needs_validator, warnings_of

from nullsplat.core.errors import GeometryError
from nullsplat.core.volume import Volume
from nullsplat.dicom.read.series import SourceSeries, read_datasets
from nullsplat.dicom.uids import derive_uid
from nullsplat.dicom.write.algorithm import NAME
from nullsplat.dicom.write.derived_series import DerivedOptions
from nullsplat.dicom.write.parametric_map import DEVIATION, INTERVAL, NULL_SPACE, MapKind, write_map

SMALL = Spec(shape=(4, 6, 8))


KINDS = pytest.mark.parametrize("kind", [DEVIATION, INTERVAL, NULL_SPACE], ids=lambda kind: kind.role)


def values_of(source: SourceSeries, kind: MapKind = DEVIATION) -> Volume:
    """Noise: with a sign for a change alone."""
    result = make_result(source)
    return result if kind is NULL_SPACE else Volume(np.abs(result.hu), result.geometry)


def write(source: SourceSeries, folder: Path, kind: MapKind = DEVIATION, **changes: object) -> Path:
    provenance = make_provenance(source, samples=4, **changes)
    return write_map(kind, source, values_of(source, kind), provenance, folder).path


@pytest.fixture
def source() -> SourceSeries:
    return read_datasets(make_series(SMALL))


@pytest.mark.parametrize(
    "spec", [SMALL, replace(SMALL, orientation=OBLIQUE, descending=True)], ids=["axial", "oblique"]
)
@KINDS
def test_values_and_places_survive_the_round_trip(tmp_path: Path, spec: Spec, kind: MapKind) -> None:
    source = read_datasets(make_series(spec))
    expected = values_of(source, kind)
    volume = hd.imread(write(source, tmp_path, kind)).get_volume(apply_icc_profile=False)
    indices = volume.map_reference_to_indices(
        np.array([expected.geometry.position((5, 2, 3))]), round_output=True
    )
    value = expected.hu[5, 2, 3]  # float32, stored as it is, but for whole HU
    assert volume.array[tuple(indices[0])] == (np.ceil(value) if kind.whole_hu else value)
    assert volume.shape == expected.hu.shape
    assert sorted(volume.spacing) == pytest.approx(sorted(expected.geometry.spacing))


def test_the_map_says_what_it_measures(tmp_path: Path, source: SourceSeries) -> None:
    dataset = dcmread(write(source, tmp_path))
    (mapping,) = dataset.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "[hnsf'U]"
    quantity = mapping.QuantityDefinitionSequence[0].ConceptCodeSequence[0]
    assert (quantity.CodeValue, quantity.CodingSchemeDesignator) == ("386136009", "SCT")
    assert (mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept) == (1, 0)
    assert dataset.ContentQualification == "RESEARCH"
    assert dataset.SeriesDescription == "[SuperRes 4x STDDEV RESEARCH] Lunge 2,5 mm"
    assert dataset.SeriesNumber == 2004


@KINDS
def test_the_map_says_that_a_model_made_it_and_which(
    tmp_path: Path, source: SourceSeries, kind: MapKind
) -> None:
    dataset = dcmread(write(source, tmp_path, kind, seed=5))
    (mapping,) = dataset.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence
    told = [
        (item.ConceptNameCodeSequence[0].CodeValue, item.TextValue)
        for item in mapping.QuantityDefinitionSequence
        if item.ValueType == "TEXT"
    ]
    assert told[:2] == [("111001", NAME), ("111003", "0.1.0")]
    assert ("111002", f"Weights SHA-256: {'a1' * 32}") in told
    assert ("111002", "Seed: 5") in told
    assert dataset.SyntheticData == "YES"
    options = DerivedOptions(synthetic_data=False)
    unmarked = write_map(kind, source, values_of(source, kind), make_provenance(source), tmp_path, options)
    assert "SyntheticData" not in dcmread(unmarked.path)


def test_the_change_is_called_that(tmp_path: Path, source: SourceSeries) -> None:
    assert dcmread(write(source, tmp_path, NULL_SPACE)).ContentDescription.startswith("Null-space change")


def test_a_change_has_two_signs_and_its_own_series(tmp_path: Path, source: SourceSeries) -> None:
    written = write_map(
        NULL_SPACE, source, values_of(source, NULL_SPACE), make_provenance(source, samples=4), tmp_path
    )
    dataset, deviation = dcmread(written.path), dcmread(write(source, tmp_path))
    assert (dataset.SeriesInstanceUID, dataset.SOPInstanceUID) == (
        written.series_instance_uid,
        written.sop_instance_uid,
    )
    assert dataset.SeriesInstanceUID != deviation.SeriesInstanceUID
    assert dataset.SOPInstanceUID != deviation.SOPInstanceUID
    assert dataset.SeriesNumber == 3004
    assert dataset.SeriesDescription == "[SuperRes 4x NULLSPACE RESEARCH] Lunge 2,5 mm"
    shared = dataset.SharedFunctionalGroupsSequence[0]
    (mapping,) = shared.RealWorldValueMappingSequence
    first, last = (
        mapping.DoubleFloatRealWorldValueFirstValueMapped,
        mapping.DoubleFloatRealWorldValueLastValueMapped,
    )
    values = values_of(source, NULL_SPACE).hu
    assert first == pytest.approx(float(values.min()))
    assert last == pytest.approx(float(values.max()))
    assert shared.FrameVOILUTSequence[0].WindowCenter == 0


def test_the_map_lies_beside_source_and_result(tmp_path: Path, source: SourceSeries) -> None:
    dataset, original = dcmread(write(source, tmp_path)), make_series(SMALL)[0]
    for keyword in (
        "PatientID",
        "PatientName",
        "StudyInstanceUID",
        "FrameOfReferenceUID",
        "StudyDescription",
    ):
        assert dataset[keyword].value == original[keyword].value
    provenance = make_provenance(source)
    assert dataset.SeriesInstanceUID not in (original.SeriesInstanceUID, derive_uid(provenance, "series"))
    assert [item.Manufacturer for item in dataset.ContributingEquipmentSequence] == ["ACME", "NullSplat"]
    assert dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SliceThickness == 0.625


@pytest.mark.parametrize(
    "spec", [SMALL, replace(SMALL, orientation=OBLIQUE, descending=True)], ids=["axial", "oblique"]
)
def test_each_frame_refers_to_the_slice_of_the_result_in_its_place(tmp_path: Path, spec: Spec) -> None:
    source = read_datasets(make_series(spec))
    dataset = dcmread(write(source, tmp_path))
    slices = {one.SOPInstanceUID: one for one in derive(source, tmp_path / "slices", samples=4)}
    (series,) = dataset.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == next(iter(slices.values())).SeriesInstanceUID
    assert {one.ReferencedSOPInstanceUID for one in series.ReferencedInstanceSequence} == set(slices)
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        (image,) = frame.DerivationImageSequence[0].SourceImageSequence
        place = slices[image.ReferencedSOPInstanceUID].ImagePositionPatient
        assert frame.PlanePositionSequence[0].ImagePositionPatient == pytest.approx(list(place))


@needs_validator
@pytest.mark.parametrize("kind", [DEVIATION, INTERVAL], ids=lambda kind: kind.role)
def test_the_palette_runs_along_the_window_and_only_gets_lighter(
    tmp_path: Path, source: SourceSeries, kind: MapKind
) -> None:
    dataset = dcmread(write(source, tmp_path, kind))
    shared = dataset.SharedFunctionalGroupsSequence[0]
    window, mapped = shared.FrameVOILUTSequence[0], shared.StoredValueColorRangeSequence[0]
    assert dataset.PixelPresentation == "COLOR_RANGE"
    assert mapped.MinimumStoredValueMapped == window.WindowCenter - window.WindowWidth / 2 == 0
    assert mapped.MaximumStoredValueMapped == window.WindowCenter + window.WindowWidth / 2 > 0
    colours = apply_color_lut(np.arange(256, dtype=np.uint8), dataset)
    lightness = colours.astype(float) @ [0.2126, 0.7152, 0.0722]  # of sRGB's primaries, ITU-R BT.709
    assert (np.diff(lightness) > 0).all()
    assert (colours[0].max(), colours[-1].min()) == (0, 0xFFFF)
    assert len(dataset.ICCProfile) > 0


def test_a_change_of_two_signs_stays_grey(tmp_path: Path, source: SourceSeries) -> None:
    dataset = dcmread(write(source, tmp_path, NULL_SPACE))
    assert dataset.PixelPresentation == "MONOCHROME"
    assert "RedPaletteColorLookupTableData" not in dataset


@KINDS
def test_the_validator_finds_no_errors(tmp_path: Path, source: SourceSeries, kind: MapKind) -> None:
    path = write(source, tmp_path, kind)
    assert errors_of(path) == []
    assert warnings_of(path) == []


@needs_validator
def test_a_bare_source_is_enough(tmp_path: Path) -> None:
    def strip(dataset: Dataset) -> None:
        for keyword in (
            "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
            "AccessionNumber", "ReferringPhysicianName", "Manufacturer", "ManufacturerModelName", "SeriesNumber",
            "SliceThickness", "SpecificCharacterSet", "BodyPartExamined", "PatientPosition",
        ):  # fmt: skip
            delattr(dataset, keyword)
        dataset.StudyDescription = "Chest"

    assert errors_of(write(read_datasets(edited(strip, spec=SMALL)), tmp_path)) == []


def test_the_same_run_gives_the_same_bytes(tmp_path: Path, source: SourceSeries) -> None:
    digests = {
        hashlib.sha256(write(source, tmp_path / name).read_bytes()).digest() for name in ("once", "again")
    }
    assert len(digests) == 1


def test_another_attempt_gets_other_identifiers(tmp_path: Path, source: SourceSeries) -> None:
    ours, theirs = (dcmread(write(source, tmp_path / str(attempt), attempt=attempt)) for attempt in (1, 2))
    assert ours.SOPInstanceUID != theirs.SOPInstanceUID
    assert ours.SeriesInstanceUID != theirs.SeriesInstanceUID


def test_a_map_that_lies_elsewhere_is_refused(tmp_path: Path, source: SourceSeries) -> None:
    grid = replace(source.volume.geometry, origin=(0.0, 0.0, 0.0))
    with pytest.raises(GeometryError, match="centre of the source"):
        write_map(DEVIATION, source, Volume(source.volume.hu, grid), make_provenance(source), tmp_path)

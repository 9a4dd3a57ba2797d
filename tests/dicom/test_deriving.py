import hashlib
from dataclasses import replace
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from tests.support.dicom.results import derive, make_provenance, make_result
from tests.support.dicom.series import (
    AXIAL,
    CORONAL,
    OBLIQUE,
    PRONE,
    SAGITTAL,
    Spec,
    edited,
    make_series,
    save,
)
from tests.support.dicom.validation import errors_of, needs_validator

from nullsplat.core.errors import GeometryError, IneligibleSeries, StorageError
from nullsplat.core.volume import Geometry, Volume
from nullsplat.dicom.geometry.stacking import stack
from nullsplat.dicom.provenance import profile_in_words
from nullsplat.dicom.read.series import SourceSeries, read_datasets, read_folder
from nullsplat.dicom.write.derived_series import RESULT, SAMPLE, write_derived
from nullsplat.dicom.write.labels import derivation_description

SMALL = Spec(shape=(6, 16, 20))
SCALES = [(4.0, 1.0, 1.0), (2.0, 2.0, 2.0), (2.5, 1.0, 1.0), (1.0, 1.5, 1.5)]
ORIENTATIONS = {"axial": AXIAL, "coronal": CORONAL, "sagittal": SAGITTAL, "oblique": OBLIQUE, "prone": PRONE}


@pytest.fixture
def source() -> SourceSeries:
    return read_datasets(make_series(SMALL))


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def read_back(datasets: list[Dataset]) -> Volume:
    """The volume of a derived series, which `read_folder` refuses to super-resolve again."""
    for dataset in datasets:
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        dataset.Manufacturer = dataset.ManufacturerModelName = "ACME"
        del dataset.ContributingEquipmentSequence
    return read_datasets(datasets).volume


@pytest.mark.parametrize("orientation", ORIENTATIONS.values(), ids=ORIENTATIONS)
@pytest.mark.parametrize("scale", SCALES)
def test_geometry_and_voxels_survive_the_round_trip(
    tmp_path: Path, orientation: tuple[float, ...], scale: tuple[float, float, float]
) -> None:
    source = read_datasets(
        make_series(replace(SMALL, orientation=orientation, descending=True, spacing=(10 / 3, 0.703125, 0.7)))
    )
    result = make_result(source, scale)
    derived = write_derived(source, result, make_provenance(source), tmp_path)
    again = read_back([dcmread(path) for path in derived.paths])
    assert np.abs(again.hu - result.hu).max() <= 0.5
    assert again.geometry.shape == result.geometry.shape
    assert again.geometry.spacing == pytest.approx(result.geometry.spacing, abs=1e-9)
    np.testing.assert_allclose(
        again.geometry.affine, result.geometry.affine, atol=1e-9
    )  # 16 characters of a DS


def test_extent_and_centre_stay(tmp_path: Path, source: SourceSeries) -> None:
    again, before = read_back(derive(source, tmp_path)).geometry, source.volume.geometry
    for corner in ((-0.5, -0.5, -0.5), tuple(size - 0.5 for size in before.shape)):
        fraction = (np.array(corner) + 0.5) / before.shape
        z, y, x = fraction * again.shape - 0.5
        assert again.position((z, y, x)) == pytest.approx(before.position(corner), abs=1e-6)


def test_slices_are_evenly_spaced_to_the_last_digit(tmp_path: Path) -> None:
    source = read_datasets(make_series(replace(SMALL, spacing=(10 / 3, 0.7, 0.7))))
    heights = [float(dataset.ImagePositionPatient[2]) for dataset in derive(source, tmp_path)]
    assert np.ptp(np.diff(heights)) < 1e-11


def test_highdicom_sees_one_volume(tmp_path: Path, source: SourceSeries) -> None:
    volume = hd.get_volume_from_series(derive(source, tmp_path), rtol=1e-9, perpendicular_tol=1e-9)
    assert volume.spatial_shape == (24, 16, 20)


@needs_validator
@pytest.mark.parametrize("scale", SCALES)
def test_the_validator_finds_no_errors(
    tmp_path: Path, source: SourceSeries, scale: tuple[float, float, float]
) -> None:
    derived = write_derived(source, make_result(source, scale), make_provenance(source), tmp_path)
    assert [errors_of(path) for path in (derived.paths[0], derived.paths[-1])] == [[], []]


@needs_validator
def test_the_validator_finds_no_errors_in_what_comes_from_a_bare_source(tmp_path: Path) -> None:
    def strip(dataset: Dataset) -> None:
        for keyword in (
            "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
            "AccessionNumber", "ReferringPhysicianName", "Manufacturer", "ManufacturerModelName", "KVP", "CTDIvol",
            "SeriesDescription", "SeriesNumber", "AcquisitionNumber", "PositionReferenceIndicator", "SliceThickness",
            "InstanceNumber", "AcquisitionDate", "AcquisitionTime", "WindowWidth", "SpecificCharacterSet",
            "BodyPartExamined", "PatientPosition",
        ):  # fmt: skip
            delattr(dataset, keyword)
        dataset.StudyDescription = "Chest"  # without a character set only ASCII is left

    source = read_datasets(edited(strip, spec=SMALL))
    derive(source, tmp_path)
    assert errors_of(tmp_path / "00001.dcm") == []


def test_a_sample_is_a_series_of_its_own_that_says_what_it_is(tmp_path: Path, source: SourceSeries) -> None:
    provenance, result = make_provenance(source), make_result(source)
    both = [write_derived(source, result, provenance, tmp_path, kind=kind) for kind in (RESULT, SAMPLE)]
    slices, drawn = ([dcmread(path) for path in one.paths] for one in both)
    assert len(list(tmp_path.iterdir())) == len(slices) + len(drawn)
    assert not {one.SOPInstanceUID for one in slices} & {one.SOPInstanceUID for one in drawn}
    assert [one.SeriesInstanceUID for one in drawn] == [both[1].series_instance_uid] * len(drawn)
    assert both[0].series_instance_uid != both[1].series_instance_uid
    assert drawn[0].SeriesDescription.startswith("[SuperRes 4x SAMPLE RESEARCH]")
    assert drawn[0].SeriesNumber - slices[0].SeriesNumber == 6000
    assert drawn[0].DerivationDescription.startswith("ONE SAMPLE of what the measurement allows")
    assert "Downsampled again it differs" in drawn[0].DerivationDescription
    with pytest.raises(IneligibleSeries):
        read_datasets(drawn)  # like every other result


def test_what_a_sample_says_of_itself_fits_however_much_there_is_to_say(source: SourceSeries) -> None:
    curve = "1.234mm:" + ",".join(["0.123456789"] * 101)
    told = {"profile": curve, "fwhm_mm": 12.345, "in_plane": curve, "check": {"verdict": "contradicted"}}
    why = "Acquisition Type SPIRAL, Scan Options HELICAL MODE, Single Collimation Width"
    longest = {"slice_profile": profile_in_words({**told, "why": why}), "scale": (4.123, 2.345, 2.345)}
    provenance = make_provenance(source, **longest, seed=2**31, samples=64, attempt=12)
    assert 1000 < len(derivation_description(provenance, SAMPLE.caution)) <= 1024  # characters of an ST


def test_slice_thickness_shrinks_with_the_spacing(tmp_path: Path) -> None:
    source = read_datasets(
        make_series(replace(SMALL, extra={"SliceThickness": 5.0}))
    )  # slices overlap by half
    dataset = derive(source, tmp_path)[0]
    assert (dataset.SliceThickness, dataset.SpacingBetweenSlices) == (1.25, 0.625)


def test_values_beyond_16_bits_are_clipped(tmp_path: Path, source: SourceSeries) -> None:
    result = make_result(source)
    result.hu[0, 0, :2] = -5000, 1e6
    derived = write_derived(source, result, make_provenance(source), tmp_path)
    dataset = dcmread(derived.paths[0])
    assert list(dataset.pixel_array[0, :2] * dataset.RescaleSlope + dataset.RescaleIntercept) == [
        -1024,
        31743,
    ]


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("once", "again"):
        derive(read_datasets(make_series(SMALL)), tmp_path / name)
    assert digests(tmp_path / "once") == digests(tmp_path / "again")


def test_identifiers_are_unique_and_reported(tmp_path: Path, source: SourceSeries) -> None:
    derived = write_derived(source, make_result(source), make_provenance(source), tmp_path)
    datasets = [dcmread(path) for path in derived.paths]
    assert {dataset.SeriesInstanceUID for dataset in datasets} == {derived.series_instance_uid}
    assert [str(dataset.SOPInstanceUID) for dataset in datasets] == list(derived.sop_instance_uids)
    assert [str(dataset.file_meta.MediaStorageSOPInstanceUID) for dataset in datasets] == list(
        derived.sop_instance_uids
    )
    assert len({*derived.sop_instance_uids, derived.series_instance_uid}) == 25


@pytest.mark.parametrize(
    "change",
    [{"attempt": 2}, {"model_hash": "c3" * 32}, {"config_hash": "d4" * 32}, {"fingerprint": "e5" * 32}],
)
def test_another_run_never_gives_the_same_identifiers(
    tmp_path: Path, source: SourceSeries, change: dict[str, object]
) -> None:
    ours, theirs = (
        write_derived(source, make_result(source), make_provenance(source, **edit), tmp_path / str(len(edit)))
        for edit in ({}, change)
    )
    assert {ours.series_instance_uid, *ours.sop_instance_uids}.isdisjoint(
        {theirs.series_instance_uid, *theirs.sop_instance_uids}
    )


def test_the_source_is_not_touched(tmp_path: Path) -> None:
    folder = save(make_series(SMALL), tmp_path / "source")
    before = digests(folder)
    source = read_folder(folder)
    headers = [header.to_json() for header in source.headers]
    derive(source, tmp_path / "derived")
    assert digests(folder) == before
    assert [header.to_json() for header in source.headers] == headers


def test_a_derived_series_is_not_super_resolved_again(tmp_path: Path, source: SourceSeries) -> None:
    derive(source, tmp_path)
    with pytest.raises(IneligibleSeries) as refusal:
        read_folder(tmp_path)
    assert refusal.value.code == "ours"


def test_no_file_is_left_half_written(tmp_path: Path, source: SourceSeries) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "00003.dcm").mkdir()  # the third slice cannot be put in its place
    with pytest.raises(StorageError, match=r"00003\.dcm"):
        derive(source, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "00001.dcm",
        "00002.dcm",
        "00003.dcm",
    ]


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path, source: SourceSeries) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="file/out cannot be written"):
        derive(source, tmp_path / "file" / "out")


@pytest.mark.parametrize("change", ["origin", "spacing", "axes"])
def test_a_result_that_lies_elsewhere_is_refused(tmp_path: Path, source: SourceSeries, change: str) -> None:
    place = make_result(source).geometry
    geometry = {
        "origin": Geometry(place.shape, place.spacing, (0.0, 0.0, 0.0), place.axes),
        "spacing": Geometry(place.shape, (0.6, 0.7, 0.6), place.origin, place.axes),
        "axes": Geometry(
            place.shape, place.spacing, place.origin, (place.axes[0], place.axes[2], place.axes[1])
        ),
    }[change]
    result = Volume(np.zeros(place.shape, np.float32), geometry)
    with pytest.raises(GeometryError, match="of the source"):
        write_derived(source, result, make_provenance(source), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_headers_alone_tell_where_the_slices_lie(tmp_path: Path, source: SourceSeries) -> None:
    datasets = derive(source, tmp_path)
    assert stack(datasets).order == tuple(range(24))

"""One Enhanced CT instance instead of a series of slices."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    UID,
    CTImageStorage,
    EnhancedCTImageStorage,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    LegacyConvertedEnhancedCTImageStorage,
    RLELossless,
)
from tests.support.dicom.enhanced import group, make_enhanced
from tests.support.dicom.results import derive, make_provenance, make_result
from tests.support.dicom.series import AXIAL, OBLIQUE, SAGITTAL, SECRETS, Spec, make_series, save
from tests.support.dicom.validation import errors_of, needs_validator

from nullsplat.core.errors import IneligibleSeries, UnreadableFile
from nullsplat.core.volume import Volume
from nullsplat.dicom.read.describing import describe
from nullsplat.dicom.read.series import fingerprint, read_datasets, read_folder
from nullsplat.dicom.refusals import Refusal
from nullsplat.dicom.write.derived_series import write_derived
from nullsplat.dicom.write.parametric_map import DEVIATION, write_map
from nullsplat.dicom.write.quality_report import write_quality_report

SMALL = Spec(shape=(6, 16, 20))


@pytest.mark.parametrize("orientation", [AXIAL, SAGITTAL, OBLIQUE], ids=["axial", "sagittal", "oblique"])
def test_frames_and_classic_slices_read_alike(tmp_path: Path, orientation: tuple[float, ...]) -> None:
    spec = Spec(orientation=orientation)
    enhanced = read_folder(save([make_enhanced(spec)], tmp_path))
    classic = read_datasets(make_series(spec))
    np.testing.assert_array_equal(enhanced.volume.hu, classic.volume.hu)
    assert enhanced.volume.geometry == classic.volume.geometry
    assert enhanced.slice_thickness == classic.slice_thickness
    assert describe(enhanced) == describe(classic)


def test_highdicom_builds_the_same_volume(tmp_path: Path) -> None:
    (path,) = save([make_enhanced(replace(SMALL, orientation=OBLIQUE))], tmp_path).iterdir()
    ours, theirs = read_folder(tmp_path).volume, hd.imread(path).get_volume(apply_voi_transform=False)
    indices = theirs.map_reference_to_indices(
        np.array([ours.geometry.position((2, 3, 4))]), round_output=True
    )
    assert theirs.array[tuple(indices[0])] == ours.hu[2, 3, 4]
    assert sorted(theirs.spacing) == pytest.approx(sorted(ours.geometry.spacing))


def test_frames_may_come_in_any_order(tmp_path: Path) -> None:
    order = [3, 0, 5, 1, 4, 2]
    source = read_datasets([make_enhanced(SMALL, order)])
    np.testing.assert_array_equal(source.volume.hu, SMALL.hu)
    assert [int(header.ReferencedFrameNumber) for header in source.headers] == [
        order.index(z) + 1 for z in range(6)
    ]


def test_each_frame_has_its_own_rescale() -> None:
    dataset = make_enhanced(SMALL)
    del dataset.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence
    for index, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        group(
            frame, "PixelValueTransformationSequence", RescaleIntercept=-1000 + index, RescaleSlope=0.5, RescaleType="HU"
        )  # fmt: skip
    expected = 0.5 * SMALL.stored + np.arange(-1000, -994)[:, None, None]
    np.testing.assert_array_equal(read_datasets([dataset]).volume.hu, expected)


def test_the_frame_overrules_what_is_shared() -> None:
    dataset = make_enhanced(SMALL)
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        group(frame, "PixelMeasuresSequence", PixelSpacing=[0.5, 0.4], SliceThickness=2.25)
    source = read_datasets([dataset])
    assert source.volume.geometry.spacing[1:] == pytest.approx((0.5, 0.4))
    assert source.slice_thickness == 2.25


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, JPEGLSLossless, JPEG2000Lossless, RLELossless])
def test_transfer_syntaxes_read_alike(tmp_path: Path, syntax: UID) -> None:
    spec = replace(SMALL, shape=(4, 32, 36))
    dataset = make_enhanced(spec)
    if syntax.is_compressed:
        dataset.compress(syntax, generate_instance_uid=False)
    np.testing.assert_array_equal(read_folder(save([dataset], tmp_path, syntax)).volume.hu, spec.hu)


def test_the_fingerprint_is_that_of_the_one_instance() -> None:
    dataset = make_enhanced(SMALL)
    assert read_datasets([dataset]).fingerprint == fingerprint(
        dataset.SeriesInstanceUID, [dataset.SOPInstanceUID]
    )


def test_reading_leaves_the_dataset_as_it_is() -> None:
    dataset = make_enhanced(SMALL)
    before = dataset.to_json()
    read_datasets([dataset])
    assert dataset.to_json() == before


def test_the_result_is_classic_and_knows_its_frames(tmp_path: Path) -> None:
    enhanced = make_enhanced(SMALL)
    datasets = derive(read_datasets([enhanced]), tmp_path)
    assert len(datasets) == 24
    for dataset in datasets:
        assert dataset.SOPClassUID == CTImageStorage
        assert "NumberOfFrames" not in dataset
        (item,) = dataset.SourceImageSequence
        assert item.ReferencedSOPClassUID == EnhancedCTImageStorage
        assert item.ReferencedSOPInstanceUID == enhanced.SOPInstanceUID
    frames = [dataset.SourceImageSequence[0].ReferencedFrameNumber for dataset in datasets]
    assert frames[:3] == [1, 1, [1, 2]]
    assert frames[-1] == 6
    first = datasets[8]  # lies nearest to the third frame
    assert (first.KVP, first.XRayTubeCurrent, first.ExposureTime, first.Exposure) == (100, 32, 500, 15)
    assert (first.AcquisitionNumber, first.AcquisitionDateTime, first.ConvolutionKernel) == (
        3,
        "20240203101302",
        "B60f",
    )
    assert (first.CTDIvol, first.WindowCenter, first.WindowWidth) == (0.9, -600, 1600)
    assert [int(dataset.InstanceNumber) for dataset in datasets] == list(range(1, 25))


@needs_validator
def test_all_objects_made_of_it_are_valid(tmp_path: Path) -> None:
    enhanced = make_enhanced(SMALL)
    source = read_datasets([enhanced])
    provenance, result = make_provenance(source, samples=4), make_result(source)
    derived = write_derived(source, result, provenance, tmp_path)
    shown = write_map(DEVIATION, source, Volume(np.abs(result.hu), result.geometry), provenance, tmp_path)
    told = write_quality_report(source, derived, {"noise_hu": 9.5}, provenance, tmp_path)
    for path in (derived.paths[3], shown.path, told.path):
        assert errors_of(path) == []
    evidence = dcmread(told.path).CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert [one.ReferencedSOPClassUID for one in evidence.ReferencedSOPSequence] == [EnhancedCTImageStorage]


def changed(edit: Callable[[Dataset], object]) -> list[Dataset]:
    dataset = make_enhanced(SMALL)
    edit(dataset)
    return [dataset]


def per_frame(keyword: str, which: slice = slice(None), **attributes: object) -> list[Dataset]:
    """An image after an edit of a functional group of some frames, shared ones included."""

    def edit(dataset: Dataset) -> None:
        groups = [*dataset.PerFrameFunctionalGroupsSequence[which], *dataset.SharedFunctionalGroupsSequence]
        for one in groups:
            for item in one.get(keyword) or []:
                for name, value in attributes.items():
                    setattr(item, name, value)

    return changed(edit)


def without(keyword: str) -> list[Dataset]:
    def edit(dataset: Dataset) -> None:
        for one in (*dataset.PerFrameFunctionalGroupsSequence, *dataset.SharedFunctionalGroupsSequence):
            one.pop(keyword, None)

    return changed(edit)


def mixed_orientations() -> list[Dataset]:
    def edit(dataset: Dataset) -> None:
        frame = dataset.PerFrameFunctionalGroupsSequence[2]
        group(frame, "PlaneOrientationSequence", ImageOrientationPatient=list(OBLIQUE))

    return changed(edit)


def legacy_converted(dataset: Dataset) -> None:
    dataset.SOPClassUID = LegacyConvertedEnhancedCTImageStorage


FRAME_TYPE = "CTImageFrameTypeSequence"
REFUSED = {
    "two stacks": (Refusal.MULTI_STACK, lambda: per_frame("FrameContentSequence", slice(3), StackID="2")),
    "mixed orientations": (Refusal.MIXED_ORIENTATION, mixed_orientations),
    "two instances": (
        Refusal.ENHANCED,
        lambda: [make_enhanced(SMALL), make_enhanced(replace(SMALL, seed=1))],
    ),
    "with classic slices": (Refusal.ENHANCED, lambda: [make_enhanced(SMALL), *make_series(SMALL)]),
    "legacy converted": (Refusal.ENHANCED, lambda: changed(legacy_converted)),
    "groups for fewer frames": (Refusal.ENHANCED, lambda: changed(lambda d: setattr(d, "NumberOfFrames", 7))),
    "no groups": (Refusal.ENHANCED, lambda: changed(lambda d: d.pop("PerFrameFunctionalGroupsSequence"))),
    "two shared items": (
        Refusal.ENHANCED,
        lambda: changed(
            lambda d: setattr(d, "SharedFunctionalGroupsSequence", Items([Dataset(), Dataset()]))
        ),
    ),
    "distorted": (Refusal.ENHANCED, lambda: per_frame(FRAME_TYPE, VolumetricProperties="DISTORTED")),
    "a projection": (
        Refusal.DERIVED,
        lambda: per_frame(FRAME_TYPE, FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "MAXIMUM"]),
    ),
    "projections": (
        Refusal.DERIVED,
        lambda: per_frame(FRAME_TYPE, FrameType=["DERIVED", "SECONDARY", "PROJECTION", "NONE"]),
    ),
    "a localizer": (
        Refusal.LOCALIZER,
        lambda: per_frame(FRAME_TYPE, FrameType=["ORIGINAL", "PRIMARY", "LOCALIZER", "NONE"]),
    ),
    "two phases": (
        Refusal.DUPLICATE_SLICES,
        lambda: [make_enhanced(SMALL, [*range(6), *range(6)])],
    ),
    "a missing frame": (Refusal.MISSING_SLICE, lambda: [make_enhanced(SMALL, [0, 1, 3, 4, 5])]),
    "few frames": (Refusal.TOO_FEW_SLICES, lambda: [make_enhanced(SMALL, [0, 1])]),
    "no positions": (Refusal.INCOMPLETE_HEADER, lambda: without("PlanePositionSequence")),
    "no rescale": (Refusal.INCOMPLETE_HEADER, lambda: without("PixelValueTransformationSequence")),
    "no HU": (
        Refusal.NOT_HOUNSFIELD,
        lambda: per_frame("PixelValueTransformationSequence", RescaleType="ED"),
    ),
    "multi-energy": (
        Refusal.MULTI_ENERGY,
        lambda: changed(lambda d: setattr(d, "MultienergyCTAcquisition", "YES")),
    ),
}


@pytest.mark.parametrize(("reason", "make"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused_by_name(
    tmp_path: Path, reason: Refusal, make: Callable[[], list[Dataset]]
) -> None:
    datasets = make()
    for read in (lambda: read_datasets(datasets), lambda: read_folder(save(datasets, tmp_path))):
        with pytest.raises(IneligibleSeries) as caught:
            read()
        assert caught.value.code == reason.value
        assert not any(secret in str(caught.value) for secret in SECRETS)


def test_truncated_pixels_are_no_volume(tmp_path: Path) -> None:
    dataset = make_enhanced(SMALL)
    dataset.PixelData = dataset.PixelData[: len(dataset.PixelData) // 2]
    with pytest.raises(UnreadableFile):
        read_folder(save([dataset], tmp_path))

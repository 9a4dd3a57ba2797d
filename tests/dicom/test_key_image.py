"""The key image: what its pixels show is worked out here from the volumes; what its header says is read back."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from tests.support.dicom.results import make_provenance
from tests.support.dicom.series import Spec, edited, make_series
from tests.support.dicom.validation import errors_of, needs_validator, warnings_of

from nullsplat.core.volume import Geometry, Volume
from nullsplat.dicom.picture import MARKED_FROM_HU, Shown, draw
from nullsplat.dicom.read.series import SourceSeries, read_datasets
from nullsplat.dicom.write.derived_series import DerivedOptions
from nullsplat.dicom.write.key_image import write_key_image

AMBER = (255, 176, 0)
LINE, SIDE = 26, 384
WINDOW = (0.0, 2000.0)
CUBE = Geometry((4, 8, 8), (2.0, 1.0, 1.0))


@pytest.fixture
def source() -> SourceSeries:
    return read_datasets(make_series(Spec(shape=(4, 6, 8))))


def flat(geometry: Geometry, hu: float, slices: int) -> Volume:
    grid = geometry.resampled((slices, *geometry.shape[1:]))
    return Volume(np.full(grid.shape, hu, np.float32), grid)


def with_mark(geometry: Geometry, at: tuple[int, int, int]) -> Volume:
    """Intervals that exceed the threshold in one voxel."""
    interval = flat(geometry, MARKED_FROM_HU, 8)
    interval.hu[at] += 1
    return interval


def drawn(interval: Volume | None, geometry: Geometry = CUBE) -> NDArray[np.uint8]:
    return draw(Shown(flat(geometry, -500.0, 4), flat(geometry, 500.0, 8), interval, WINDOW))


def planes(pixels: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Axial, coronal and sagittal, without the lines of text above."""
    return np.split(pixels[2 * LINE :], 3)


def is_amber(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return (pixels == AMBER).all(axis=-1)


def test_each_plane_shows_the_measured_and_the_refined_volume_in_the_window() -> None:
    for plane in planes(drawn(None)):
        assert plane.shape == (SIDE, 2 * SIDE, 3)
        below = plane[LINE:]  # the plane's name
        assert (below[:, :SIDE] == 64).all()  # a quarter of 255, rounded
        assert (below[:, SIDE:] == 191).all()


def test_planes_cross_where_most_is_marked_and_marks_lie_where_the_voxels_are() -> None:
    z, y, x = 6, 4, 5
    places = ((y, x), (7 - z, x), (7 - z, y))  # the head, where z is largest, is at the top
    for plane, (row, column) in zip(planes(drawn(with_mark(CUBE, (z, y, x)))), places, strict=True):
        expected = np.zeros((8, 24), bool)
        expected[row, 16 + column] = True
        size = SIDE // 8
        np.testing.assert_array_equal(is_amber(plane), expected.repeat(size, 0).repeat(size, 1))


def test_without_doubts_nothing_is_marked_and_research_is_burnt_in() -> None:
    pixels = drawn(flat(CUBE, MARKED_FROM_HU, 8))
    assert not is_amber(pixels[LINE:]).any()
    assert is_amber(pixels[:LINE]).any()


def test_pixels_are_as_wide_as_they_are_high() -> None:
    flatter = replace(CUBE, spacing=(1.0, 1.0, 1.0))
    rows, columns, _ = drawn(None, flatter).shape
    assert (rows, columns) == (SIDE + 2 * SIDE // 2 + 2 * LINE, 2 * SIDE)


def key_image(source: SourceSeries, folder: Path, **changes: object) -> Path:
    provenance = make_provenance(source, **changes)
    grid = source.volume.geometry
    return write_key_image(source, flat(grid, 0.0, 8), with_mark(grid, (3, 4, 6)), provenance, folder).path


def test_it_lies_in_the_study_of_the_source_and_names_nobody_in_its_pixels(
    tmp_path: Path, source: SourceSeries
) -> None:
    dataset, original = dcmread(key_image(source, tmp_path)), make_series(Spec(shape=(4, 6, 8)))[0]
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "AccessionNumber"):
        assert dataset[keyword].value == original[keyword].value
    assert dataset.SeriesDescription.startswith("[SuperRes 4x KEY RESEARCH]")
    assert dataset.SeriesNumber == 6004
    assert dataset.SeriesInstanceUID != original.SeriesInstanceUID
    assert (dataset.BurnedInAnnotation, dataset.ConversionType) == ("NO", "WSD")
    assert dataset.pixel_array.shape == (dataset.Rows, dataset.Columns, 3)


def test_the_same_run_gives_the_same_bytes(tmp_path: Path, source: SourceSeries) -> None:
    once, again = (hashlib.sha256(key_image(source, tmp_path / name).read_bytes()) for name in ("a", "b"))
    assert once.digest() == again.digest()
    ours, theirs = (
        dcmread(key_image(source, tmp_path / name, attempt=n)) for n, name in ((1, "a"), (2, "c"))
    )
    assert ours.SOPInstanceUID != theirs.SOPInstanceUID


def test_a_site_may_leave_the_mark_of_synthetic_data_out(tmp_path: Path, source: SourceSeries) -> None:
    options = replace(DerivedOptions(), synthetic_data=False, series_number_offset=100)
    result = flat(source.volume.geometry, 0.0, 8)
    written = write_key_image(source, result, None, make_provenance(source), tmp_path, options)
    dataset = dcmread(written.path)
    assert "SyntheticData" not in dataset
    assert dataset.SeriesNumber == 604


def strip(dataset: Dataset) -> None:
    for keyword in ("PatientName", "BodyPartExamined", "WindowCenter", "StudyID", "SeriesNumber"):
        dataset.pop(keyword, None)


@needs_validator
@pytest.mark.parametrize("bare", [False, True])
def test_the_validator_finds_nothing(tmp_path: Path, bare: bool) -> None:
    slices = edited(strip if bare else lambda _: None, spec=Spec(shape=(4, 6, 8)))
    path = key_image(read_datasets(slices), tmp_path)
    assert errors_of(path) == []
    assert bare or warnings_of(path) == []

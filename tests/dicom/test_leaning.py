"""A stack from a tilted gantry against the analytic object that it shows, in the patient's coordinates."""

from math import cos, radians, sin
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from scipy.ndimage import shift as spline_shift
from scipy.special import erf
from tests.support.dicom.results import make_provenance
from tests.support.dicom.series import Spec, make_series

from nullsplat.core.volume import Geometry, Volume
from nullsplat.dicom.geometry import tilt
from nullsplat.dicom.read.series import SourceSeries, read_datasets
from nullsplat.dicom.write.derived_series import write_derived

DEGREES = 15.0
CENTRE = np.array([2.3, -1.4, 31.0])


def head(points: np.ndarray) -> np.ndarray:
    """HU at points (…, 3) in LPS: a cylinder of brain along z with a soft edge, and a ball in it, off the centre."""
    radius = np.hypot(points[..., 0], points[..., 1])
    brain = 0.5 * (1 - erf((radius - 14) / (np.sqrt(2) * 0.6)))
    ball = np.exp(-((points - CENTRE) ** 2).sum(-1) / (2 * 3.0**2))
    return -1000 + 1040 * brain + 600 * ball


def plane(dataset: Dataset) -> np.ndarray:
    """Where the pixels of a slice lie. Source: PS3.3 Eq. C.7.6.2.1-1."""
    row, column = np.reshape(dataset.ImageOrientationPatient, (2, 3)).astype(float)
    dy, dx = map(float, dataset.PixelSpacing)
    y, x = np.mgrid[: dataset.Rows, : dataset.Columns]
    return (
        np.array(dataset.ImagePositionPatient, float) + y[..., None] * dy * column + x[..., None] * dx * row
    )


def tilted(degrees: float, tag: float | None = None, across: float = 0.0) -> list[Dataset]:
    """Slices 5 mm apart along the table, in planes turned about x; `across` also moves each along x, in mm."""
    angle = radians(degrees)
    spec = Spec(
        shape=(13, 64, 64), spacing=(5.0, 0.6, 0.7), signed=True, bits_stored=16, slope=0.25, intercept=0.0,
        orientation=(1.0, 0.0, 0.0, 0.0, cos(angle), -sin(angle)),
    )  # fmt: skip
    made = make_series(spec)
    for index, dataset in enumerate(made):
        dataset.ImagePositionPatient = [-22.0 + across * index, -19.0 * cos(angle), 5.0 * index]
        dataset.PixelData = np.rint(head(plane(dataset)) / 0.25).astype("<i2").tobytes()
        if tag is not None:
            dataset.GantryDetectorTilt = tag
    return made


def points_of(geometry: Geometry) -> np.ndarray:
    index = np.stack([*np.indices(geometry.shape), np.ones(geometry.shape)], axis=-1)
    return (index @ geometry.affine.T)[..., :3]


def measured(series: SourceSeries) -> np.ndarray:
    """Where something was measured: everything but the air around the placed slices."""
    return series.volume.hu > -1023


def rmse(series: SourceSeries) -> float:
    error = series.volume.hu - head(points_of(series.volume.geometry))
    return float(np.sqrt(np.mean(error[measured(series)] ** 2)))


@pytest.mark.parametrize("degrees", [DEGREES, -27.0])
def test_every_voxel_shows_what_lies_there_in_the_patient(degrees: float) -> None:
    series = read_datasets(tilted(degrees))
    error = series.volume.hu - head(points_of(series.volume.geometry))
    assert np.abs(error[measured(series)]).max() < 1  # HU, at an edge of 1040
    assert rmse(series) < 0.2
    np.testing.assert_allclose(series.volume.geometry.spacing[0], 5 * cos(radians(degrees)), rtol=1e-6)


def test_no_measured_pixel_is_lost() -> None:
    series = read_datasets(tilted(DEGREES, across=0.33))
    for plane_ in measured(series):
        assert plane_.sum() >= 64 * 64 - 10  # but for what rings below air at the edge
        assert plane_[np.ix_(plane_.any(1), plane_.any(0))].shape == (64, 64)


def test_linear_shifts_would_be_ten_times_worse(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = rmse(read_datasets(tilted(DEGREES)))
    monkeypatch.setattr(
        tilt, "shifted", lambda hu, by: spline_shift(hu, by, order=1, mode="nearest").astype(np.float32)
    )
    assert rmse(read_datasets(tilted(DEGREES))) > 10 * ours


def ball_of(slices: list[Dataset]) -> np.ndarray:
    """Where the ball is by the slices' own pixels and headers."""
    points = np.concatenate([plane(one).reshape(-1, 3) for one in slices])
    values = np.concatenate([one.pixel_array.ravel() * float(one.RescaleSlope) for one in slices])
    above = values + float(slices[0].RescaleIntercept) - 140
    inside = (above > 0) & (np.hypot(points[:, 0] - CENTRE[0], points[:, 1] - CENTRE[1]) < 10)
    return np.average(points[inside], axis=0, weights=above[inside])


def test_the_derived_series_lies_where_the_object_is(tmp_path: Path) -> None:
    source = read_datasets(tilted(DEGREES))
    z, y, x = source.volume.hu.shape
    result = Volume(source.volume.hu.repeat(4, axis=0), source.volume.geometry.resampled((4 * z, y, x)))
    paths = write_derived(source, result, make_provenance(source, remarks=source.remarks), tmp_path).paths
    derived = [dcmread(path) for path in paths]
    np.testing.assert_allclose(ball_of(derived), ball_of(tilted(DEGREES)), atol=0.02)
    assert "tilted by 15.0 degrees" in derived[0].DerivationDescription
    assert "GantryDetectorTilt" not in derived[0]
    steps = np.diff([one.ImagePositionPatient for one in derived], axis=0)
    normal = np.cross(derived[0].ImageOrientationPatient[:3], derived[0].ImageOrientationPatient[3:])
    np.testing.assert_allclose(
        steps, np.tile(normal, (len(steps), 1)) * 5 * cos(radians(DEGREES)) / 4, atol=1e-6
    )


def test_a_tilt_that_is_in_the_header_alone_changes_nothing() -> None:
    straight, tagged = read_datasets(tilted(0.0)), read_datasets(tilted(0.0, tag=10.5))
    np.testing.assert_array_equal(tagged.volume.hu, straight.volume.hu)
    assert tagged.remarks == ()


def test_a_tilt_that_is_in_the_positions_alone_is_named() -> None:
    assert "tilted by 15.0 degrees" in read_datasets(tilted(DEGREES)).remarks[0]

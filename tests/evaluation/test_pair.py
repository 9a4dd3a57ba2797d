"""Real pairs: alignment by coordinates, and the slice profile between a thick and a thin reconstruction."""

from dataclasses import replace

import numpy as np
import pytest

from nullsplat.core.errors import GeometryError
from nullsplat.core.volume import Geometry, Volume
from nullsplat.evaluation.data.degrade import HELICAL_WEIGHTS, protocol
from nullsplat.evaluation.data.degrade import degrade as degraded
from nullsplat.evaluation.pair.pair import Side, align
from nullsplat.evaluation.pair.profile_estimate import estimate_profile
from nullsplat.physics.profile import Profile, Resolution

STEP = 1.0


def edges(slices: int = 60) -> Volume:
    """Blocks of tissue: edges across the slices everywhere."""
    rng = np.random.default_rng(5)
    hu = np.repeat(rng.uniform(-500, 500, (slices // 3, 24, 20)), 3, axis=0).astype(np.float32)
    return Volume(hu, Geometry(hu.shape, (STEP, 0.5, 0.5), origin=(-3.0, 7.0, 100.0)))


def thick_of(thin: Volume, name: str) -> Volume:
    low = degraded(thin.hu, protocol(name))
    return Volume(low, thin.geometry.resampled((low.shape[0], low.shape[1], low.shape[2])))


def side(volume: Volume, frame: str = "") -> Side:
    return Side("series", volume, Resolution(), frame)


def moved(volume: Volume, z: float = 0.0, x: float = 0.0) -> Volume:
    ox, oy, oz = volume.geometry.origin
    return Volume(volume.hu, replace(volume.geometry, origin=(ox + x, oy, oz + z)))


def part(volume: Volume, slices: slice, columns: slice) -> Volume:
    hu = np.ascontiguousarray(volume.hu[slices, :, columns])
    first = (float(slices.start), 0.0, float(columns.start))
    return Volume(hu, replace(volume.geometry, shape=hu.shape, origin=volume.geometry.position(first)))


def test_the_profile_of_a_helical_scan_is_found_again() -> None:
    thin = edges()
    found = estimate_profile(align(side(thick_of(thin, "bell5")), side(thin)), 5.0)
    middle = len(found.weights) // 2
    # The curve was averaged over each slice's width, which blurs the measured weights by up to 0.006.
    np.testing.assert_allclose(found.weights[middle - 4 : middle + 5], HELICAL_WEIGHTS, atol=6e-3)
    assert found.fwhm_mm == pytest.approx(5.0, abs=0.15)
    assert found.centre_mm == pytest.approx(0.0, abs=0.01)
    assert found.rms_hu < 0.1
    assert Profile.parse(str(found.profile)) == found.profile


def test_the_profile_of_a_sequential_scan_is_found_again() -> None:
    thin = edges()
    found = estimate_profile(align(side(thick_of(thin, "thick5")), side(thin)), 5.0)
    middle = len(found.weights) // 2
    np.testing.assert_allclose(found.weights[middle - 2 : middle + 3], 0.2, atol=1e-3)
    assert max(abs(weight) for weight in found.weights[: middle - 2]) < 1e-3


def test_only_what_both_have_is_compared_wherever_the_thin_series_begins() -> None:
    thin = edges()
    pair = align(side(thick_of(thin, "thick4")), side(part(thin, slice(9, 50), slice(3, 17))))
    assert pair.thick.hu.shape == (15, 24, 14)
    np.testing.assert_array_equal(pair.thin.hu, thin.hu[9:50, :, 3:17])
    np.testing.assert_allclose(pair.offsets, np.arange(9, 50), atol=1e-6)
    np.testing.assert_array_equal(pair.at_thin_slices(thin.hu[:, :, 3:17]), pair.thin.hu)


def test_thin_slices_between_the_wanted_ones_are_compared_there() -> None:
    thin = edges()
    thin.hu[:] = 10.0 * np.arange(60)[:, None, None]
    shifted = moved(part(thin, slice(8, 52), slice(0, 20)), z=0.4)
    pair = align(side(thick_of(thin, "thick4")), side(shifted))
    # A slope is what a spline keeps, away from its ends.
    np.testing.assert_allclose(
        pair.at_thin_slices(thin.hu)[4:-4],
        10 * pair.offsets[4:-4, None, None] + 0 * pair.thin.hu[4:-4],
        atol=0.1,
    )


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (lambda thin: moved(thin, z=500), "overlap"),
        (lambda thin: moved(thin, x=50), "no pixel in common"),
        (lambda thin: moved(thin, x=0.2), "0.40 columns apart"),
        (lambda thin: Volume(thin.hu, replace(thin.geometry, spacing=(STEP, 0.6, 0.6))), "pixel spacing"),
        (lambda thin: Volume(thin.hu, replace(thin.geometry, spacing=(9.0, 0.5, 0.5))), "THICK THIN"),
        (
            lambda thin: Volume(thin.hu, replace(thin.geometry, axes=((0, 1, 0), (0, 0, -1), (1, 0, 0)))),
            "orientation",
        ),
    ],
)
def test_what_is_no_pair_is_refused(other, what) -> None:  # type: ignore[no-untyped-def]
    thin = edges()
    with pytest.raises(GeometryError, match=what):
        align(side(thick_of(thin, "thick4")), side(other(thin)))


def test_series_of_two_frames_of_reference_are_two_scans() -> None:
    thin = edges()
    with pytest.raises(GeometryError, match="two scans"):
        align(side(thick_of(thin, "thick4"), "1.2.3"), side(thin, "1.2.4"))


def test_a_profile_needs_thin_slices_around_the_thick_ones() -> None:
    thin = edges()
    pair = align(side(thick_of(thin, "thick4")), side(part(thin, slice(20, 26), slice(0, 20))))
    with pytest.raises(GeometryError, match="got 0 in 0 thick slices"):
        estimate_profile(pair, 4.0)

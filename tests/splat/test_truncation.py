"""What is lost beyond the cut-off, against the bounds that docs/kernels.md derives."""

import math

import pytest
import torch

from nullsplat.splat.kernels.integrate import integrate
from nullsplat.splat.kernels.voxelise import voxelise

CUTOFFS = [2.0, 3.0, 4.0]
ROUNDING = 1e-6  # of the peak: the polynomial in place of exp


def lost_peak(cutoff):
    return math.exp(-(cutoff**2) / 2)


def lost_mass(cutoff, dimensions):
    """Mass of a normal distribution beyond `cutoff` deviations: of a Rayleigh or a Maxwell distribution's tail."""
    if dimensions == 2:
        return lost_peak(cutoff)
    return math.erfc(cutoff / math.sqrt(2)) + math.sqrt(2 / math.pi) * cutoff * lost_peak(cutoff)


def square_distances(conic, mean, size):
    rows, columns = (torch.arange(n, dtype=torch.float64) for n in size)
    dx, dy = (columns - mean[0])[None, :], (rows - mean[1])[:, None]
    return conic[0] * dx**2 + 2 * conic[1] * dx * dy + conic[2] * dy**2


def cube_distances(deviation, mean, shape):
    z, y, x = (torch.arange(n, dtype=torch.float64) for n in shape)
    return (
        (x - mean[0]) ** 2 + (y - mean[1])[:, None] ** 2 + (z - mean[2])[:, None, None] ** 2
    ) / deviation**2


@pytest.mark.parametrize("cutoff", CUTOFFS)
@pytest.mark.parametrize("weight", [3.0, -0.2])
def test_a_pixel_is_off_by_no_more_than_the_bound_and_comes_near_it(cutoff, weight):
    mean, conic = (60.3, 49.8), (0.02, 0.008, 0.012)
    tensors = (torch.tensor(t, dtype=torch.float64)[None, None] for t in (mean, conic, weight))
    whole = weight * torch.exp(-square_distances(conic, mean, (100, 121)) / 2)
    missing = (whole - integrate(*tensors, (100, 121), cutoff)[0]).abs() / abs(weight)
    assert 0.95 * lost_peak(cutoff) < float(missing.max()) <= lost_peak(cutoff) + ROUNDING


@pytest.mark.parametrize("cutoff", CUTOFFS)
def test_a_projection_loses_the_mass_that_the_bound_says(cutoff):
    deviation = 6.0
    mean = torch.tensor([[[60.3, 59.8]]], dtype=torch.float64)
    conic = torch.tensor([[[deviation**-2, 0, deviation**-2]]], dtype=torch.float64)
    image = integrate(mean, conic, torch.ones(1, 1, dtype=torch.float64), (121, 121), cutoff)
    lost = 1 - float(image.sum()) / (2 * math.pi * deviation**2)
    assert lost == pytest.approx(lost_mass(cutoff, dimensions=2), rel=0.1)


@pytest.mark.parametrize("cutoff", CUTOFFS)
def test_a_volume_loses_what_the_bounds_say(cutoff):
    deviation, shape = 4.0, (45, 47, 49)
    mean = torch.tensor([[24.2, 22.9, 21.7]], dtype=torch.float64)
    p = deviation**-2
    precision = torch.tensor([[p, 0, 0, p, 0, p]], dtype=torch.float64)
    volume = voxelise(mean, precision, torch.ones(1, dtype=torch.float64), shape, cutoff)
    whole = torch.exp(-cube_distances(deviation, mean[0], shape) / 2)
    missing = whole - volume
    assert 0.95 * lost_peak(cutoff) < float(missing.max()) <= lost_peak(cutoff) + ROUNDING
    lost = 1 - float(volume.sum()) / ((2 * math.pi) ** 1.5 * deviation**3)
    assert lost == pytest.approx(lost_mass(cutoff, dimensions=3), rel=0.1)


def test_the_errors_of_a_sum_add_up_to_no_more_than_all_weights_times_the_bound(random_footprints):
    size = (37, 53)
    means, conics, weights = (t.detach() for t in random_footprints(1, 60, size))
    whole = sum(
        w * torch.exp(-square_distances(c, m, size) / 2)
        for m, c, w in zip(means[0], conics[0], weights[0], strict=True)
    )
    off = float((whole - integrate(means, conics, weights, size)[0]).abs().max())
    assert 0 < off <= (lost_peak(4.0) + ROUNDING) * float(weights.abs().sum())


def test_lines_through_the_cut_ball_lose_no_more_than_the_cut_projection():
    """Pictures cut the disc, grids cut the ball: along a ray at distance t they differ by less than exp(-k^2/2)."""
    cutoff = 4.0
    t = torch.linspace(0, cutoff, 1001, dtype=torch.float64)
    half = torch.sqrt((cutoff**2 - t**2) / 2)
    lost = torch.exp(-(t**2) / 2) * torch.erfc(half)
    assert float(lost.max()) <= lost_peak(cutoff) * (1 + 1e-12)
    assert float(lost[0]) == pytest.approx(6.3e-5, rel=0.01)

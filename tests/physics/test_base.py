"""The base: smoother where more is missing, never below what the scanner cut off, always what was measured."""

import pytest
import torch

from nullsplat.core.units import LOWEST_HU
from nullsplat.core.volume import Axes3
from nullsplat.physics import intensity
from nullsplat.physics.degradation import Separable, degradation_for
from nullsplat.physics.point_spread import BOX, GAUSSIAN
from nullsplat.physics.regularisation.base import (
    BASE,
    NONNEGATIVE,
    across_slices,
    regularised_base,
    scaled_for,
    with_saturation_floor,
)
from nullsplat.physics.regularisation.total_variation import TotalVariation

THICK = degradation_for((5, 12, 10), (4, 1, 1), (BOX, GAUSSIAN, GAUSSIAN))
SMALL = degradation_for((5, 6, 7), (2, 2, 2))


def tissue(op: Separable) -> torch.Tensor:
    """A measured volume far from all bounds, nothing of which lies twice at the same value."""
    return op.forward(40 + 30 * torch.randn(op.hr_shape))


@pytest.mark.parametrize(
    ("scale", "step", "longer"),
    [
        ((4, 4, 4), 1.0, 1),
        ((8, 8, 8), 2.0, 1),
        ((2, 2, 2), 0.5, 1),
        ((4, 1, 1), 1.0, 2),
        ((6, 1, 1), 1.5, 2),
        ((1, 4, 4), 1.0, 1),
    ],
)
def test_the_step_grows_with_the_factor_and_thick_slices_take_twice_as_many(
    scale: Axes3, step: float, longer: int
) -> None:
    suited = scaled_for(scale)
    assert suited.step == pytest.approx(step * BASE.step)
    assert suited.iterations == longer * BASE.iterations
    assert suited.decay**suited.iterations == pytest.approx(
        BASE.decay**BASE.iterations
    )  # the last step is as long
    assert (suited.weights, suited.epsilon) == (BASE.weights, BASE.epsilon)


def test_differences_across_slices_count_per_millimetre() -> None:
    assert across_slices(BASE, (2.0, 1.5, 1.5)).weights == (0.75, 1.0, 1.0)
    assert across_slices(BASE, (2.0, 0.5, 0.5)).weights == (0.5, 1.0, 1.0)  # the half of docs/adr/0008
    assert across_slices(BASE, (1.0, 1.0, 1.0)) == BASE


def test_a_base_that_is_given_is_scaled_instead_of_the_default() -> None:
    assert scaled_for((8, 8, 8), TotalVariation(iterations=3, step=1.0)).step == 2.0


def test_the_level_at_which_a_measurement_saturates_is_its_lower_bound() -> None:
    y = torch.linspace(0.2, 0.8, 1000).reshape(10, 10, 10)
    assert with_saturation_floor(BASE, y, 0.0).bounds == NONNEGATIVE
    cut_off = with_saturation_floor(BASE, y.clamp_min(0.4), 0.0)
    assert cut_off.bounds[0] == pytest.approx(0.4, abs=1e-3)
    assert cut_off.bounds[1] is NONNEGATIVE[1]


@pytest.mark.parametrize("op", [THICK, SMALL], ids=["thick slices", "all axes"])
def test_a_base_without_noise_degrades_to_the_measurement(op: Separable) -> None:
    lr_hu = tissue(op)
    base_hu = regularised_base(lr_hu, op, scaled_for(op.scale), 0.0)  # type: ignore[arg-type]
    assert float((op.forward(base_hu) - lr_hu).abs().max()) < 0.01  # float32 over a range of 3583 HU


def test_what_the_base_leaves_of_a_noisy_measurement_is_no_more_than_its_noise() -> None:
    noise_hu = 20.0
    smooth = THICK.forward(torch.linspace(-50, 150, 20)[:, None, None].expand(THICK.hr_shape).contiguous())
    lr_hu = smooth + noise_hu * torch.randn(smooth.shape)
    base_hu = regularised_base(lr_hu, THICK, scaled_for((4, 1, 1)), noise_hu)
    left = float((THICK.forward(base_hu) - lr_hu).square().mean().sqrt())
    assert 0.3 * noise_hu < left < noise_hu
    assert float((THICK.forward(base_hu) - smooth).square().mean().sqrt()) < 0.7 * noise_hu


def test_nothing_in_the_base_lies_below_what_the_scanner_cut_off() -> None:
    lr_hu = tissue(SMALL)
    lr_hu[:, :3] = -512
    base_hu = regularised_base(lr_hu, SMALL, scaled_for((2, 2, 2)), 0.0)
    assert float(base_hu.min()) == pytest.approx(-512, abs=0.5)


def test_nothing_in_the_base_lies_below_vacuum() -> None:
    lr_hu = tissue(SMALL)
    lr_hu[2, 2, 2] = -1500  # a single voxel is no saturation
    base_hu = regularised_base(lr_hu, SMALL, scaled_for((2, 2, 2)), 0.0)
    assert float(base_hu.min()) >= LOWEST_HU - 1e-3
    assert intensity.decode(torch.zeros(())) == LOWEST_HU

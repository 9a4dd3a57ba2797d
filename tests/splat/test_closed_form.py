"""The closed form: a residual is a sum of signed Gaussians, of which the strongest are kept."""

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.errors import ConfigurationError
from nullsplat.splat.field.render import voxelise_field
from nullsplat.splat.fit.closed_form import ClosedForm, explain

SPACING = (2.5, 0.8, 1.3)
ALL = ClosedForm(voxels_each=1.0)


@pytest.fixture
def residual() -> Float[Tensor, "z y x"]:
    """Detail of both signs in one corner, nothing elsewhere."""
    volume = torch.zeros(9, 14, 11)
    volume[1:5, 2:9, 3:8] = torch.randn(4, 7, 5, generator=torch.Generator().manual_seed(3))
    return volume


def test_with_all_gaussians_the_field_is_the_residual(residual: Float[Tensor, "z y x"]) -> None:
    shown = voxelise_field(explain(residual, SPACING, ALL), tuple(residual.shape), SPACING)
    torch.testing.assert_close(shown, residual, atol=0.02, rtol=0)  # Gaussians end at the kernel's cutoff


def test_wider_ones_farther_apart_carry_what_is_smooth() -> None:
    at = [torch.linspace(-2, 2, n) for n in (15, 20, 17)]
    smooth = torch.exp(-sum(axis.square() for axis in torch.meshgrid(*at, indexing="ij")))
    field = explain(smooth, SPACING, ClosedForm(step=2, voxels_each=1.0))
    assert len(field) <= 8 * 10 * 9
    shown = voxelise_field(field, tuple(smooth.shape), SPACING)
    torch.testing.assert_close(shown, smooth, atol=0.03, rtol=0)
    torch.testing.assert_close(field.means.mean(0), torch.zeros(3), atol=1e-4, rtol=0)


def test_the_strongest_are_kept_and_of_both_signs(residual: Float[Tensor, "z y x"]) -> None:
    few = explain(residual, SPACING, ClosedForm(voxels_each=20.0))
    every = explain(residual, SPACING, ALL)
    assert len(few) == residual.numel() // 20
    assert float(few.density.abs().min()) >= float(every.density.abs().sort(descending=True).values[len(few)])
    assert float(few.density.min()) < 0 < float(few.density.max())
    shown = voxelise_field(few, tuple(residual.shape), SPACING)
    assert float((residual - shown).square().sum()) < 0.5 * float(residual.square().sum())


def test_a_large_volume_has_no_more_than_people_download(residual: Float[Tensor, "z y x"]) -> None:
    assert len(explain(residual, SPACING, ClosedForm(voxels_each=1.0, most=7))) == 7


def test_nothing_to_explain_is_one_gaussian_without_density() -> None:
    field = explain(torch.zeros(3, 4, 5), SPACING, ClosedForm())
    assert (len(field), float(field.density)) == (1, 0.0)
    assert float(voxelise_field(field, (3, 4, 5), SPACING).abs().max()) == 0


def test_between_the_voxels_a_smooth_residual_stays_smooth() -> None:
    at = [torch.linspace(-1, 1, n) for n in (12, 24, 24)]
    coarse = torch.exp(-2 * sum(axis.square() for axis in torch.meshgrid(*at, indexing="ij")))
    field = explain(coarse, (2.0, 1.0, 1.0), ALL)
    fine = voxelise_field(field, (23, 47, 47), (1.0, 0.5, 0.5))  # every other voxel is one of the coarse grid
    torch.testing.assert_close(fine[::2, ::2, ::2], coarse, atol=0.01, rtol=0)
    between = (coarse[5, 12, 10:13] + coarse[5, 12, 11:14]) / 2
    torch.testing.assert_close(fine[10, 24, 21:26:2], between, atol=0.02, rtol=0)


def test_densities_are_those_of_least_squares_along_one_axis() -> None:
    line = torch.tensor([0.0, 1.0, -2.0, 0.5, 0.0])
    distance = np.subtract.outer(np.arange(5), np.arange(5))
    wanted = np.linalg.lstsq(np.exp(-0.5 * (distance / 0.6) ** 2), line.numpy(), rcond=None)[0]
    field = explain(line[:, None, None], (1.0, 1.0, 1.0), ALL)
    got = dict(zip(field.means[:, 2].tolist(), field.density.tolist(), strict=True))
    assert [got[z] for z in (-2.0, -1.0, 0.0, 1.0, 2.0)] == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize(
    "wrong", [{"sigma": 1.0}, {"sigma": 0.1}, {"voxels_each": 0.0}, {"most": 0}, {"step": 0}]
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match="got"):
        ClosedForm(**wrong)

"""The field keeps its promises about signs and shapes."""

import dataclasses

import pytest
import torch
from jaxtyping import TypeCheckError

from nullsplat.core.errors import GeometryError
from nullsplat.splat.field.activation import inverse_prelu, prelu
from nullsplat.splat.field.gaussians import SignedGaussians, joined
from nullsplat.splat.field.render import voxelise_field


@pytest.fixture
def field(random_field) -> SignedGaussians:
    means, log_scales, quats, z = (t.detach().float() for t in random_field(20))
    return SignedGaussians(means, log_scales, quats, z, torch.tensor(0.25))


@pytest.mark.parametrize("slope", [0.05, 0.25, 1.0, 3.0])
def test_inverse_prelu_undoes_prelu(slope):
    density = torch.linspace(-2, 2, 41, dtype=torch.float64)
    steepness = torch.tensor(slope, dtype=torch.float64)
    torch.testing.assert_close(prelu(inverse_prelu(density, steepness), steepness), density)


def test_prelu_has_gradients_for_both_signs_and_for_the_slope():
    z = torch.tensor([-2.0, -1e-9, 0.0, 3.0], requires_grad=True)
    slope = torch.tensor(0.25, requires_grad=True)
    prelu(z, slope).sum().backward()
    assert z.grad.tolist() == [0.25, 0.25, 1.0, 1.0]
    assert slope.grad.item() == pytest.approx(-2.0)


def test_tensors_that_do_not_belong_together_are_refused(field):
    with pytest.raises((GeometryError, TypeCheckError), match="log_scales"):
        dataclasses.replace(field, log_scales=field.log_scales[:3])
    with pytest.raises(GeometryError, match="finite"):
        dataclasses.replace(field, z=field.z * torch.nan)
    with pytest.raises(GeometryError, match="slope"):
        dataclasses.replace(field, slope=torch.tensor(0.0))


def test_joined_fields_show_their_sum(field):
    other = dataclasses.replace(field.select(torch.arange(7)), slope=torch.tensor(0.5))
    both = joined([field, other])
    grids = [voxelise_field(one, (14, 22, 27), (2.5, 0.7, 0.8)) for one in (field, other, both)]
    assert (other.z < 0).any()  # so that the slopes matter
    torch.testing.assert_close(grids[2], grids[0] + grids[1], atol=1e-7, rtol=1e-5)
    assert joined([field]) is field
    with pytest.raises(GeometryError, match="at least one"):
        joined([])

"""Pixels that are longer one way than the other are all seen, as square ones are."""

import numpy as np
import pytest
import torch

from nullsplat.physics.projection.beam import ParallelBeam
from nullsplat.physics.projection.projector import Projector

SIZE, LONG = 60, 2.5


@pytest.mark.parametrize("long_rows", [True, False])
@pytest.mark.parametrize("degrees", [30, 45, 60, 80])
def test_a_ray_meets_every_stripe_that_it_crosses(degrees: int, long_rows: bool) -> None:
    """Rays that cross more columns than rows of an image striped along y add up every column once.

    One sample a row would step over columns. Swapping x and y swaps the angle with its complement.
    """
    stripes = torch.rand(SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    image = stripes.expand(SIZE, SIZE)
    angle = float(np.deg2rad(degrees))
    expected = float(stripes.sum()) / np.sin(angle)  # one column is 1 mm wide
    spacing = (1.0, LONG, 1.0)
    if not long_rows:
        image, angle, spacing = image.T, np.pi / 2 - angle, (1.0, 1.0, LONG)
    beam = ParallelBeam((angle,), 1, 9, 1.0, 1.0)  # the middle 9 mm: rays that leave through the sides
    seen = Projector(beam, (1, SIZE, SIZE), spacing).forward(image[None].contiguous())
    np.testing.assert_allclose(seen.numpy(), expected, rtol=1e-10)

"""Pixels that are longer one way than the other are seen as evenly as square ones."""

import numpy as np
import pytest
import torch

from nullsplat.physics.beam import ParallelBeam
from nullsplat.physics.projector import Projector

SHAPE = (1, 60, 60)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.0, 2.5, 1.0), (1.0, 1.0, 2.5)])
@pytest.mark.parametrize("degrees", [0, 25, 45, 60, 89, 120, 135, 155])
def test_every_view_sees_all_pixels_alike(spacing: tuple[float, float, float], degrees: int) -> None:
    """Back-projecting ones gives each pixel the area it covers on the detector's fine grid.

    Steps along the axis that a ray crosses less often would leave pixels out between two steps.
    """
    beam = ParallelBeam((float(np.deg2rad(degrees)),), 1, 2000, 1.0, 0.1)
    seen = Projector(beam, SHAPE, spacing).adjoint(torch.ones(beam.shape, dtype=torch.float64))
    inner = seen[0, 20:40, 20:40]
    assert float(inner.mean()) == pytest.approx(spacing[1] * spacing[2] / 0.1, rel=0.01)
    assert float(inner.std() / inner.mean()) < 0.03  # pixels left out make it 0.2 to 0.6

"""The projector measures what a line integral is, and its adjoint is its transpose."""

import numpy as np
import pytest
import torch

from nullsplat.core.errors import GeometryError
from nullsplat.physics.projection.beam import ParallelBeam, beam_for
from nullsplat.physics.projection.projector import Projector

SHAPE, SPACING = (3, 24, 31), (2.5, 0.8, 0.7)


@pytest.fixture
def projector() -> Projector:
    return Projector(beam_for(SHAPE, SPACING, views=9), SHAPE, SPACING)


def test_adjoint_is_the_transpose(projector: Projector) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(SHAPE, dtype=torch.float64, generator=generator)
    p = torch.rand(projector.beam.shape, dtype=torch.float64, generator=generator)
    assert torch.allclose((projector.forward(x) * p).sum(), (x * projector.adjoint(p)).sum(), rtol=1e-12)


def test_gathering_equals_the_loops(projector: Projector) -> None:
    x = torch.rand(SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    looped = projector.forward(x)
    gathered = torch.stack([projector._gather(x, a) for a in projector.beam.angles])
    assert torch.allclose(looped, gathered, rtol=1e-10, atol=1e-10)
    scattered = torch.zeros_like(x)
    for view, angle in zip(looped, projector.beam.angles, strict=True):
        projector._scatter(view, angle, scattered)
    assert torch.allclose(scattered, projector.adjoint(looped), rtol=1e-10)


def test_every_view_conserves_mass(projector: Projector) -> None:
    x = torch.zeros(SHAPE, dtype=torch.float64)
    x[:, 8:16, 10:20] = 0.02
    mass = x.sum(dim=(1, 2)) * SPACING[1] * SPACING[2]
    seen = projector.forward(x).sum(dim=2) * projector.beam.column_spacing
    assert torch.allclose(
        seen, mass.expand_as(seen), rtol=0.02
    )  # linear interpolation samples, it does not integrate


def test_a_disc_projects_to_its_chords() -> None:
    n, spacing, radius, mu = 256, 0.5, 40.0, 0.02
    axis = (np.arange(n) - (n - 1) / 2) * spacing
    disc = torch.from_numpy((np.hypot(axis[:, None], axis) <= radius) * mu)[None]
    beam = beam_for((1, n, n), (1.0, spacing, spacing), views=7)
    seen = Projector(beam, (1, n, n), (1.0, spacing, spacing)).forward(disc)
    chord = 2 * mu * np.sqrt(np.maximum(radius**2 - beam.column_positions**2, 0))
    inner = np.abs(beam.column_positions) < radius * 0.95
    assert np.abs(seen[:, 0].numpy() - chord)[:, inner].max() < 0.02 * chord.max()


def test_it_commutes_with_operators_along_z(projector: Projector) -> None:
    generator = torch.Generator().manual_seed(2)
    x = torch.rand(SHAPE, dtype=torch.float64, generator=generator)
    along_z = torch.rand(SHAPE[0], SHAPE[0], dtype=torch.float64, generator=generator)
    first = projector.forward(torch.einsum("kz,zyx->kyx", along_z, x))
    last = torch.einsum("kz,vzu->vku", along_z, projector.forward(x))
    assert torch.allclose(first, last, rtol=1e-10)


def test_a_beam_that_does_not_fit_is_refused(projector: Projector) -> None:
    with pytest.raises(GeometryError, match="one detector row per slice"):
        Projector(ParallelBeam((0.0,), 4, 10, 2.5, 1.0), SHAPE, SPACING)
    with pytest.raises(GeometryError, match=r"volume must have shape \(3, 24, 31\), got \(3, 24, 30\)"):
        projector.forward(torch.zeros(3, 24, 30))

"""Projecting and degrading commute, so that measured projections are those of the measured volume."""

import pytest
import torch

from nullsplat.core.errors import GeometryError
from nullsplat.core.volume import Geometry
from nullsplat.pipeline.config import configure
from nullsplat.pipeline.forward_model import forward_model

LR = Geometry((4, 24, 24), (10.0, 1.4, 1.4))


def test_thick_slices_commute_with_projecting_exactly() -> None:
    model = forward_model(LR, configure((3, 1, 1)))
    x = torch.rand(model.hr.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    projected_last = model.project_lr(model.volume_op.forward(x))
    projected_first = model.projection_op.forward(model.project_hr(x))
    assert torch.allclose(projected_first, projected_last, rtol=1e-10)


def test_isotropic_blur_commutes_with_projecting_up_to_interpolation() -> None:
    model = forward_model(Geometry((4, 16, 16), (4.0, 4.0, 4.0)), configure((4, 4, 4)))
    z, y, x = (torch.linspace(-1, 1, n, dtype=torch.float64) for n in model.hr.shape)
    blob = torch.exp(-((z[:, None, None] ** 2 + y[:, None] ** 2 + x**2) / 0.1))
    projected_last = model.project_lr(model.volume_op.forward(blob))
    projected_first = model.projection_op.forward(model.project_hr(blob))
    # Joseph interpolates linearly between coarse pixels, which loses about 2 % at the peak of this blob.
    assert (projected_first - projected_last).abs().max() < 0.03 * projected_last.max()


def test_the_detector_ends_where_nothing_is_seen_and_stays_centred() -> None:
    model = forward_model(LR, configure((3, 1, 1)))
    x = torch.zeros(LR.shape)
    x[:, 10:14, 10:14] = 0.02
    seen = model.project_lr(x)
    narrow = model.narrowed(seen)
    assert narrow.lr_beam.columns < model.lr_beam.columns
    kept = model.centre_columns(seen, narrow)
    assert torch.allclose(kept.sum(), seen.sum())
    assert narrow.hr_beam.columns == narrow.projection_op.hr_shape[1]


def test_an_empty_volume_keeps_the_whole_detector() -> None:
    model = forward_model(LR, configure((3, 1, 1)))
    assert model.narrowed(torch.zeros(model.lr_beam.shape)).lr_beam == model.lr_beam


def test_in_plane_refinement_of_oblong_pixels_is_refused() -> None:
    with pytest.raises(GeometryError, match=r"square pixels, got 1 x 2 mm"):
        forward_model(Geometry((4, 8, 8), (1.0, 1.0, 2.0)), configure((4, 4, 4)))

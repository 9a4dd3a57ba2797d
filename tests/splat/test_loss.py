"""The loss measures what it says."""

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from nullsplat.physics.projection.beam import beam_for
from nullsplat.physics.projection.projector import Projector
from nullsplat.splat.fit.loss import StructuralSimilarity, half_ramp, total_variation


def test_similarity_equals_scikit_image_away_from_the_border():
    truth = torch.rand(2, 40, 50, dtype=torch.float64)
    image = (truth + 0.1 * torch.randn_like(truth)).clamp(0, 1)
    ours = StructuralSimilarity(truth)(image[1:], torch.tensor([1]))[0]
    _, theirs = structural_similarity(
        truth[1].numpy(),
        image[1].numpy(),
        data_range=1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    torch.testing.assert_close(ours[8:-8, 8:-8], torch.from_numpy(theirs)[8:-8, 8:-8])


def test_an_image_is_most_similar_to_itself():
    truth = torch.rand(1, 20, 30)
    torch.testing.assert_close(StructuralSimilarity(truth)(truth, torch.tensor([0])), torch.ones(1, 20, 30))


def test_total_variation_of_a_ramp_is_its_slope():
    ramp = torch.arange(5.0)[:, None, None].expand(5, 4, 3)
    assert float(total_variation(ramp, (1.0, 1.0, 1.0))) == pytest.approx(1 / 3)
    assert float(total_variation(ramp, (2.5, 1.0, 1.0))) == pytest.approx(1 / 7.5)


def test_total_variation_of_one_voxel_is_zero():
    assert float(total_variation(torch.ones(1, 1, 1), (1.0, 1.0, 1.0))) == 0


def test_ramped_projections_are_as_far_apart_as_their_volumes():
    x, y = np.meshgrid(np.arange(64) - 31.5, np.arange(64) - 31.5)
    bumps = np.exp(-((x - 6) ** 2 + y**2) / 30) - 0.7 * np.exp(-(x**2 + (y + 9) ** 2) / 12)
    volume = torch.from_numpy(bumps)[None] * 0.01
    beam = beam_for((1, 64, 64), (2.0, 0.5, 0.5), views=48)
    projections = Projector(beam, (1, 64, 64), (2.0, 0.5, 0.5)).forward(volume)
    filtered = projections @ half_ramp(beam.columns, beam.column_spacing, projections)
    seen = float(filtered.square().sum()) * np.pi / 48 * beam.column_spacing
    assert seen == pytest.approx(float(volume.square().sum()) * 0.5**2, rel=0.02)

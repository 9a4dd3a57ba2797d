"""What was not measured, and in which tissue."""

import numpy as np
import pytest
import torch
from tests.pipeline.test_run import CPU, FACTOR, SHAPE, measured, small

from nullsplat.core.tissue import TISSUE_HU
from nullsplat.core.volume import Volume
from nullsplat.evaluation.metrics.scores import REGIONS_HU
from nullsplat.physics.upsampling import upsample_cubic
from nullsplat.pipeline.figures import null_space_change, null_space_volume, rms_by_tissue
from nullsplat.pipeline.forward_model import forward_model


def test_each_tissue_has_the_root_mean_square_of_its_own_voxels() -> None:
    hu = torch.tensor([[[-700.0, -500.0]], [[40.0, 250.0]], [[-1000.0, -150.0]]])
    values = torch.tensor([[[3.0, -4.0]], [[-2.0, 99.0]], [[77.0, 2.0]]])
    # 250 HU lies between soft tissue and bone, -1000 is air; no voxel is bone.
    assert rms_by_tissue(values, hu) == pytest.approx({"lung": (25 / 2) ** 0.5, "soft tissue": 2.0})


def test_the_report_and_the_evaluation_mean_the_same_tissues() -> None:
    assert REGIONS_HU == TISSUE_HU


def test_what_was_added_shows_in_no_measurement() -> None:
    lr_hu = torch.from_numpy(measured(15).hu)
    model = forward_model(measured(15).geometry, small())
    hu = torch.randn(SHAPE) * 300
    change = null_space_change(hu, lr_hu, model)
    assert float(change.square().mean().sqrt()) > 200  # three of four directions along z are invisible
    assert float(model.volume_op.forward(change).abs().max()) < 0.01


def test_detail_that_the_measurement_cannot_see_is_found_again() -> None:
    lr = measured(0)
    model = forward_model(lr.geometry, small())
    lr_hu = torch.from_numpy(lr.hu)
    # Along z one up, one down within every thick slice: its mean, which is what is measured, stays the same.
    detail = 50 * torch.tensor([1.0, -1.0, -1.0, 1.0]).repeat(SHAPE[0] // FACTOR)[:, None, None]
    found = null_space_change(upsample_cubic(lr_hu, SHAPE) + detail, lr_hu, model)
    torch.testing.assert_close(found, detail.expand(SHAPE), atol=0.01, rtol=0)


def test_the_volume_of_a_finished_run_lies_where_the_result_lies() -> None:
    lr, config = measured(15), small()
    grid = lr.geometry.resampled(SHAPE)
    hu = np.random.default_rng(1).normal(0, 300, SHAPE).astype(np.float32)
    volume = null_space_volume(Volume(hu, grid), lr, config, CPU)
    assert volume.geometry == grid
    model = forward_model(lr.geometry, config)
    expected = null_space_change(torch.from_numpy(hu), torch.from_numpy(np.maximum(lr.hu, -1024)), model)
    np.testing.assert_array_equal(volume.hu, expected.numpy())

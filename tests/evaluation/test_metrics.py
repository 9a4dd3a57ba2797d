"""Every figure against a value derived by hand."""

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from nullsplat.core.errors import GeometryError
from nullsplat.evaluation.data.degrade import protocol
from nullsplat.evaluation.metrics.scores import (
    body_mask,
    lr_consistency_rmse,
    psnr,
    rmse_by_region,
    score,
    ssim,
    to_unit,
)


def patient() -> np.ndarray:
    """Air, a body of 0 HU with a table below it, a lung of -800 HU and a bone of 1000 HU."""
    hu = np.full((10, 40, 40), -1000, np.float32)
    hu[:, 8:30, 5:35] = 0
    hu[:, 13:22, 10:18] = -800
    hu[:, 20:25, 23:28] = 1000
    hu[:, 30:32, :] = 0  # touches the back
    return hu


def test_unit_range_is_clipped() -> None:
    np.testing.assert_allclose(
        to_unit(np.array([-2000.0, -512.0, 1279.5, 3071.0, 4000.0])), [0, 0, 0.5, 1, 1]
    )


def test_unit_range_leaves_its_input_alone() -> None:
    hu = np.array([-2000.0, 3071.0])
    to_unit(hu)
    assert hu[0] == -2000


def test_psnr_of_a_tenth_is_twenty_decibels() -> None:
    assert psnr(np.full((3, 3), 0.4), np.full((3, 3), 0.5)) == pytest.approx(20.0)


def test_psnr_of_one_wrong_voxel() -> None:
    truth = np.zeros(1000)
    result = truth.copy()
    result[0] = 1.0  # mean square 1/1000
    assert psnr(result, truth) == pytest.approx(30.0)


def test_psnr_of_equals_is_infinite() -> None:
    assert psnr(np.ones(4), np.ones(4)) == float("inf")


def test_ssim_of_two_constants_is_their_luminance_term() -> None:
    # (2 a b + C1) / (a^2 + b^2 + C1) with C1 = 0.01^2, the contrast term being 1
    a, b, c1 = 0.3, 0.5, 1e-4
    expected = (2 * a * b + c1) / (a**2 + b**2 + c1)
    assert ssim(np.full((9, 9, 9), a), np.full((9, 9, 9), b)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("slices", [7, 22, 23, 40])
def test_ssim_in_slabs_is_scikit_images(slices: int) -> None:
    rng = np.random.default_rng(slices)
    truth = rng.random((slices, 11, 12))
    result = truth + rng.normal(0, 0.1, truth.shape)
    assert ssim(result, truth) == pytest.approx(
        structural_similarity(truth, result, data_range=1.0), rel=1e-10
    )


def test_ssim_of_volumes_below_its_window_is_refused() -> None:
    with pytest.raises(GeometryError, match="at least 7"):
        ssim(np.zeros((6, 9, 9)), np.zeros((6, 9, 9)))


def test_body_is_the_patient_without_table_and_with_lungs() -> None:
    expected = np.zeros((10, 40, 40), bool)
    expected[:, 10:28, 7:33] = True
    mask = body_mask(patient())
    assert mask[:, 13:22, 10:18].all()
    assert not mask[:, 31:, :4].any()
    assert mask[expected].all()


def test_air_alone_has_no_body() -> None:
    assert not body_mask(np.full((4, 9, 9), -1000.0)).any()


def test_regional_errors_are_those_that_were_made() -> None:
    truth = patient()
    result = truth.copy()
    result[truth == -800] += 30
    result[truth == 1000] -= 200
    result[truth == -1000] += 500  # air does not count
    result[truth == 0] += np.where(np.indices(truth.shape).sum(0) % 2, 7, -7)[truth == 0]
    rmse = rmse_by_region(result, truth)
    assert rmse["lung"] == pytest.approx(30)
    assert rmse["bone"] == pytest.approx(200)
    assert rmse["soft tissue"] == pytest.approx(7)
    parts = {-800: 30, 1000: 200, 0: 7}
    body = body_mask(truth)
    square = sum(np.count_nonzero(body & (truth == hu)) * error**2 for hu, error in parts.items())
    assert rmse["body"] == pytest.approx(np.sqrt(square / np.count_nonzero(body)))


def test_regions_that_are_not_there_have_no_figure() -> None:
    assert rmse_by_region(np.zeros((3, 9, 9)), np.full((3, 9, 9), -1000.0)) == {}


def test_consistency_is_the_difference_on_the_measured_grid() -> None:
    how = protocol("thick2", 15.0)
    result = np.zeros((4, 3, 3))
    result[0] = 8  # the first thick slice is 4 HU higher
    measured = np.zeros((2, 3, 3))
    assert lr_consistency_rmse(result, measured, how) == pytest.approx(4 / np.sqrt(2))


def test_consistency_with_another_grid_is_refused() -> None:
    with pytest.raises(GeometryError, match="was measured"):
        lr_consistency_rmse(np.zeros((4, 3, 3)), np.zeros((3, 3, 3)), protocol("thick2"))


def test_a_perfect_result_is_scored_so() -> None:
    truth = patient()
    perfect = score(truth, truth, truth.reshape(5, 2, 40, 40).mean(1), protocol("thick2"))
    assert perfect.psnr == float("inf")
    assert perfect.ssim == pytest.approx(1)
    assert set(perfect.rmse_hu.values()) == {0.0}
    assert perfect.lr_consistency_rmse_hu == pytest.approx(0, abs=1e-3)
    assert perfect.as_dict()["rmse_hu"] == perfect.rmse_hu


def test_regions_can_come_from_the_truth_before_it_was_clipped() -> None:
    unclipped = patient()
    unclipped[
        :, 15:18, 12:14
    ] = -1000  # the air of a bronchus: no lung, but once clipped not to be told from it
    truth = np.clip(unclipped, -512, 3071)
    result = truth + np.where(unclipped == -1000, np.float32(5), np.float32(0))
    assert rmse_by_region(result, truth, regions_of=unclipped)["lung"] == 0
    assert rmse_by_region(result, truth)["lung"] > 0

"""Slice-to-slice consistency against values by hand."""

import numpy as np
import pytest

from nullsplat.core.errors import GeometryError
from nullsplat.evaluation.metrics.slices import slice_consistency, slice_difference_power


def stack(*levels: float) -> np.ndarray:
    return np.array(levels)[:, None, None] * np.ones((1, 2, 3))


def test_power_is_the_mean_square_step() -> None:
    assert slice_difference_power(stack(0, 10, 10, 40)) == pytest.approx((100 + 0 + 900) / 3)


def test_twice_the_steps_are_four_times_the_power() -> None:
    assert slice_consistency(stack(0, 20, 0), stack(0, 10, 0)) == pytest.approx(4)


def test_an_offset_is_no_inconsistency() -> None:
    assert slice_consistency(stack(100, 110, 90), stack(0, 10, -10)) == pytest.approx(1)


def test_steps_outside_the_compared_range_do_not_count() -> None:
    assert slice_consistency(stack(-900, 10), stack(-512, 10)) == pytest.approx(1)


def test_a_truth_that_does_not_change_gives_no_figure() -> None:
    assert np.isnan(slice_consistency(stack(0, 1), stack(5, 5)))


def test_a_single_slice_is_refused() -> None:
    with pytest.raises(GeometryError, match="two slices"):
        slice_consistency(stack(1), stack(1))

"""Means and intervals against values by hand."""

import numpy as np
import pytest

from nullsplat.core.errors import ConfigurationError
from nullsplat.evaluation.comparison.statistics import estimate, paired_difference


def test_one_volume_has_no_interval() -> None:
    found = estimate([34.9])
    assert (found.mean, found.volumes, found.interval) == (34.9, 1, None)


def test_two_volumes_have_their_own_values_as_interval() -> None:
    # A resample of two is (a, a) or (b, b) with probability 1/4 each: both tails of 2.5 % lie at the values.
    found = estimate([30.0, 34.0])
    assert found.mean == 32
    assert found.interval == (30.0, 34.0)


def test_the_interval_of_many_is_that_of_the_normal_law() -> None:
    values = np.random.default_rng(1).normal(30, 2, 200)
    found = estimate(values.tolist())
    half = 1.96 * values.std() / np.sqrt(200)  # the bootstrap's deviation divides by n, not n - 1
    assert found.interval == pytest.approx((values.mean() - half, values.mean() + half), abs=0.1 * half)


def test_the_interval_follows_the_seed() -> None:
    values = [1.0, 2.5, 3.0, 7.0, 8.0]
    assert estimate(values, seed=3) == estimate(values, seed=3)


def test_equal_values_leave_no_doubt() -> None:
    assert estimate([5.0, 5.0, 5.0]).interval == (5.0, 5.0)


def test_differences_are_paired_by_volume() -> None:
    # The volumes differ by 10 dB, the methods by 1 dB on each: only pairing shows the second.
    found = paired_difference({"a": 31.0, "b": 41.0, "c": 7.0}, {"b": 40.0, "a": 30.0})
    assert found is not None
    assert (found.mean, found.volumes, found.interval) == (1.0, 2, (1.0, 1.0))


def test_without_a_common_volume_there_is_no_difference() -> None:
    assert paired_difference({"a": 1.0}, {"b": 1.0}) is None


def test_a_mean_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="at least one value"):
        estimate([])

"""Where the reverse diffusion goes, and what its noise is like."""

import math

import pytest
import torch

from nullsplat.core.errors import ConfigurationError
from nullsplat.prior.network import build_scheduler
from nullsplat.prior.xray.sampling import SamplingConfig, view_noise, visited_timesteps

ALPHAS = build_scheduler().alphas_cumprod


def test_the_papers_run_visits_fifty_evenly_spaced_timesteps_from_the_last() -> None:
    visited = visited_timesteps(ALPHAS, SamplingConfig(steps=50))
    assert visited == list(range(999, 0, -20))


@pytest.mark.parametrize("steps", [1, 7, 333, 1000])
def test_every_number_of_steps_is_descending_and_within_the_schedule(steps: int) -> None:
    visited = visited_timesteps(ALPHAS, SamplingConfig(steps=steps))
    assert len(set(visited)) == steps
    assert visited == sorted(visited, reverse=True)
    assert visited[0] == 999
    assert visited[-1] >= 0


@pytest.mark.parametrize(("steps", "start"), [(4, 0.05), (10, 0.1), (20, 2.0)])
def test_a_short_run_goes_from_the_level_of_the_guess_to_the_lowest(steps: int, start: float) -> None:
    visited = visited_timesteps(ALPHAS, SamplingConfig(steps=steps, start_sigma=start))
    levels = ((1 - ALPHAS) / ALPHAS).sqrt()
    assert visited == sorted(set(visited), reverse=True)
    assert visited[-1] == 0
    assert len(visited) <= steps
    assert float(levels[visited[0]]) == pytest.approx(start, rel=0.1)


def test_levels_below_the_schedules_are_its_lowest() -> None:
    assert visited_timesteps(ALPHAS, SamplingConfig(steps=5, start_sigma=1e-6)) == [0]


@pytest.mark.parametrize(
    "wrong",
    [{"steps": 0}, {"samples": 0}, {"batch": 0}, {"shared_views": 0}, {"eta": 1.1}, {"start_sigma": 0.0}],
)
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        SamplingConfig(**wrong)


@pytest.mark.parametrize("shared", [1, 3, 4])
def test_noise_is_standard_normal_in_every_view(shared: int) -> None:
    noise = view_noise(range(10), (100, 100), shared, 0, "test")
    # 10,000 pixels: standard errors of 0.01 (mean) and 0.007 (deviation), five of which are allowed
    assert float(noise.mean((1, 2)).abs().max()) < 0.05
    assert float((noise.std((1, 2)) - 1).abs().max()) < 0.035


def test_noise_of_its_own_for_every_view_is_uncorrelated() -> None:
    noise = view_noise(range(6), (100, 100), 1, 0, "test").flatten(1)
    correlation = torch.corrcoef(noise) - torch.eye(6)
    assert float(correlation.abs().max()) < 0.05


def test_shared_noise_turns_from_anchor_to_anchor() -> None:
    noise = view_noise(range(9), (100, 100), 4, 0, "test").flatten(1)
    correlation = torch.corrcoef(noise)
    for first in range(8):
        assert float(correlation[first, first + 1]) == pytest.approx(math.cos(math.pi / 8), abs=0.02)
    assert float(correlation[0, 4]) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("shared", [1, 3, 4])
def test_noise_of_a_view_does_not_depend_on_which_others_are_asked_for(shared: int) -> None:
    whole = view_noise(range(11), (4, 5), shared, 7, "test")
    for first in range(11):
        part = view_noise(range(first, min(first + 3, 11)), (4, 5), shared, 7, "test")
        assert torch.equal(part, whole[first : first + 3])


def test_noise_depends_on_seed_and_purpose() -> None:
    draws = [view_noise(range(2), (4, 5), 1, *key) for key in ((0, "a"), (1, "a"), (0, "b"), (0, "a", 1))]
    assert all(not torch.equal(a, b) for i, a in enumerate(draws) for b in draws[:i])

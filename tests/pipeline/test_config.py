"""One configuration object decides what is computed, and its hash tells configurations apart."""

import pytest

from nullsplat.core.errors import ConfigurationError
from nullsplat.physics.profile import BOX, Resolution
from nullsplat.pipeline.config import configure
from nullsplat.pipeline.presets import PRESETS
from nullsplat.prior import weights


def test_equal_requests_hash_equally() -> None:
    assert configure((4, 1, 1)).hash == configure((4, 1, 1)).hash


@pytest.mark.parametrize(
    "other",
    [
        configure((2, 1, 1)),
        configure((4, 1, 1), seed=1),
        configure((4, 1, 1), samples=2),
        configure((4, 1, 1), resolution=Resolution(1.5)),
        configure((4, 1, 1), resolution=Resolution(slice_profile=BOX)),
        configure((4, 1, 1), resolution=Resolution(in_plane_profile=BOX)),
        configure((4, 1, 1), "standard"),
        configure((4, 1, 1), prior=weights.XRAY),
    ],
)
def test_whatever_changes_the_result_changes_the_hash(other: object) -> None:
    assert configure((4, 1, 1)).hash != other.hash  # type: ignore[attr-defined]


def test_the_evidence_for_a_profile_decides_nothing() -> None:
    told = configure((4, 1, 1), resolution=Resolution(why="Acquisition Type SPIRAL"))
    assert told.hash == configure((4, 1, 1)).hash


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_can_be_configured(preset: str) -> None:
    assert configure((4, 4, 4), preset, samples=3).sampling.samples == 3


def test_a_request_may_name_another_prior_than_its_preset() -> None:
    assert configure((4, 1, 1)).prior == weights.BLOCK
    assert configure((4, 1, 1), prior=weights.XRAY).prior == weights.XRAY
    assert configure((4, 4, 4), "paper").prior == weights.XRAY


def test_the_ascent_starts_lower_where_all_axes_are_refined_and_the_paper_s_sampler_at_pure_noise() -> None:
    thick, isotropic = (configure(scale, "preview").sampling.start_sigma for scale in (4, (4, 4, 4)))
    assert thick == pytest.approx(2 * isotropic)
    assert configure((4, 4, 4), "paper").sampling.start_sigma is None


def test_the_paper_preset_uses_the_released_noise_levels() -> None:
    assert configure((4, 4, 4), "paper").sampling.sigma_y == 0.001
    assert configure((8, 8, 8), "paper").sampling.sigma_y == 0.0025


@pytest.mark.parametrize(
    ("scale", "preset", "message"),
    [
        ((4, 1, 1), "fast", "preset must be one of preview, standard, sharp, paper, got 'fast'"),
        ((0.5, 1, 1), "preview", r"must lie in \[1, 16\]"),
        ((4, 2, 1), "preview", "along y and x must be equal, got 2 and 1"),
        ((1, 1, 1), "preview", "asks for nothing"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(
    scale: tuple[float, float, float], preset: str, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        configure(scale, preset)

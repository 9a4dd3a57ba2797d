"""The slab prior: what the network is asked, what becomes of its answers, and that folding moves no pixel."""

from pathlib import Path

import pytest
import torch
from diffusers import UNet2DModel
from tests.prior.block.conftest import answering, task
from tests.prior.conftest import TINY as TINY_XRAY
from torch import Tensor

from nullsplat.core.errors import ConfigurationError
from nullsplat.physics.degradation import degradation_for
from nullsplat.physics.point_spread import BOX, PointSpread
from nullsplat.prior.block.network import build_block_unet, is_block_unet
from nullsplat.prior.block.pipeline import BlockPipeline
from nullsplat.prior.conditions import CONDITIONS, conditions_of, phase
from nullsplat.prior.network import build_scheduler, build_unet
from nullsplat.prior.residual import HU_UNIT, UNIT_PER_SPREAD, residual_unit
from nullsplat.prior.slab_sampling import SlabSampling

SHAPES = [(2, 1, 1), (3, 5, 7), (4, 8, 6), (2, 33, 9)]
THICK = pytest.mark.parametrize("thick", [True, False])


def drawn(shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    return 300 * torch.randn(shape), 300 * torch.randn(shape)


@THICK
@pytest.mark.parametrize("seed", [None, 5])
def test_a_fresh_network_leaves_the_base_as_it_is(seed: int | None, thick: bool) -> None:
    prior = BlockPipeline(build_block_unet("small").eval(), build_scheduler("sample"))
    base, cubic = drawn((4, 10, 8))
    assert torch.equal(prior(base, cubic, task(base.shape, thick), SlabSampling(steps=1), seed).hu, base)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("batch", [1, 8])
@THICK
def test_folding_puts_every_pixel_where_it_was(shape: tuple[int, ...], batch: int, thick: bool) -> None:
    """A network that returns (base - cubic) / unit adds in every pass what the base gained on cubic interpolation."""
    base, cubic = drawn(shape)
    prior = answering(base_gained=1.0)
    refined = prior(base, cubic, task(shape, thick), SlabSampling(batch=batch)).hu
    rounds = 1 if task(shape, thick).thick else 2
    torch.testing.assert_close(refined, base + rounds * (base - cubic), atol=3e-3, rtol=1e-5)


@pytest.mark.parametrize(("channel", "step"), [("before", -1), ("here", 0), ("after", 1)])
def test_neighbours_are_those_across_the_slabs_and_a_round_sees_what_the_one_before_it_made(
    channel: str, step: int
) -> None:
    base, cubic = drawn((6, 8, 10))
    unit = residual_unit(base, cubic) / HU_UNIT

    def seen(hu: Tensor, axis: int) -> Tensor:
        return unit * hu.index_select(
            axis, (torch.arange(hu.shape[axis]) + step).clamp(0, hu.shape[axis] - 1)
        )

    once = base + (seen(base, 1) + seen(base, 2)) / 2
    expected = once + seen(once, 0)
    refined = answering(**{channel: 1.0})(base, cubic, task(base.shape, thick=False)).hu
    torch.testing.assert_close(refined, expected, atol=3e-3, rtol=1e-5)


def test_the_first_round_has_gained_nothing_and_the_second_is_shown_what_it_has() -> None:
    base, cubic = drawn((4, 8, 8))
    asked = task(base.shape, thick=False)
    alone = answering(gained=1.0)(base, cubic, asked).hu
    assert torch.equal(alone, base)
    both = answering(base_gained=1.0, gained=-1.0)(base, cubic, asked).hu
    torch.testing.assert_close(both, base + (base - cubic), atol=3e-3, rtol=1e-5)


def test_air_around_the_body_is_left_alone() -> None:
    base = torch.full((4, 60, 60), -1000.0)
    base[:, 20:40, 22:38] = 0.0
    cubic = base - 100
    refined = answering(base_gained=1.0)(base, cubic, task(base.shape)).hu
    changed = (refined != base).nonzero()
    assert changed.amin(0).tolist() == [0, 12, 14]
    assert changed.amax(0).tolist() == [3, 47, 45]


def test_an_interval_is_stated_wherever_the_network_was_asked_and_nowhere_else() -> None:
    base = torch.full((4, 60, 60), -1000.0)
    base[:, 20:40, 22:38] = 300
    found = answering(base_gained=1.0)(base, base - 100, task(base.shape))
    asked = (found.half_width_hu > 0).nonzero()
    assert asked.amin(0).tolist() == [0, 12, 14]
    assert asked.amax(0).tolist() == [3, 47, 45]


def test_the_network_is_told_what_it_is_asked_for_the_axes_of_its_slabs() -> None:
    base, cubic = drawn((8, 6, 6))
    asked = task(base.shape)
    prior = answering(noisy=1.0)
    prior(base, cubic, asked)
    conditions = conditions_of(asked.op, asked.spacing, asked.noise_hu, residual_unit(base, cubic))
    first, second = (torch.tensor(conditions.along(*axes)) for axes in ((1, 0, 2), (2, 0, 1)))
    assert first.numel() == CONDITIONS
    torch.testing.assert_close(
        torch.cat(prior.unet.told).unique(dim=0), torch.stack([first, second]).unique(dim=0)
    )


def test_conditions_follow_the_operator_whatever_the_family_of_its_profile() -> None:
    boxes = conditions_of(degradation_for((8, 16, 16), (4, 1, 1), BOX), (1.25, 0.7, 0.7), 10.0, 80.0)
    assert boxes.factors == (4.0, 1.0, 1.0)
    assert boxes.spreads == (pytest.approx((15 / 12) ** 0.5 / 4), 0.0, 0.0)
    wide = conditions_of(
        degradation_for((8, 16, 16), (4, 1, 1), PointSpread("box", 2.0)), (1, 1, 1), 0.0, 80.0
    )
    assert wide.spreads[0] == pytest.approx(2 * boxes.spreads[0], rel=0.05)
    turned = boxes.along(2, 1, 0)
    assert turned[:3] == boxes.along(0, 1, 2)[2::-1]
    assert boxes.along(0, 1, 2)[9] == 0.5


def test_the_phase_is_lowest_at_a_samples_centre_and_silent_where_nothing_is_missing() -> None:
    assert phase(4, 12)[1::3].tolist() == pytest.approx([-1.0] * 4)
    assert phase(4, 10)[2::5].tolist() == pytest.approx([1.0] * 2)
    assert (phase(12, 12) == 0).all()


def test_the_posterior_mean_is_asked_for_at_the_last_noise_level_with_nothing_known_of_the_answer() -> None:
    base, cubic = drawn((4, 6, 6))
    prior = answering(noisy=1.0)
    assert torch.equal(prior(base, cubic, task(base.shape)).hu, base)  # the noisy channel was zero
    assert (torch.cat(prior.unet.timesteps) == 999).all()


def test_the_unit_follows_the_contrast() -> None:
    base, cubic = torch.randn(4, 5, 6), torch.randn(4, 5, 6)
    expected = UNIT_PER_SPREAD * float((base - cubic).square().mean().sqrt())
    assert residual_unit(base, cubic) == pytest.approx(expected)
    assert residual_unit(7 * base, 7 * cubic) == pytest.approx(7 * expected)
    assert residual_unit(base + 50, cubic + 50) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("denormal_is_zero", [False, True])
def test_a_base_that_gained_nothing_is_left_alone(denormal_is_zero: bool) -> None:
    base = 100 * torch.randn(4, 6, 6)
    torch.set_flush_denormal(denormal_is_zero)
    try:
        assert residual_unit(base, base) > 0
        for channel in ("base_gained", "gained", "here"):
            refined = answering(**{channel: 1.0})(base, base, task(base.shape)).hu
            torch.testing.assert_close(refined, base, atol=1e-4, rtol=0)
    finally:
        torch.set_flush_denormal(False)


def test_the_kinds_of_network_are_told_apart() -> None:
    assert is_block_unet(build_block_unet("small"))
    assert not is_block_unet(build_unet("small"))
    assert not is_block_unet(UNet2DModel(**TINY_XRAY | {"in_channels": 3, "out_channels": 3}))


def test_a_size_that_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="small, base, got 'huge'"):
        build_block_unet("huge")


def test_a_pipeline_survives_saving(random_pipeline: BlockPipeline, tmp_path: Path) -> None:
    random_pipeline.save_pretrained(tmp_path)
    loaded = BlockPipeline.from_pretrained(tmp_path)
    assert isinstance(loaded, BlockPipeline)
    base, cubic = drawn((4, 9, 8))
    before, after = (p(base, cubic, task(base.shape), seed=1).hu for p in (random_pipeline, loaded))
    assert torch.equal(before, after)
    assert not torch.equal(before, base)

"""The network of the slab prior: what it is asked, what it answers, and that folding moves no pixel."""

from pathlib import Path

import pytest
import torch
from diffusers import UNet2DModel
from tests.prior.conftest import TINY as TINY_XRAY
from tests.prior.slab.conftest import Answers, answering

from nullsplat.core.errors import ConfigurationError
from nullsplat.physics.degradation import degradation_for
from nullsplat.prior.network import build_scheduler, build_unet
from nullsplat.prior.residual import HU_UNIT, UNIT_PER_SPREAD, residual_unit
from nullsplat.prior.slab.network import build_slab_unet, is_slab_unet, known_of
from nullsplat.prior.slab.pipeline import SlabPipeline
from nullsplat.prior.slab_sampling import SlabSampling
from nullsplat.prior.task import Task

SHAPES = [(1, 1, 1), (3, 5, 7), (4, 8, 6), (2, 33, 9)]


@pytest.mark.parametrize("seed", [None, 5])
def test_a_fresh_network_leaves_the_base_as_it_is(seed: int | None) -> None:
    prior = SlabPipeline(build_slab_unet("small").eval(), build_scheduler("sample"))
    base, cubic = 100 * torch.randn(3, 10, 9), 100 * torch.randn(3, 10, 9)
    assert torch.equal(prior.refine_along(base, cubic, SlabSampling(steps=1), seed=seed), base)


def test_the_mean_over_axes_is_drawn_away_from_zero_again() -> None:
    base, cubic = 300 * torch.randn(6, 8, 8), 300 * torch.randn(6, 8, 8)
    plain, more = (
        answering(Answers.GAINED).refine_along(base, cubic, SlabSampling(gain=g)) for g in (1.0, 1.25)
    )
    torch.testing.assert_close(more - base, 1.25 * (plain - base), atol=2e-3, rtol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (1, 2), (0, 1, 2)])
@pytest.mark.parametrize("batch", [1, 8])
def test_folding_puts_every_pixel_where_it_was(
    shape: tuple[int, int, int], axes: tuple[int, ...], batch: int
) -> None:
    """A network that returns (base - cubic) / unit doubles what the base gained on cubic interpolation."""
    base, cubic = 300 * torch.randn(shape), 300 * torch.randn(shape)
    prior, config = answering(Answers.GAINED), SlabSampling(batch=batch, gain=1.0)
    expected = base + (base - cubic)
    refined = prior.refine_along(base, cubic, config, axes)
    torch.testing.assert_close(refined, expected, atol=2e-3, rtol=1e-5)  # of some hundreds, in float32


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(("channel", "step"), [(Answers.BEFORE, -1), (Answers.HERE, 0), (Answers.AFTER, 1)])
@pytest.mark.parametrize("slabs_at_once", [1, 2, 100])
def test_neighbours_are_those_along_the_axis_and_the_ends_repeat_themselves(
    axis: int, channel: int, step: int, slabs_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "nullsplat.prior.slab.pipeline._batches",
        lambda images, _: [
            slice(i, min(i + slabs_at_once, len(images))) for i in range(0, len(images), slabs_at_once)
        ],
    )
    base, cubic = 300 * torch.randn(5, 6, 7), 300 * torch.randn(5, 6, 7)
    unit = residual_unit(base, cubic) / HU_UNIT
    there = (torch.arange(base.shape[axis]) + step).clamp(0, base.shape[axis] - 1)
    expected = base + unit * base.index_select(axis, there)
    refined = answering(channel).refine_along(base, cubic, SlabSampling(gain=1.0), (axis,))
    torch.testing.assert_close(refined, expected, atol=2e-3, rtol=1e-5)


def test_the_network_is_told_that_slabs_are_thin() -> None:
    prior = answering(Answers.NOISY)
    prior.refine_along(torch.randn(3, 6, 6), torch.randn(3, 6, 6), SlabSampling())
    thin = torch.cat(prior.unet.thickness_labels)
    assert len(thin) == 3 + 6 + 6
    assert (thin == 0).all()  # 100 log2 of one voxel


@pytest.mark.parametrize(("factors", "axes"), [((2, 1, 1), (1, 2)), ((2, 2, 2), (0, 1, 2))])
def test_slabs_are_cut_along_the_axes_that_show_what_is_missing(
    factors: tuple[int, int, int], axes: tuple[int, ...]
) -> None:
    base, cubic = 300 * torch.randn(6, 6, 6), 300 * torch.randn(6, 6, 6)
    prior = answering(Answers.AFTER)
    task = Task(degradation_for([6 // f for f in factors], factors), (1.0, 1.0, 1.0), 5.0)
    expected = prior.refine_along(base, cubic, SlabSampling(), axes)
    assert torch.equal(prior.refine_volume(base, cubic, task, SlabSampling()), expected)


def test_the_posterior_mean_is_asked_for_at_the_last_noise_level_with_nothing_known_of_the_answer() -> None:
    base, cubic = torch.randn(3, 6, 6), torch.randn(3, 6, 6)
    prior = answering(Answers.NOISY)
    assert torch.equal(prior.refine_along(base, cubic, SlabSampling()), base)  # the noisy channel was zero
    assert (torch.cat(prior.unet.timesteps) == 999).all()


def test_the_unit_follows_the_contrast() -> None:
    base, cubic = torch.randn(4, 5, 6), torch.randn(4, 5, 6)
    expected = UNIT_PER_SPREAD * float((base - cubic).square().mean().sqrt())
    assert residual_unit(base, cubic) == pytest.approx(expected)
    assert residual_unit(7 * base, 7 * cubic) == pytest.approx(7 * expected)
    assert residual_unit(base + 50, cubic + 50) == pytest.approx(expected, rel=1e-4)


def test_what_a_network_says_of_the_gain_alone_follows_the_contrast() -> None:
    base, cubic = 100 * torch.randn(4, 5, 6), 100 * torch.randn(4, 5, 6)
    prior = answering(Answers.GAINED)
    once = prior.refine_along(base, cubic, SlabSampling())
    thrice = prior.refine_along(3 * base, 3 * cubic, SlabSampling())
    torch.testing.assert_close(thrice, 3 * once, atol=5e-3, rtol=1e-5)


@pytest.mark.parametrize("denormal_is_zero", [False, True])
def test_a_base_that_gained_nothing_is_left_alone(denormal_is_zero: bool) -> None:
    base = 100 * torch.randn(3, 6, 6)
    torch.set_flush_denormal(denormal_is_zero)
    try:
        assert residual_unit(base, base) > 0
        for channel in (Answers.GAINED, Answers.HERE):
            assert torch.equal(answering(channel).refine_along(base, base, SlabSampling()), base)
    finally:
        torch.set_flush_denormal(False)


def test_one_unit_for_each_image_or_one_for_all_mean_the_same() -> None:
    bases, cubic = torch.randn(2, 3, 4, 5), torch.randn(2, 4, 5)
    torch.testing.assert_close(known_of(bases, cubic, torch.full((2,), 0.3)), known_of(bases, cubic, 0.3))
    apart = known_of(bases, cubic, torch.tensor([0.5, 2.0]))
    torch.testing.assert_close(apart[1, 3], (bases[1, 1] - cubic[1]) / 2)
    torch.testing.assert_close(apart[0, 3], (bases[0, 1] - cubic[0]) * 2)


def test_the_kinds_of_network_are_told_apart() -> None:
    assert is_slab_unet(build_slab_unet("small"))
    assert not is_slab_unet(build_unet("small"))
    assert not is_slab_unet(UNet2DModel(**TINY_XRAY | {"in_channels": 3, "out_channels": 3}))


def test_a_size_that_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="small, base, got 'huge'"):
        build_slab_unet("huge")


def test_a_pipeline_survives_saving(random_pipeline: SlabPipeline, tmp_path: Path) -> None:
    random_pipeline.save_pretrained(tmp_path)
    loaded = SlabPipeline.from_pretrained(tmp_path)
    assert isinstance(loaded, SlabPipeline)
    base, cubic = 100 * torch.randn(4, 9, 8), 100 * torch.randn(4, 9, 8)
    before, after = (p.refine_along(base, cubic, SlabSampling(), seed=1) for p in (random_pipeline, loaded))
    assert torch.equal(before, after)
    assert not torch.equal(before, base)

"""Samples of the slab prior: decided by their seed and by nothing else."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from diffusers import UNet2DModel
from tests.prior.block.conftest import TINY, answering, task
from torch import Tensor

from nullsplat.core.errors import Cancelled, ConfigurationError
from nullsplat.prior.block.network import BLOCK, FOLD
from nullsplat.prior.block.pipeline import BlockPipeline
from nullsplat.prior.network import build_scheduler
from nullsplat.prior.slab_sampling import SlabSampling

CONFIG = SlabSampling(steps=2)


class Alike(UNet2DModel):
    """For all slabs of a block the mean of their noise."""

    def forward(self, folded: Tensor, timesteps: Tensor) -> SimpleNamespace:
        slabs = folded[:, : BLOCK * FOLD**2].unflatten(1, (BLOCK, FOLD**2))
        mean = slabs.mean(1, keepdim=True).expand_as(slabs).flatten(1, 2)
        return SimpleNamespace(sample=torch.cat([mean, torch.zeros_like(mean), torch.zeros_like(mean)], 1))


Refine = Callable[..., Tensor]


@pytest.fixture
def refine(random_pipeline: BlockPipeline) -> Refine:
    base, cubic = 100 * torch.randn(6, 12, 10), 100 * torch.randn(6, 12, 10)
    return lambda *args, **kwargs: random_pipeline(base, cubic, task(base.shape), *args, **kwargs).hu


def test_the_same_seed_gives_the_same_bits_and_another_seed_another_sample(refine: Refine) -> None:
    first, again, other = (refine(CONFIG, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert float((first - other).abs().max()) > 1e-2


def test_a_sample_does_not_depend_on_how_many_blocks_go_through_at_once(
    refine: Refine, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = refine(CONFIG, seed=3)
    split = torch.split
    monkeypatch.setattr(torch, "split", lambda blocks, _: split(blocks, 1))
    # The noise is the same to the bit; convolutions may add in another order for another batch.
    torch.testing.assert_close(refine(CONFIG, seed=3), together, atol=1e-2, rtol=1e-5)


def test_the_borders_of_blocks_are_no_borders_of_samples() -> None:
    """A network that answers all slabs of a block alike would jump between blocks and nowhere else."""
    base, cubic = torch.zeros(32, 32, 32), torch.ones(32, 32, 32)
    prior = BlockPipeline(Alike(**TINY), build_scheduler("sample"))
    drawn = prior(base, cubic, task(base.shape), SlabSampling(steps=1), seed=2).hu.movedim(2, 0)
    jumps = (drawn[1:] - drawn[:-1]).square().mean((1, 2)).sqrt()[2:-2]
    assert float(jumps.max()) < 1.7 * float(jumps.min())  # the square root of 2 by theory


def test_slabs_have_noise_of_their_own() -> None:
    """A network that hands back its noisy channel shows the noise itself."""
    base, cubic = torch.zeros(16, 16, 8), torch.ones(16, 16, 8)
    drawn = answering(noisy=1.0)(base, cubic, task(base.shape), SlabSampling(steps=1), seed=2).hu
    correlation = torch.corrcoef(drawn.movedim(2, 0).flatten(1))
    assert float((correlation - torch.eye(8)).abs().max()) < 0.25  # 1/16 by chance


def test_without_a_seed_nothing_is_random(refine: Refine, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> Tensor:
        pytest.fail("a random number was drawn")

    before = torch.get_rng_state()
    first = refine(CONFIG)
    for name in ("randn", "randn_like", "rand"):
        monkeypatch.setattr(torch, name, refuse)
    assert torch.equal(refine(CONFIG), first)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_sample_goes_through_as_many_levels_as_asked_each_less_noisy_than_the_one_before() -> None:
    prior = answering(noisy=1.0)
    prior(torch.zeros(2, 4, 4), torch.ones(2, 4, 4), task((2, 4, 4)), SlabSampling(steps=4), seed=0)
    told = [int(t) for t in torch.cat(prior.unet.timesteps)]
    assert told == sorted(told, reverse=True)
    assert list(dict.fromkeys(told)) == [999, 715, 464, 253, 89]


def test_large_images_are_cut_into_tiles_with_the_same_noise() -> None:
    base, cubic = 100 * torch.randn(64, 40, 4), 100 * torch.randn(64, 40, 4)
    prior = answering(noisy=1.0)
    found = [
        prior(base, cubic, task(base.shape), SlabSampling(steps=1, **tiles), seed=1).hu
        for tiles in ({}, {"tile": 24, "overlap": 8})
    ]
    torch.testing.assert_close(found[1], found[0], atol=1e-3, rtol=1e-5)


def test_mirrored_images_are_answered_as_they_are() -> None:
    base, cubic = 100 * torch.randn(6, 12, 10), 100 * torch.randn(6, 12, 10)
    once, often = (
        answering(base_gained=0.5, before=0.1)(base, cubic, task(base.shape), SlabSampling(mirrors=n)).hu
        for n in (1, 4)
    )
    torch.testing.assert_close(once, often, atol=1e-3, rtol=1e-5)


def test_progress_rises_to_one(refine: Refine) -> None:
    told: list[float] = []
    refine(SlabSampling(steps=1, batch=1), progress=lambda fraction, note="": told.append(fraction))
    assert told == sorted(told)
    assert told[-1] == 1


def test_progress_can_stop_the_sampling(refine: Refine) -> None:
    def stop(fraction: float, note: str = "") -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        refine(CONFIG, progress=stop)


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"batch": 0}, {"mirrors": 3}, {"tile": 0}, {"tile": 64, "overlap": 32}]
)
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError):
        SlabSampling(**wrong)

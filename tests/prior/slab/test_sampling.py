"""Samples of the slab prior: decided by their seed and by nothing else."""

from collections.abc import Callable

import pytest
import torch
from tests.prior.slab.conftest import Answers, answering
from torch import Tensor

from nullsplat.core.errors import Cancelled, ConfigurationError
from nullsplat.prior.slab.pipeline import SlabPipeline
from nullsplat.prior.slab_sampling import SlabSampling

CONFIG = SlabSampling(steps=2)
Refine = Callable[..., Tensor]


@pytest.fixture
def refine(random_pipeline: SlabPipeline) -> Refine:
    base, cubic = 100 * torch.randn(5, 12, 10), 100 * torch.randn(5, 12, 10)
    return lambda *args, **kwargs: random_pipeline.refine_along(base, cubic, *args, **kwargs)


def test_the_same_seed_gives_the_same_bits_and_another_seed_another_sample(refine: Refine) -> None:
    first, again, other = (refine(CONFIG, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert float((first - other).abs().max()) > 1e-2


def test_a_sample_does_not_depend_on_how_many_slabs_go_through_at_once(
    refine: Refine, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = refine(CONFIG, seed=3)
    monkeypatch.setattr(
        "nullsplat.prior.slab.pipeline._batches",
        lambda images, _: [slice(i, min(i + 2, len(images))) for i in range(0, len(images), 2)],
    )
    # The noise is the same to the bit; convolutions may add in another order for another batch.
    torch.testing.assert_close(refine(CONFIG, seed=3), together, atol=1e-2, rtol=1e-5)


def test_slabs_have_noise_of_their_own() -> None:
    """A network that hands back its noisy channel shows the noise itself."""
    base, cubic = torch.zeros(6, 16, 16), torch.ones(6, 16, 16)
    drawn = answering(Answers.NOISY).refine_along(base, cubic, SlabSampling(steps=1), (0,), 2)
    correlation = torch.corrcoef(drawn.flatten(1))
    assert float((correlation - torch.eye(6)).abs().max()) < 0.25  # 1/16 by chance
    along = [
        answering(Answers.NOISY).refine_along(base, cubic, SlabSampling(steps=1), (axis,), 2)
        for axis in (0, 1, 2)
    ]
    assert float((torch.corrcoef(torch.stack(along).flatten(1)) - torch.eye(3)).abs().max()) < 0.2


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
    prior = answering(Answers.NOISY)
    prior.refine_along(torch.zeros(1, 4, 4), torch.ones(1, 4, 4), SlabSampling(steps=4), (0,), 0)
    assert [int(t) for t in torch.cat(prior.unet.timesteps)] == [999, 715, 464, 253, 89]


def test_large_images_are_cut_into_tiles_with_the_same_noise(random_pipeline: SlabPipeline) -> None:
    base, cubic = 100 * torch.randn(1, 64, 40), 100 * torch.randn(1, 64, 40)
    prior, whole = answering(Answers.NOISY), SlabSampling(steps=1)
    in_tiles = SlabSampling(steps=1, tile=24, overlap=8)
    args = (base, cubic)
    torch.testing.assert_close(
        prior.refine_along(*args, in_tiles, (0,), 1),
        prior.refine_along(*args, whole, (0,), 1),
        atol=1e-3,
        rtol=1e-5,
    )


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
    "wrong",
    [{"steps": 0}, {"batch": 0}, {"tile": 0}, {"tile": 64, "overlap": 32}],
)
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError):
        SlabSampling(**wrong)

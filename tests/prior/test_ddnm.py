"""What holds for the sampler whatever the prior is: tested with networks that were never trained."""

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from diffusers import UNet2DModel
from jaxtyping import Float
from tests.prior.conftest import TINY
from torch import Tensor

from nullsplat.core.errors import Cancelled, ConfigurationError, GeometryError
from nullsplat.physics.degradation import degradation_for
from nullsplat.physics.null_space import null_space_part
from nullsplat.prior.network import build_scheduler
from nullsplat.prior.xray import pipeline as ddnm
from nullsplat.prior.xray.pipeline import Measurement, ProjectionDDNMPipeline
from nullsplat.prior.xray.sampling import SamplingConfig

FROM_NOISE = SamplingConfig(steps=6, batch=3)
FROM_GUESS = SamplingConfig(steps=4, eta=0.5, start_sigma=0.1, batch=2, shared_views=4)
CLIMBING = replace(FROM_GUESS, relaxation=0.4)


@pytest.fixture(autouse=True)
def float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave bfloat16 aside, so that tolerances can be those of float32 on every CPU."""
    monkeypatch.setattr(ddnm, "fast_bfloat16", lambda device: False)


def measure(
    views: int = 5,
    lr_shape: tuple[int, int] = (8, 8),
    scale: tuple[float, float] = (4, 2),
    sigma_y: float = 0.0,
) -> tuple[Measurement, Float[Tensor, "v z u"]]:
    """A measurement of smooth random images in [-1, 1], and those images."""
    op = degradation_for(lr_shape, scale)
    truth = op.pinv(torch.randn(views, *lr_shape)).clamp(-1, 1)
    return Measurement(op.forward(truth) + sigma_y * torch.randn(views, *lr_shape), op, sigma_y), truth


def misfit(measurement: Measurement, sample: Float[Tensor, "v z u"]) -> Float[Tensor, "v m n"]:
    return measurement.op.forward(sample) - measurement.y


@pytest.mark.parametrize("scale", [(4, 1), (2, 2), (1, 3), (2.5, 1.25)])
@pytest.mark.parametrize("config", [FROM_NOISE, FROM_GUESS], ids=["from-noise", "from-guess"])
def test_a_noise_free_measurement_is_met_exactly(
    pipeline: ProjectionDDNMPipeline, scale: tuple[float, float], config: SamplingConfig
) -> None:
    measurement, truth = measure(scale=scale)
    sampled = pipeline(measurement, config, torch.zeros_like(truth), seed=1).mean
    # Without a guess, an untrained prior leaves values of some hundreds in the null space: rounding grows with them.
    largest = max(1.0, float(sampled.abs().max()))
    assert float(misfit(measurement, sampled).abs().max()) < 1e-5 * largest
    if config is FROM_GUESS:
        assert largest < 10  # so that the bound above is the 1e-4 that is promised


@pytest.mark.parametrize("sigma_y", [0.02, 0.1, 0.3])
def test_a_noisy_measurement_is_met_within_its_noise_but_not_copied(
    pipeline: ProjectionDDNMPipeline, sigma_y: float
) -> None:
    measurement, _ = measure(views=3, sigma_y=sigma_y)
    sampled = pipeline(measurement, replace(FROM_NOISE, steps=30), seed=1).mean
    residual = float(misfit(measurement, sampled).square().mean().sqrt())
    assert 0.05 * sigma_y < residual < sigma_y


def scene_and_object() -> tuple[Tensor, Tensor]:
    """A smooth background, and a dense disk that is not part of it."""
    z, u = torch.meshgrid(torch.linspace(-1, 1, 32), torch.linspace(-1, 1, 32), indexing="ij")
    background = 0.3 * torch.cos(2 * z) * torch.cos(3 * u)
    return background, (z**2 + u**2 < 0.2).float()


WAYS = [FROM_NOISE, FROM_GUESS, CLIMBING]


@pytest.mark.parametrize("sign", [1, -1], ids=["adds", "removes"])
@pytest.mark.parametrize("config", WAYS, ids=["from-noise", "from-guess", "ascent"])
def test_a_prior_cannot_paint_an_object_where_the_measurement_excludes_it(
    knows_one_image: torch.nn.Module, config: SamplingConfig, sign: int
) -> None:
    background, disk = scene_and_object()
    knows_one_image.image = background + sign * disk
    op = degradation_for((8, 8), (4, 4))
    y = op.forward(background)[None].repeat(2, 1, 1)
    sampler = ProjectionDDNMPipeline(knows_one_image, knows_one_image.schedule)
    sampled = sampler(Measurement(y, op, 0.0), config, background.repeat(2, 1, 1)).mean
    seen, excluded = op.pinv(op.forward(sampled)), op.pinv(op.forward(background))
    assert float(op.forward(disk).max()) > 0.9  # the object would be seen
    torch.testing.assert_close(seen, excluded.expand_as(seen), atol=1e-5, rtol=0)
    if config is CLIMBING:
        return  # it goes only part of the way to the prior
    # and what the measurement cannot see is the prior's, down to the object's edge
    null_space = null_space_part(knows_one_image.image, op)
    torch.testing.assert_close(null_space_part(sampled, op), null_space.expand_as(sampled), atol=1e-5, rtol=0)


@pytest.mark.parametrize("config", WAYS, ids=["from-noise", "from-guess", "ascent"])
@pytest.mark.parametrize("sigma_y", [0.0003, 0.001])
def test_little_noise_lets_the_prior_paint_little(
    knows_one_image: torch.nn.Module, config: SamplingConfig, sigma_y: float
) -> None:
    """However sure the prior is of an object, little of it is left where the measurement excludes it.

    At the last step the prior is trusted like noise of the level that was removed: of a component with singular
    value s, s t / (s^2 + t) is left with t = (sigma_y / level)^2, which is sqrt(t) / 2 at most.
    """
    background, disk = scene_and_object()
    knows_one_image.image = background + disk
    op = degradation_for((8, 8), (4, 4))
    measurement = Measurement(op.forward(background).repeat(3, 1, 1), op, sigma_y)
    sampler = ProjectionDDNMPipeline(knows_one_image, knows_one_image.schedule)
    sampled = sampler(measurement, config, background.repeat(3, 1, 1)).mean
    alpha = float(build_scheduler().alphas_cumprod[0])
    bound = sigma_y / ((1 - alpha) / alpha) ** 0.5 / 2 * float(disk.norm())
    assert float(misfit(measurement, sampled).norm(dim=(1, 2)).max()) < bound
    assert bound < 0.25 * float(op.forward(disk).norm())


@pytest.mark.parametrize("steps", [1, 3])
def test_ascent_leaves_of_a_guess_that_contradicts_the_measurement_what_relaxation_says(
    knows_one_image: torch.nn.Module, steps: int
) -> None:
    """Each step goes 40 % of the way: a contradicting guess must therefore be made consistent beforehand."""
    background, disk = scene_and_object()
    knows_one_image.image = background
    op = degradation_for((8, 8), (4, 4))
    measurement = Measurement(op.forward(background)[None], op, 0.0)
    sampler = ProjectionDDNMPipeline(knows_one_image, knows_one_image.schedule)
    sampled = sampler(measurement, replace(CLIMBING, steps=steps), (background + disk)[None]).mean
    expected = 0.6**steps * op.forward(disk)
    torch.testing.assert_close(misfit(measurement, sampled)[0], expected, atol=1e-5, rtol=0)


def test_the_same_seed_gives_the_same_bits_and_another_seed_another_sample(
    pipeline: ProjectionDDNMPipeline,
) -> None:
    measurement, truth = measure(sigma_y=0.01)
    first, again, other = (pipeline(measurement, FROM_GUESS, truth, seed=s).mean for s in (3, 3, 4))
    assert torch.equal(first, again)
    assert float((first - other).abs().max()) > 1e-3


@pytest.mark.parametrize("batch", [1, 2, 5, 64])
def test_a_sample_does_not_depend_on_the_batch(pipeline: ProjectionDDNMPipeline, batch: int) -> None:
    measurement, truth = measure(sigma_y=0.01)
    together = pipeline(measurement, replace(FROM_GUESS, batch=3), truth, seed=3).mean
    apart = pipeline(measurement, replace(FROM_GUESS, batch=batch), truth, seed=3).mean
    # The noise is the same to the bit; convolutions may add in another order for another batch.
    torch.testing.assert_close(apart, together, atol=1e-5, rtol=0)


def test_mean_and_deviation_are_those_of_the_single_samples(pipeline: ProjectionDDNMPipeline) -> None:
    measurement, truth = measure(views=2, sigma_y=0.01)
    one, two, three = (
        pipeline(measurement, replace(FROM_GUESS, samples=k), truth, seed=3) for k in (1, 2, 3)
    )
    samples = [one.mean, 2 * two.mean - one.mean, 3 * three.mean - 2 * two.mean]
    assert torch.equal(one.deviation, torch.zeros_like(one.mean))
    torch.testing.assert_close(two.deviation, torch.stack(samples[:2]).std(0), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(three.deviation, torch.stack(samples).std(0), atol=1e-5, rtol=1e-4)
    assert float((samples[1] - samples[0]).abs().max()) > 1e-3


def test_samples_that_agree_have_no_deviation(knows_one_image: torch.nn.Module) -> None:
    knows_one_image.image, _ = scene_and_object()
    op = degradation_for((8, 8), (4, 4))
    measurement = Measurement(op.forward(knows_one_image.image)[None], op, 0.0)
    sampler = ProjectionDDNMPipeline(knows_one_image, knows_one_image.schedule)
    sampled = sampler(measurement, replace(FROM_NOISE, samples=4))
    assert float(sampled.deviation.max()) < 1e-5  # a difference of sums of squares would leave 3e-4


@pytest.mark.parametrize(
    ("views", "lr_shape", "scale"),
    [
        (1, (1, 8), (1, 2)),
        (1, (1, 8), (4, 1)),
        (1, (8, 1), (2, 1)),
        (2, (5, 7), (1.4, 3)),
        (2, (11, 13), (1, 1)),
    ],
)
def test_any_size_works(
    pipeline: ProjectionDDNMPipeline, views: int, lr_shape: tuple[int, int], scale: tuple[float, float]
) -> None:
    measurement, truth = measure(views, lr_shape, scale)
    sampled = pipeline(measurement, FROM_GUESS, truth).mean
    assert sampled.shape == truth.shape
    assert sampled.isfinite().all()
    assert float(misfit(measurement, sampled).abs().max()) < 1e-4


def test_a_pipeline_survives_saving(pipeline: ProjectionDDNMPipeline, tmp_path: Path) -> None:
    pipeline.save_pretrained(tmp_path)
    loaded = ProjectionDDNMPipeline.from_pretrained(tmp_path)
    measurement, truth = measure(views=2)
    before, after = (p(measurement, FROM_GUESS, truth, seed=1).mean for p in (pipeline, loaded))
    assert isinstance(loaded, ProjectionDDNMPipeline)
    assert torch.equal(before, after)


@pytest.mark.parametrize(
    ("avx512", "amx", "expected"), [(False, False, False), (True, False, True), (False, True, True)]
)
def test_bfloat16_is_used_where_the_processor_has_it_and_only_there(
    knows_one_image: torch.nn.Module,
    monkeypatch: pytest.MonkeyPatch,
    avx512: bool,
    amx: bool,
    expected: bool,
) -> None:
    monkeypatch.undo()  # of float32 above
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    seen: list[bool] = []
    knows_one_image.register_forward_pre_hook(lambda *_: seen.append(torch.is_autocast_enabled("cpu")))
    knows_one_image.image = torch.zeros(32, 16)
    measurement, truth = measure(views=1)
    ProjectionDDNMPipeline(knows_one_image, knows_one_image.schedule)(measurement, FROM_GUESS, truth)
    assert set(seen) == {expected}


def test_a_sigma_y_in_the_settings_overrides_the_measured_one(pipeline: ProjectionDDNMPipeline) -> None:
    measurement, truth = measure(views=2, sigma_y=0.3)
    overridden = pipeline(measurement, replace(FROM_GUESS, sigma_y=0.0), truth)
    noise_free = pipeline(replace(measurement, sigma_y=0.0), FROM_GUESS, truth)
    assert torch.equal(overridden.mean, noise_free.mean)


def test_progress_rises_to_one_over_all_samples(pipeline: ProjectionDDNMPipeline) -> None:
    measurement, truth = measure(views=4)
    told: list[float] = []
    config = replace(FROM_GUESS, samples=2)
    pipeline(measurement, config, truth, progress=lambda fraction, note="": told.append(fraction))
    assert told == [0.25, 0.5, 0.75, 1.0]


def test_progress_can_stop_the_sampling(pipeline: ProjectionDDNMPipeline) -> None:
    measurement, truth = measure(views=4)
    told: list[float] = []

    def stop(fraction: float, note: str = "") -> None:
        told.append(fraction)
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        pipeline(measurement, FROM_GUESS, truth, progress=stop)
    assert told == [0.5]


def test_a_guess_is_needed_where_the_settings_start_from_one(pipeline: ProjectionDDNMPipeline) -> None:
    measurement, _ = measure(views=1)
    with pytest.raises(GeometryError, match="without an initial estimate"):
        pipeline(measurement, FROM_GUESS)


def test_a_guess_or_a_measurement_of_another_size_is_refused(pipeline: ProjectionDDNMPipeline) -> None:
    measurement, truth = measure(views=2)
    with pytest.raises(GeometryError, match=r"\(2, 32, 16\), got \(2, 32, 15\)"):
        pipeline(measurement, FROM_GUESS, truth[:, :, 1:])
    with pytest.raises(GeometryError, match=r"\(8, 8\).*got \(8, 7\)"):
        pipeline(replace(measurement, y=measurement.y[:, :, 1:]), FROM_GUESS, truth)


def test_more_steps_than_the_schedule_has_are_refused(pipeline: ProjectionDDNMPipeline) -> None:
    measurement, _ = measure(views=1)
    with pytest.raises(ConfigurationError, match="at most 1000"):
        pipeline(measurement, SamplingConfig(steps=1001))


def test_noise_enters_at_the_level_that_was_asked_for(random_unet: UNet2DModel) -> None:
    """The first image that the prior sees is the guess with noise of `start_sigma` relative to it."""
    seen: list[Tensor] = []
    hook = random_unet.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    measurement, truth = measure(views=2, lr_shape=(16, 32))
    config = SamplingConfig(steps=1, start_sigma=0.1, batch=2)
    ProjectionDDNMPipeline(random_unet, build_scheduler())(measurement, config, truth)
    hook.remove()
    signal = 1 / math.sqrt(1 + 0.1**2)
    added = (seen[0][:, 0] / signal - truth).std()
    assert float(added) == pytest.approx(0.1, rel=0.1)  # the nearest timestep is a few per cent off


class KnowsGreyPixels(UNet2DModel):
    """The ideal network for images of independent pixels of deviation `SIZE`, the same in all three channels.

    The noise of the channels is independent, so their mean says all about the image, at a third of the variance.
    """

    SIZE = 0.3

    def __init__(self, channels: int) -> None:
        super().__init__(**TINY | {"in_channels": channels, "out_channels": channels})
        self.alphas = build_scheduler().alphas_cumprod

    def forward(self, x: Float[Tensor, "b c z u"], t: int) -> SimpleNamespace:
        alpha = self.alphas[t]
        noise = (1 - alpha) / alpha / 3
        x0 = x.mean(1, keepdim=True) / alpha.sqrt() * self.SIZE**2 / (self.SIZE**2 + noise)
        return SimpleNamespace(sample=(x - alpha.sqrt() * x0) / (1 - alpha).sqrt())


def test_channels_with_noise_of_their_own_give_images_as_strong_as_the_priors() -> None:
    op = degradation_for((8, 8), (4, 4))
    truth = KnowsGreyPixels.SIZE * torch.randn(16, *op.hr_shape)
    measurement = Measurement(op.forward(truth), op, 0.0)
    expected = float(null_space_part(truth, op).std())
    drawn = {
        channels: ProjectionDDNMPipeline(KnowsGreyPixels(channels), build_scheduler())(
            measurement, SamplingConfig(steps=50, eta=0.0, batch=16), seed=1
        ).mean
        for channels in (1, 3)
    }
    strength = {channels: float(null_space_part(x, op).std()) / expected for channels, x in drawn.items()}
    assert strength[3] == pytest.approx(1, abs=0.1)  # 50 steps lose 7 %
    assert strength[1] > 1.5  # the same network folded: it takes noise of the channels' mean for image


def test_several_channels_meet_the_measurement_and_do_not_depend_on_the_batch() -> None:
    sampler = ProjectionDDNMPipeline(KnowsGreyPixels(3), build_scheduler())
    measurement, truth = measure(views=5)
    for config in (FROM_GUESS, replace(FROM_GUESS, relaxation=0.5)):
        together, apart = (sampler(measurement, replace(config, batch=b), truth, seed=3).mean for b in (5, 2))
        assert together.shape == truth.shape
        torch.testing.assert_close(apart, together, atol=1e-5, rtol=0)
    assert float(misfit(measurement, sampler(measurement, FROM_GUESS, truth).mean).abs().max()) < 1e-4

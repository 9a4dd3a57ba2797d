"""All pipelines are called as those of diffusers are: with what is given alone, and with defaults for the rest."""

import torch
from diffusers import DDIMScheduler, UNet2DModel
from tests.prior.block.conftest import answering, task

from nullsplat.physics.degradation import degradation_for
from nullsplat.prior.slab_sampling import SlabSampling
from nullsplat.prior.xray.pipeline import Measurement, ProjectionDDNMPipeline
from nullsplat.prior.xray.sampling import SamplingConfig


def test_the_block_prior_takes_a_base_and_its_cubic_interpolation() -> None:
    base, cubic = 100 * torch.randn(4, 16, 16), 100 * torch.randn(4, 16, 16)
    prior, asked = answering(base_gained=1.0), task(base.shape)
    refined = prior.refine_volume(base, cubic, asked, SlabSampling())
    assert torch.equal(prior(base, cubic, asked).hu, refined.hu)


def test_the_xray_prior_takes_a_measurement(random_unet: UNet2DModel) -> None:
    prior = ProjectionDDNMPipeline(random_unet, DDIMScheduler(num_train_timesteps=60))
    measurement = Measurement(torch.randn(2, 8, 16), degradation_for((8, 16), (2.0, 1.0)), 0.01)
    sampled = prior(measurement)
    assert sampled.mean.shape == (2, 16, 16)
    assert torch.equal(sampled.mean, prior(measurement, SamplingConfig(), seed=0).mean)

"""What holds for the sampler whatever the prior is: tested with networks that were never trained."""

import math
from dataclasses import replace

import pytest
import torch
from jaxtyping import Float
from nullsplat.core.errors import GeometryError
from nullsplat.physics.degradation import Separable, degradation_for
from nullsplat.physics.null_space import null_space_part
from nullsplat.prior import ddnm
from nullsplat.prior.ddnm import Measurement, ProjectionDDNMPipeline
from nullsplat.prior.sampling import SamplingConfig
from torch import Tensor

FROM_NOISE = SamplingConfig(steps=10, batch=3)
FROM_GUESS = SamplingConfig(steps=4, eta=0.5, start_sigma=0.1, batch=2, shared_views=4)

needs_float32 = pytest.mark.usefixtures("float32")


@pytest.fixture
def float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave bfloat16 aside, so that tolerances can be those of float32 on every CPU."""
    monkeypatch.setattr(ddnm, "_fast_bfloat16", lambda device: False)


def measure(
    views: int = 5, lr_shape: tuple[int, int] = (8, 8), scale: tuple[float, float] = (4, 2), sigma_y: float = 0.0
) -> tuple[Measurement, Float[Tensor, "v z u"]]:
    """A measurement of smooth random images, and those images."""
    op = degradation_for(lr_shape, scale)
    truth = op.pinv(torch.randn(views, *lr_shape)).clamp(-1, 1)
    return Measurement(op.forward(truth) + sigma_y * torch.randn(views, *lr_shape), op, sigma_y), truth


def rms(x: Tensor) -> float:
    return float(x.square().mean().sqrt())


@pytest.mark.parametrize("scale", [(4, 1), (2, 2), (1, 3), (2.5, 1.25)])
@pytest.mark.parametrize("config", [FROM_NOISE, FROM_GUESS])
def test_a_noise_free_measurement_is_met_exactly(
    pipeline: ProjectionDDNMPipeline, scale: tuple[float, float], config: SamplingConfig
) -> None:
    measurement, truth = measure(scale=scale)
    sampled = pipeline(measurement, config, torch.zeros_like(truth), seed=1)
    # relative to values of about 1; the sample itself may be large in the null space of an untrained prior
    scale_of_sample = max(1.0, float(sampled.mean.abs().max()))
    torch.testing.assert_close(
        measurement.op.forward(sampled.mean), measurement.y, atol=1e-5 * scale_of_sample, rtol=0
    )
    if config is FROM_GUESS:
        assert float((measurement.op.forward(sampled.mean) - measurement.y).abs().max()) < 1e-4


@pytest.mark.parametrize("sigma_y", [0.02, 0.1, 0.3])
def test_a_noisy_measurement_is_met_within_its_noise(pipeline: ProjectionDDNMPipeline, sigma_y: float) -> None:
    measurement, truth = measure(views=8, lr_shape=(16, 16), sigma_y=sigma_y)
    sampled = pipeline(measurement, replace(FROM_NOISE, steps=50), seed=1)
    residual = rms(measurement.op.forward(sampled.mean) - measurement.y)
    print(sigma_y, residual)
    assert residual < sigma_y

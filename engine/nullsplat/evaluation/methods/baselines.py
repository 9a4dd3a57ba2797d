"""Methods without learning that every table holds, told scale and point-spread function but never the truth."""

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Float
from numpy import ndarray

from nullsplat.core.errors import ConfigurationError
from nullsplat.core.volume import Axes3
from nullsplat.evaluation.methods.known import Known
from nullsplat.evaluation.methods.lanczos import upsample_lanczos
from nullsplat.evaluation.metrics.scores import CLIP_HU
from nullsplat.physics.degradation import Separable, degradation_for
from nullsplat.physics.noise import estimate_noise
from nullsplat.physics.regularisation.saturation import saturation_floor
from nullsplat.physics.regularisation.total_variation import BASELINE, tv_reconstruct
from nullsplat.physics.upsampling import upsample_cubic, upsample_linear

Array3 = Float[ndarray, "_ _ _"]


def operator_for(lr_shape: tuple[int, ...], known: Known, spacing: Axes3 = (1.0, 1.0, 1.0)) -> Separable:
    """The engine's own operator for what is known; the spacing of the samples (mm) matters to measured curves alone."""
    return degradation_for(lr_shape, known.scale, known.resolution.point_spreads(spacing))


def trilinear(measured: Array3, op: Separable) -> Array3:
    """Linear interpolation of HU."""
    return upsample_linear(torch.from_numpy(measured), op.hr_shape).numpy()


def cubic(measured: Array3, op: Separable) -> Array3:
    """Cubic spline interpolation of HU."""
    return upsample_cubic(torch.from_numpy(measured), op.hr_shape).numpy()


def lanczos(measured: Array3, op: Separable) -> Array3:
    """Lanczos interpolation of HU with three lobes."""
    z, y, x = op.hr_shape
    return upsample_lanczos(measured, (z, y, x))


def total_variation(measured: Array3, op: Separable) -> Array3:
    """Total variation with exact consistency, scaled as the metrics do.

    It is not clipped to their range, so that lung stays lung, but to the level at which the measurement
    saturates: for a truth that was clipped to that range, both are the same.
    """
    floor = saturation_floor(torch.from_numpy(measured), estimate_noise(measured))
    low, unit_hu = CLIP_HU[0], CLIP_HU[1] - CLIP_HU[0]
    y = (torch.from_numpy(measured) - low) / unit_hu
    settings = replace(BASELINE, bounds=(None if floor is None else (floor - low) / unit_hu, 1.0))
    unit = tv_reconstruct(y, op, upsample_cubic(y, op.hr_shape), settings)
    return unit.mul_(unit_hu).add_(low).numpy()


BASELINES: dict[str, Callable[[Array3, Separable], Array3]] = {
    "trilinear": trilinear,
    "cubic": cubic,
    "lanczos": lanczos,
    "tv": total_variation,
}


def reconstruct(method: str, measured: Array3, known: Known, spacing: Axes3 = (1.0, 1.0, 1.0)) -> Array3:
    """The high-resolution volume in HU that a baseline makes of a measured one in HU.

    Raises:
        ConfigurationError: no such baseline.
    """
    if method not in BASELINES:
        raise ConfigurationError(f"baselines are {', '.join(BASELINES)}; got {method!r}")
    return BASELINES[method](measured, operator_for(measured.shape, known, spacing))

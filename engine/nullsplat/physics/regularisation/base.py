"""The base: everything that physics alone can give, an interpolated volume in agreement with the measurement."""

from dataclasses import replace

from jaxtyping import Float
from torch import Tensor

from nullsplat.core.progress import Progress, silent
from nullsplat.core.volume import Axes3
from nullsplat.physics import intensity
from nullsplat.physics.degradation import Separable
from nullsplat.physics.regularisation.saturation import saturation_floor
from nullsplat.physics.regularisation.total_variation import TotalVariation, tv_reconstruct
from nullsplat.physics.upsampling import upsample_cubic

NONNEGATIVE = (0.0, None)
"""Air is the lowest value there is; metal may be anything."""

_LEAST_ACROSS = 0.5

BASE = TotalVariation(iterations=40, step=6e-3, decay=0.955, epsilon=5e-3, bounds=NONNEGATIVE)
"""Longer steps than the `tv` baseline's, for flatter tissue; for a factor of 4, see `scaled_for`."""


def regularised_base(
    lr_hu: Float[Tensor, "m n o"],
    op: Separable,
    settings: TotalVariation,
    noise_hu: float,
    progress: Progress = silent,
) -> Float[Tensor, "z y x"]:
    """Cubic upsampling, then total variation in agreement with the measurement.

    Args:
        lr_hu: measured volume in HU.
        op: the degradation D.
        settings: of the smoothing, see `scaled_for`.
        noise_hu: standard deviation of the noise in `lr_hu`.
        progress: called after each iteration.

    Returns:
        The base in HU on the grid that `op` starts from.

    Raises:
        GeometryError: `lr_hu` does not fit `op`.
    """
    sigma = noise_hu / intensity.RANGE_HU
    y = intensity.encode(lr_hu)
    start = upsample_cubic(y, op.hr_shape).contiguous()
    return intensity.decode(
        tv_reconstruct(y, op, start, with_saturation_floor(settings, y, sigma), sigma, progress)
    )


def with_saturation_floor(
    settings: TotalVariation, y: Float[Tensor, "m n o"], sigma: float
) -> TotalVariation:
    """The settings with the level at which the measurement saturates as the lowest value, if there is one.

    Args:
        settings: of the smoothing.
        y: measured volume on the scale of `physics.intensity`.
        sigma: its noise on that scale.
    """
    floor = saturation_floor(y, sigma)
    return settings if floor is None else replace(settings, bounds=(floor, settings.bounds[1]))


def scaled_for(scale: Axes3, base: TotalVariation = BASE) -> TotalVariation:
    """The base's regularisation for a factor: the less is missing, the less may be smoothed.

    The step was measured on the public CT (docs/adr/0008). Across slices twice as many, shorter steps come closer to
    the least total variation: +0.05 dB with a bell and -0.01 dB with a box on three validation CTs (docs/adr/0013).
    """
    base = replace(base, step=base.step * max(scale) / 4)
    return base if scale[1] > 1 else replace(base, iterations=2 * base.iterations, decay=base.decay**0.5)


def across_slices(settings: TotalVariation, spacing: Axes3) -> TotalVariation:
    """Differences along z weighed like those in plane, per millimetre, but at least by a half.

    The half was found for slices about two pixels apart (docs/adr/0008) and serves wherever they are further apart.

    Args:
        settings: of the smoothing.
        spacing: of the wanted voxels along (z, y, x), in mm.
    """
    return replace(settings, weights=(max(spacing[1] / spacing[0], _LEAST_ACROSS), 1.0, 1.0))

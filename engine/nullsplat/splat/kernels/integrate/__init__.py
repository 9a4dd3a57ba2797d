"""Sum of 2-D Gaussians on the detector: a pixel is the plain sum of contributions, in no order (paper Eq. 4)."""

from jaxtyping import Float
from torch import Tensor

from nullsplat.core.errors import ConfigurationError
from nullsplat.splat.kernels.dispatch import implementation
from nullsplat.splat.kernels.exponential import CUTOFF, MAX_CUTOFF


def integrate(
    means2d: Float[Tensor, "v n 2"],
    conics: Float[Tensor, "v n 3"],
    weights: Float[Tensor, "v n"],
    size: tuple[int, int],
    cutoff: float = CUTOFF,
) -> Float[Tensor, "v rows columns"]:
    """Images of signed Gaussians, differentiable in all three tensors.

    A Gaussian adds weight * exp(-q/2), q = a dx^2 + 2 b dx dy + c dy^2, to every pixel with q <= cutoff^2.
    One whose conic is not positive definite adds nothing. The cut-off leaves out less than exp(-cutoff^2/2) of
    the weight at a pixel, and exp(-cutoff^2/2) of a Gaussian's mass: 3.4e-4 at 4 (docs/kernels.md).

    Args:
        means2d: (column, row) in pixels; pixel centres are whole numbers.
        conics: (a, b, c) of the inverse covariance, per pixel^2.
        weights: value at the centre, of either sign.
        size: (rows, columns).
        cutoff: in standard deviations, at most 4. Gradients ignore that the border of the footprint moves.

    Raises:
        ConfigurationError: the cut-off is out of range.
    """
    if not 0 < cutoff <= MAX_CUTOFF:
        raise ConfigurationError(
            f"the cut-off must lie in (0, {MAX_CUTOFF}] standard deviations, got {cutoff}"
        )
    image: Tensor = implementation(__name__, means2d).integrate(means2d, conics, weights, size, cutoff)
    return image

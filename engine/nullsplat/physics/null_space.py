"""Range- and null-space algebra of DDNM and DDNM+: what was measured is kept, only the null-space component comes from the prior."""

import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.physics.degradation import Separable


def project_to_measurement(
    x0: Float[Tensor, "*hr"], y: Float[Tensor, "*lr"], op: Separable
) -> Float[Tensor, "*hr"]:
    """Replace the range-space part of `x0` by what was measured: A^+ y + (I - A^+ A) x0.

    Args:
        x0: clean estimate, for example projections that the prior predicts.
        y: measurement, same unit.
        op: the degradation A.
    Raises:
        GeometryError: `x0` or `y` does not fit `op`.
    Source: Wang et al. 2022 (arXiv 2212.00490), Eq. 13.
    """
    return x0 + op.pinv(y - op.forward(x0))


def null_space_part(x: Float[Tensor, "*hr"], op: Separable) -> Float[Tensor, "*hr"]:
    """(I - A^+ A) x: what the measurement cannot see.

    Raises:
        GeometryError: `x` does not fit `op`.
    """
    return x - op.pinv(op.forward(x))


def ddnm_plus(
    x0: Float[Tensor, "*hr"],
    y: Float[Tensor, "*lr"],
    op: Separable,
    sigma_y: float,
    a_t: float,
    sigma_t: float,
) -> Float[Tensor, "*hr"]:
    """Pull `x0` towards a noisy measurement, as far as the noise of this step can hide: x0 - Sigma_t A^+ (A x0 - y).

    Args:
        x0: clean estimate at step t.
        y: measurement, same unit.
        op: the degradation A.
        sigma_y: standard deviation of the noise in `y`; 0 gives `project_to_measurement`.
        a_t: factor of x0 in x_{t-1} (for DDIM the square root of alpha-bar_{t-1}).
        sigma_t: standard deviation of the noise that the sampler adds at this step.
    Raises:
        GeometryError: `x0` or `y` does not fit `op`.
    Source: Wang et al. 2022 (arXiv 2212.00490), Eq. 17 and 19.
    """
    return x0 + op.filtered_pinv(y - op.forward(x0), lambda s: _lambda(s, sigma_y, a_t, sigma_t))


def ddnm_plus_noise(
    noise: Float[Tensor, "*hr"], op: Separable, sigma_y: float, a_t: float, sigma_t: float
) -> Float[Tensor, "*hr"]:
    """Noise to add after `ddnm_plus`: together with what came in through `y`, its variance is sigma_t^2 everywhere.

    Args:
        noise: standard normal.
        op: the degradation A.
        sigma_y: as for `ddnm_plus`.
        a_t: as for `ddnm_plus`.
        sigma_t: as for `ddnm_plus`.
    Returns:
        Noise of covariance Phi_t = V diag(gamma) V^T, gamma_i = sigma_t^2 - (a_t sigma_y lambda_i / s_i)^2.
    Source: Wang et al. 2022 (arXiv 2212.00490), Eq. 18 and 19.
    """

    def deviation(s: Float[Tensor, "*rank"]) -> Float[Tensor, "*rank"]:
        came_in = a_t * sigma_y * _lambda(s, sigma_y, a_t, sigma_t) / s.clamp_min(torch.finfo(s.dtype).tiny)
        return (sigma_t**2 - torch.where(s > 0, came_in, 0) ** 2).clamp_min(0).sqrt()

    return op.apply_spectral(noise, deviation)


def _lambda(s: Float[Tensor, "*rank"], sigma_y: float, a_t: float, sigma_t: float) -> Float[Tensor, "*rank"]:
    """1 where the sampler's noise covers the measurement's, sigma_t s / (a_t sigma_y) elsewhere."""
    if a_t * sigma_y == 0:
        return torch.ones_like(s)
    return (sigma_t / (a_t * sigma_y) * s).clamp_max(1)

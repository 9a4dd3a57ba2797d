"""Total variation and the reconstruction that needs no learning: smooth, then agree with the measurement."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.errors import GeometryError
from nullsplat.core.progress import Progress, silent
from nullsplat.physics.consistency import consistent, make_consistent
from nullsplat.physics.degradation import Separable
from nullsplat.physics.regularisation import tv_kernel

Weights3 = tuple[float, float, float]
ISOTROPIC: Weights3 = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class TotalVariation:
    """Settings of `tv_reconstruct`; the defaults are the `tv` baseline for values scaled to [0, 1].

    Attributes:
        iterations: steps of smoothing, each followed by a step of consistency.
        step: length of the first smoothing step.
        decay: factor of the step length from one iteration to the next.
        epsilon: gradients below this count as noise, those above as edges; in units of the volume.
        weights: of the differences along (z, y, x); for voxels that are not cubes.
        bounds: lowest and highest value allowed; None leaves an end open.
        noise_share: part of the noise's deviation that consistency may leave in the residual. Below 1, because
            structure that is lost costs more than noise that is let in, which the next step smooths again.
    """

    iterations: int = 60
    step: float = 1.5e-3
    decay: float = 0.97
    epsilon: float = 0.01
    weights: Weights3 = ISOTROPIC
    bounds: tuple[float | None, float | None] = (0.0, 1.0)
    noise_share: float = 0.8


BASELINE = TotalVariation()
"""The `tv` baseline of the evaluation tables."""


def tv_reconstruct(
    y: Float[Tensor, "m n o"],
    op: Separable,
    start: Float[Tensor, "z y x"],
    settings: TotalVariation = BASELINE,
    sigma: float = 0.0,
    progress: Progress = silent,
) -> Float[Tensor, "z y x"]:
    """Alternate between a step down the total variation and a step of consistency with `y`.

    Args:
        y: measured volume.
        op: the degradation.
        start: first estimate, for example the cubic upsampling of `y`; not changed.
        settings: step lengths.
        sigma: standard deviation of the noise in `y`, same unit; 0 keeps the result exactly consistent.
        progress: called after each iteration.
    Raises:
        GeometryError: `start` or `y` does not fit `op`.
    """
    sigma *= settings.noise_share
    x = consistent(start, y, op, sigma)
    for k in range(settings.iterations):
        descend_total_variation(x, settings.step * settings.decay**k, settings.epsilon, settings.weights)
        make_consistent(x, y, op, sigma)
        x.clamp_(*settings.bounds)
        progress((k + 1) / settings.iterations)
    return x


def total_variation(
    x: Float[Tensor, "z y x"], epsilon: float = 0.01, weights: Weights3 = ISOTROPIC
) -> Float[Tensor, ""]:
    """Sum over voxels of sqrt(epsilon^2 + |forward differences|^2); the difference at a far border is 0.

    Differentiable; `descend_total_variation` is the fast way down.
    """
    squared = torch.full_like(x, epsilon**2)
    for axis, weight in enumerate(weights):
        difference = weight * x.diff(dim=axis, append=x.narrow(axis, x.shape[axis] - 1, 1))
        squared = squared + difference**2
    return squared.sqrt().sum()


def descend_total_variation(
    x: Float[Tensor, "z y x"], step: float, epsilon: float = 0.01, weights: Weights3 = ISOTROPIC
) -> None:
    """Replace `x` by x - step grad TV(x), in place.

    Args:
        x: volume; on the CPU it must be contiguous and needs next to no extra memory.
        step: in units of `x`.
        epsilon: as in `total_variation`.
        weights: as in `total_variation`.
    Raises:
        GeometryError: `x` is on the CPU and not contiguous.
    """
    if x.device.type == "cpu":
        if not x.is_contiguous():
            raise GeometryError("smoothing in place needs a contiguous volume; call .contiguous() first")
        threads = torch.get_num_threads()
        tv_kernel.descend(x.detach().numpy(), step, epsilon, weights, threads)
        torch.set_num_threads(threads)  # numba's OpenMP layer and torch share one count, and numba has set it
    else:
        _descend_by_slabs(x, step, epsilon, weights)


def _descend_by_slabs(
    x: Float[Tensor, "z y x"], step: float, epsilon: float, weights: Weights3, slab: int = 64
) -> None:
    """Autograd on slabs with one slice of overlap, so that memory does not grow with the number of slices."""
    old_below: Tensor | None = None
    for first in range(0, x.shape[0], slab):
        last = min(first + slab, x.shape[0])
        inside = x[first : min(last + 1, x.shape[0])]
        block = (inside if old_below is None else torch.cat([old_below, inside])).clone().requires_grad_()
        gradient = torch.autograd.grad(total_variation(block, epsilon, weights), block)[0]
        below = 0 if old_below is None else 1
        old_below = x[last - 1 : last].clone()
        x[first:last] -= step * gradient[below : below + last - first]

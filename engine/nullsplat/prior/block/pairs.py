"""What the block prior learns from: a CT, and the base that physics makes of its degraded copy."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from scipy import ndimage
from torch import Tensor
from torch.nn.functional import interpolate

from nullsplat.core.units import LOWEST_HU
from nullsplat.core.volume import Axes3, Volume
from nullsplat.physics.axis import axis_operator
from nullsplat.physics.degradation import Separable
from nullsplat.physics.noise import estimate_noise
from nullsplat.physics.point_spread import BELL, BOX, GAUSSIAN, PointSpread
from nullsplat.physics.regularisation.base import across_slices, regularised_base, scaled_for
from nullsplat.physics.upsampling import upsample_cubic
from nullsplat.prior.block.pipeline import BlockPipeline
from nullsplat.prior.block.store import Pair
from nullsplat.prior.conditions import conditions_of
from nullsplat.prior.residual import residual_unit

CLIP_HU = (-512.0, 3071.0)
"""What the method's authors clip their volumes to; half of the pairs are, so that both kinds are known."""

LARGEST = (128, 192, 192)
"""Voxels of a pair along (z, y, x); what is more is cropped at random."""

SMALLEST = 48
"""Voxels along each axis that a pair must have."""

_THICK_SHARE = 0.65
_AS_SLICES = 0.35
_NOISE_HU = (3.0, 40.0)
_UNEVEN_SHARE = 0.6
_ALIKE_SHARE = 0.35
_SOFT_HU = 80.0


@dataclass(frozen=True)
class _Task:
    """How a pair is degraded, and what the base is told of it."""

    factors: Axes3
    true: tuple[PointSpread, ...]
    assumed: tuple[PointSpread, ...]


@dataclass(frozen=True)
class Drawn:
    """A degraded volume, drawn at random.

    Attributes:
        truth: in HU.
        measured: what a scanner would have delivered of it, in HU.
        factors: voxels per sample along (z, y, x).
        assumed: point-spread functions along (z, y, x), as a header would state them.
        spacing: of the truth, mm.
    """

    truth: Float[Tensor, "z y x"]
    measured: Float[Tensor, "m n o"]
    factors: Axes3
    assumed: tuple[PointSpread, ...]
    spacing: Axes3


def draw(volume: Volume, generator: np.random.Generator, largest: tuple[int, int, int] = LARGEST) -> Drawn:
    """Degrade a volume as training does.

    Args:
        volume: the truth in HU.
        generator: decides kernel, pixel size, orientation, crop, clip, factor, profile and noise.
        largest: voxels along (z, y, x); what is more is cropped at random.
    """
    task = _task(generator)
    varied, spacing = _varied(volume, task, generator)
    truth = torch.from_numpy(_cropped(varied, largest, generator)).clamp(min=LOWEST_HU)
    if generator.random() < _ALIKE_SHARE:
        truth = _alike(truth, generator)
    if generator.random() < 0.5:
        truth = truth.clamp(*CLIP_HU)
    return Drawn(truth, _measured(truth, task, generator), task.factors, task.assumed, spacing)


def make_pair(volume: Volume, generator: np.random.Generator) -> Pair:
    """Degrade a volume at random and reconstruct it without learning.

    Args:
        volume: the truth in HU.
        generator: decides everything, see `draw`.
    """
    drawn = draw(volume, generator)
    truth, measured, spacing = drawn.truth, drawn.measured, drawn.spacing
    op = _operator(truth, drawn.factors, drawn.assumed)
    noise_hu = estimate_noise(measured.numpy())
    settings = scaled_for(drawn.factors)
    settings = settings if drawn.factors[1] > 1 else across_slices(settings, spacing)
    base = regularised_base(measured, op, settings, noise_hu)
    cubic = upsample_cubic(measured, op.hr_shape)
    spread = float((truth - base).square().mean(dtype=torch.float64).sqrt())
    volumes = torch.stack([truth, base, cubic, base]).round().clamp(-32768, 32767).to(torch.int16).numpy()
    conditions = conditions_of(op, spacing, noise_hu, residual_unit(base, cubic))
    return Pair(volumes, (measured.shape[0], measured.shape[1], measured.shape[2]), spread, conditions)


def refined_once(pair: Pair, prior: BlockPipeline) -> Pair:
    """The pair with what a prior makes of it in its first round, so that the second can be learned.

    Args:
        pair: of a volume that is refined along all axes.
        prior: as far as it has been trained.
    """
    _, base, cubic, _ = torch.from_numpy(pair.volumes.astype(np.float32))
    refined = base + prior.first_round(base, cubic, pair.samples, pair.conditions)
    volumes = pair.volumes.copy()
    volumes[3] = refined.round().clamp(-32768, 32767).to(torch.int16).numpy()
    return replace(pair, volumes=volumes, refined=True)


def _task(generator: np.random.Generator) -> _Task:
    """Factor and profiles; what is assumed is sometimes a little wrong, as headers are."""
    if generator.random() < _THICK_SHARE:
        factor = float(generator.choice((2, 3, 4, 4, 5, 5, 6, 8)))
        factor = factor if generator.random() < 0.6 else float(generator.uniform(1.6, 8))
        shape = (BELL, BOX, GAUSSIAN)[int(generator.choice(3, p=(0.55, 0.35, 0.1)))]
        width = 1.0 if generator.random() < 0.6 else float(generator.uniform(0.75, 2.0))
        true = replace(shape, width=width)
        wrong = float(generator.uniform(0.9, 1.1)) if generator.random() < 0.3 else 1.0
        assumed = replace(shape if generator.random() < 0.8 else BELL, width=width * wrong)
        return _Task((factor, 1.0, 1.0), (true, GAUSSIAN, GAUSSIAN), (assumed, GAUSSIAN, GAUSSIAN))
    factor = float(generator.choice((2, 3, 4, 4, 6, 8)))
    width = float(generator.uniform(0.9, 1.1)) if generator.random() < 0.3 else 1.0
    in_plane = replace(GAUSSIAN, width=width)
    across = GAUSSIAN if generator.random() < 0.5 else BELL
    return _Task((factor,) * 3, (across, in_plane, in_plane), (across, GAUSSIAN, GAUSSIAN))


def _varied(
    volume: Volume, task: _Task, generator: np.random.Generator
) -> tuple[Float[ndarray, "z y x"], Axes3]:
    """The volume with another kernel and pixel size, and in a third of cases with rows as slices: in-plane detail teaches
    through-plane, most of all that of CTs whose own slices are thick.
    """
    hu, spacing = torch.from_numpy(volume.hu), volume.geometry.spacing
    room = min(hu.shape[1:]) / (128 if task.factors[1] == 1 else 160)
    shrink = max(1.0, room * generator.uniform(0.4, 1.0)) if generator.random() < 0.6 else max(1.0, room / 3)
    if shrink > 1:
        size = [round(n / shrink) for n in hu.shape[1:]]
        hu = interpolate(hu[:, None], size=size, mode="bilinear", antialias=True)[:, 0]
        spacing = (spacing[0], spacing[1] * shrink, spacing[2] * shrink)
    hu = _kernel(hu, generator)
    few = hu.shape[0] < SMALLEST
    if few or generator.random() < _AS_SLICES:
        hu, spacing = hu.transpose(0, 1), (spacing[1], spacing[0], spacing[2])
    return hu.numpy(), spacing


def _kernel(hu: Float[Tensor, "z y x"], generator: np.random.Generator) -> Float[Tensor, "z y x"]:
    """A softer or sharper reconstruction kernel, or the scanner's own."""
    drawn = generator.random()
    if drawn > 0.6:
        return hu
    sigma = float(generator.uniform(0.3, 0.8))
    soft = torch.from_numpy(ndimage.gaussian_filter(hu.numpy(), (0, sigma, sigma)))
    if drawn < 0.3:
        return soft
    return (hu + float(generator.uniform(0.2, 0.8)) * (hu - soft)).clamp(LOWEST_HU, 3071.0)


def _alike(truth: Float[Tensor, "z y x"], generator: np.random.Generator) -> Float[Tensor, "z y x"]:
    """Whatever is denser than soft tissue as of one material, as in phantoms, implants and vessels full of contrast: a
    network that has seen nothing but bones draws a cortex into all of them.
    """
    level = float(generator.uniform(200, 600))
    density = level * float(generator.uniform(1.0, 2.5))
    filled = ((truth - _SOFT_HU) / (level - _SOFT_HU)).clamp(0, 1)
    return truth.clamp(max=_SOFT_HU) + filled * (density - _SOFT_HU)


def _cropped(
    hu: Float[ndarray, "z y x"], largest: tuple[int, int, int], generator: np.random.Generator
) -> Float[ndarray, "_ _ _"]:
    part = []
    for n, most in zip(hu.shape, largest, strict=True):
        first = int(generator.integers(0, max(n - most, 0) + 1))
        part.append(slice(first, first + most))
    cropped = hu[tuple(part)]
    missing = [(0, max(SMALLEST - n, 0)) for n in cropped.shape]
    return np.ascontiguousarray(np.pad(cropped, missing, mode="symmetric"))


def _operator(truth: Float[Tensor, "z y x"], factors: Axes3, spreads: tuple[PointSpread, ...]) -> Separable:
    axes = zip(truth.shape, factors, spreads, strict=True)
    return Separable(*(axis_operator(round(n / factor), n, spread) for n, factor, spread in axes))


def _uneven(
    measured: Float[Tensor, "m n o"],
    truth: Float[Tensor, "z y x"],
    task: _Task,
    generator: np.random.Generator,
) -> Float[Tensor, "m n o"]:
    """Measured with slices whose thickness and place change from point to point, as those of helical scans do.

    Helical interpolation weights what was seen before and after a slice, by shares that turn with the tube: no one
    profile is right everywhere. Between two profiles a smooth random field decides.
    """
    along = task.true[0]
    other = replace(along, width=along.width * float(generator.uniform(0.8, 1.25)))
    moved = float(generator.uniform(-0.2, 0.2)) * task.factors[0]
    shifted = torch.from_numpy(ndimage.shift(truth.numpy(), (moved, 0, 0), order=1, mode="nearest"))
    seen = _operator(shifted, task.factors, (other, *task.true[1:])).forward(shifted)
    coarse = torch.from_numpy(generator.random((1, 1, 6, 4, 4), dtype=np.float32))
    field = interpolate(coarse, size=tuple(measured.shape), mode="trilinear")[0, 0]
    return torch.lerp(measured, seen, field)


def _measured(
    truth: Float[Tensor, "z y x"], task: _Task, generator: np.random.Generator
) -> Float[Tensor, "m n o"]:
    """What a scanner would have delivered, with noise that is white or as correlated as a kernel leaves it."""
    measured = _operator(truth, task.factors, task.true).forward(truth)
    if generator.random() < _UNEVEN_SHARE:
        measured = _uneven(measured, truth, task, generator)
    if generator.random() < 0.35:
        return measured.clamp(min=LOWEST_HU)
    noise = generator.standard_normal(tuple(measured.shape), dtype=np.float32)
    if generator.random() < 0.5:
        in_plane, across = float(generator.uniform(0.3, 0.9)), float(generator.choice((0.0, 0.45)))
        noise = ndimage.gaussian_filter(noise, (across, in_plane, in_plane))
        noise /= noise.std()
    deviation = float(generator.uniform(*_NOISE_HU))
    return (measured + deviation * torch.from_numpy(noise)).clamp(min=LOWEST_HU)

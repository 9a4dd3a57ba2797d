"""What the slab prior learns from: a CT, the base that physics makes of its degraded copy, and both projected."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int16
from numpy import ndarray
from torch import Tensor
from torch.nn.functional import interpolate

from nullsplat.core.units import LOWEST_HU, hu_to_mu
from nullsplat.core.volume import Axes3, Volume
from nullsplat.physics.axis import BOX, GAUSSIAN
from nullsplat.physics.base import across_slices, regularised_base, suited_to
from nullsplat.physics.beam import ParallelBeam, beam_for
from nullsplat.physics.degradation import Separable, degradation_for
from nullsplat.physics.noise import estimate_noise
from nullsplat.physics.projector import Projector
from nullsplat.physics.upsampling import upsample_cubic
from nullsplat.prior.normalisation import normalisation_for

FACTORS = (2, 3, 4, 4, 6, 8)
"""Drawn evenly; 4 is what is asked for most."""

CLIP_HU = (-512.0, 3071.0)
"""What the method's authors clip their volumes to; half of the pairs are, so that both kinds are known."""

LARGEST = (128, 256, 256)
"""Voxels of a pair along (z, y, x); what is more is cropped at random."""

VIEWS = 16

_NOISE_HU = (4.0, 40.0)
_SEEN = 0.02


@dataclass(frozen=True)
class SlabPair:
    """Three volumes on one grid, and their projections.

    Attributes:
        thick: whether only z was degraded.
        volumes: truth, base, cubic interpolation; HU.
        views: the same three as line integrals in network range.
    """

    thick: bool
    volumes: Int16[ndarray, "3 z y x"]
    views: Float[ndarray, "3 v z u"]


def make_pair(volume: Volume, generator: np.random.Generator) -> SlabPair:
    """Degrade a volume at random, reconstruct it without learning, project both.

    Args:
        volume: the truth in HU.
        generator: decides scale, orientation, crop, clip, degradation and noise.
    """
    thick = bool(generator.random() < 0.45)
    factor = int(generator.choice(FACTORS))
    scale: Axes3 = (float(factor), 1.0, 1.0) if thick else (float(factor),) * 3
    varied, spacing = _varied(volume, generator)
    truth = torch.from_numpy(_cropped(varied, scale, generator)).clamp(min=LOWEST_HU)
    if generator.random() < 0.5:
        truth = truth.clamp(*CLIP_HU)
    noise_hu = 0.0 if generator.random() < 0.4 else float(generator.uniform(*_NOISE_HU))
    op = degradation_for(_low_shape(truth, scale), scale, (BOX if thick else GAUSSIAN, GAUSSIAN, GAUSSIAN))
    measured = op.forward(truth)
    measured += noise_hu * torch.from_numpy(
        generator.standard_normal(tuple(measured.shape), dtype=np.float32)
    )
    measured.clamp_(min=LOWEST_HU)
    volumes = torch.stack([truth, *_known(measured, op, scale, spacing)])
    return SlabPair(
        thick, volumes.round().clamp(-1024, 32767).to(torch.int16).numpy(), _projected(volumes, spacing)
    )


def _varied(volume: Volume, generator: np.random.Generator) -> tuple[Float[ndarray, "z y x"], Axes3]:
    """The volume at another pixel size, and sometimes with rows as slices: in-plane detail teaches through-plane.

    Shrinking stops where the crops of training would not fit any more.
    """
    hu, spacing = torch.from_numpy(volume.hu), volume.geometry.spacing
    room = min(hu.shape[1:]) / 128
    shrink = max(1.0, room * generator.uniform(0.5, 1.0)) if generator.random() < 0.6 else max(1.0, room / 2)
    if shrink > 1:
        size = [round(n / shrink) for n in hu.shape[1:]]
        hu = interpolate(hu[:, None], size=size, mode="bilinear", antialias=True)[:, 0]
        spacing = (spacing[0], spacing[1] * shrink, spacing[2] * shrink)
    if generator.random() < 0.3:
        hu, spacing = hu.transpose(0, 1), (spacing[1], spacing[0], spacing[2])
    return hu.numpy(), spacing


def _cropped(
    hu: Float[ndarray, "z y x"], scale: Axes3, generator: np.random.Generator
) -> Float[ndarray, "_ _ _"]:
    part = []
    for n, most, factor in zip(hu.shape, LARGEST, scale, strict=True):
        length = int(min(n, most) // factor * factor)
        first = int(generator.integers(0, n - length + 1))
        part.append(slice(first, first + length))
    return np.ascontiguousarray(hu[tuple(part)])


def _low_shape(truth: Float[Tensor, "z y x"], scale: Axes3) -> tuple[int, ...]:
    return tuple(round(n / s) for n, s in zip(truth.shape, scale, strict=True))


def _known(
    measured: Float[Tensor, "m n o"], op: Separable, scale: Axes3, spacing: Axes3
) -> list[Float[Tensor, "z y x"]]:
    """What is known without learning: the base and the cubic interpolation."""
    settings = suited_to(scale) if scale[1] > 1 else across_slices(suited_to(scale), spacing)
    base = regularised_base(measured, op, settings, estimate_noise(measured.numpy()))
    return [base, upsample_cubic(measured, op.hr_shape)]


def _projected(volumes: Float[Tensor, "3 z y x"], spacing: Axes3) -> Float[ndarray, "3 v z u"]:
    """Line integrals in network range, cut to the columns that see the body."""
    shape = (volumes.shape[1], volumes.shape[2], volumes.shape[3])
    beam = beam_for(shape, spacing, VIEWS)
    views = torch.stack([_line_integrals(volume, beam, spacing) for volume in volumes])
    normalisation = normalisation_for(views[2])
    seen = (views[2].amax(dim=(0, 1)) > _SEEN * normalisation.scale).nonzero()[:, 0]
    if len(seen):
        views = views[..., int(seen.min()) : int(seen.max()) + 1]
    encoded: ndarray = normalisation.encode(views).numpy()
    return encoded


def _line_integrals(hu: Float[Tensor, "z y x"], beam: ParallelBeam, spacing: Axes3) -> Float[Tensor, "v z u"]:
    return Projector(beam, (hu.shape[0], hu.shape[1], hu.shape[2]), spacing).forward(hu_to_mu(hu))

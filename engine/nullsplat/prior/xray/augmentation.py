"""Random crops of X-ray images at the pixel shapes that projections of CT series have."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate


@dataclass(frozen=True)
class Augmentation:
    """How much crops vary.

    Attributes:
        size: pixels of a crop along (z, u).
        max_shrink: largest factor by which an image is averaged down along z or u. A radiograph shrunk
            along z alone looks like the projection of a thick-slice series; shrunk along both, like one
            of a coarser scan.
        gain: relative spread of the intensity scale.
    """

    size: tuple[int, int] = (64, 128)
    max_shrink: float = 4.0
    gain: float = 0.2


def random_crop(
    image: Float[Tensor, "z u"], augmentation: Augmentation, generator: np.random.Generator
) -> Float[Tensor, "h w"]:
    """One augmented crop.

    Args:
        image: intensities about [0, 1].
        augmentation: how much crops vary.
        generator: source of randomness.

    Returns:
        The crop in network range [-1, 1], of `augmentation.size`.
    """
    size = augmentation.size
    shrink = _shrink_factors(image.shape, augmentation, generator)
    window = [min(round(s * f), n) for s, f, n in zip(size, shrink, image.shape, strict=True)]
    z, u = (int(generator.integers(0, n - w + 1)) for n, w in zip(image.shape, window, strict=True))
    crop = image[None, None, z : z + window[0], u : u + window[1]]
    if tuple(crop.shape[2:]) != size:
        crop = _resized(crop, size)
    crop = crop[0, 0]
    flips = [axis for axis in (0, 1) if generator.random() < 0.5]
    gain = 1 + augmentation.gain * generator.uniform(-1, 1)
    return torch.flip(crop, flips) * (2 * gain) - 1


def _resized(crop: Float[Tensor, "1 1 z u"], size: tuple[int, int]) -> Float[Tensor, "1 1 h w"]:
    """Averaged down where the crop is larger than `size`, interpolated where the image was too small for it."""
    averaged = (min(size[0], crop.shape[2]), min(size[1], crop.shape[3]))
    crop = interpolate(crop, size=averaged, mode="area")
    return crop if averaged == size else interpolate(crop, size=size, mode="bilinear")


def _shrink_factors(
    shape: torch.Size, augmentation: Augmentation, generator: np.random.Generator
) -> tuple[float, float]:
    """Log-uniform factors of at least 1 that still leave a whole crop; one below 1 only where the image is small."""
    limits = [min(augmentation.max_shrink, n / s) for n, s in zip(shape, augmentation.size, strict=True)]
    z, u = (float(limit ** generator.random()) if limit > 1 else limit for limit in limits)
    if generator.random() < 0.3:  # pixels stay as they are
        z, u = min(1.0, z), min(1.0, u)
    return z, u

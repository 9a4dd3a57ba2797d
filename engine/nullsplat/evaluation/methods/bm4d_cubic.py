"""BM4D and then cubic interpolation: what good denoising without super-resolution gives.

Source: Maggioni et al. 2013, "Nonlocal transform-domain filter for volumetric data denoising and reconstruction".
The package `bm4d` may be used for non-commercial purposes only; it is never installed unless it is asked for.
"""

import bm4d
import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from nullsplat.core.volume import Axes3
from nullsplat.physics.noise import estimate_noise
from nullsplat.physics.upsampling import upsample_cubic


def denoise_then_cubic(measured: Float[ndarray, "m n o"], scale: Axes3, seed: int) -> Float[ndarray, "z y x"]:
    """Denoise with the noise that is estimated from the volume itself, then interpolate.

    Args:
        measured: HU.
        scale: factors along (z, y, x).
        seed: not used; nothing is random.
    """
    sigma = estimate_noise(measured)
    denoised = np.asarray(bm4d.bm4d(measured, sigma), np.float32) if sigma > 0 else measured
    z, y, x = (round(n * s) for n, s in zip(measured.shape, scale, strict=True))
    return upsample_cubic(torch.from_numpy(np.ascontiguousarray(denoised)), (z, y, x)).numpy()

"""Direction cosines that are written with few digits: what they may be off by, and how the stack itself sets them right.

Some makers write two digits after the point. Such cosines are off by up to 0.005 each, so that neighbours may differ by one
hundredth, and a stack of 300 mm seems to lean by 1.5 mm though its positions are exact. The positions then say where the
normal points. Source: PS3.3 C.7.6.2.1.1 (Image Orientation).
"""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nullsplat.core.volume import Axes3
from nullsplat.dicom.geometry.limits import ORIENTATION_TOLERANCE

Axes = tuple[Axes3, Axes3, Axes3]
_EXACT = 1e-9


def rounding(cosines: Float[ndarray, "n 6"]) -> float:
    """Half of the last digit where all are written with two digits; 0 where more are, and where they are all 0 or 1."""
    is_coarse = np.abs(cosines - np.round(cosines, 2)).max() < _EXACT
    is_exact = np.abs(cosines - np.rint(cosines)).max() < _EXACT
    return 0.005 if is_coarse and not is_exact else 0.0


def spread_allowed(rounded: float) -> float:
    """Largest difference between the direction cosines of slices that lie alike."""
    return max(ORIENTATION_TOLERANCE, 2 * rounded + _EXACT)


def straightened(axes: Axes, positions: Float[ndarray, "n 3"], rounded: float) -> Axes:
    """The axes with the normal along the stack, if it leans by no more than the rounding of the cosines explains.

    Args:
        axes: along z, y and x, from the cosines.
        positions: of the slices in the order of the stack, mm.
        rounded: see `rounding`.
    """
    along = positions[-1] - positions[0]
    length = float(np.linalg.norm(along))
    if not rounded or not length:
        return axes
    z = along / length
    if np.linalg.norm(z - np.array(axes[0])) > 2 * rounded:
        return axes
    y = np.array(axes[1]) - (np.array(axes[1]) @ z) * z
    y = y / np.linalg.norm(y)
    return _axis(z), _axis(y), _axis(np.cross(y, z))


def _axis(vector: Float[ndarray, "3"]) -> Axes3:
    x, y, z = (float(value) + 0.0 for value in vector)  # no negative zeros
    return x, y, z

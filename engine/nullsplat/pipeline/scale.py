"""How many times finer a volume is to become, in the words of people and of code."""

import re
from collections.abc import Sequence
from numbers import Real

from nullsplat.core.errors import ConfigurationError
from nullsplat.core.volume import Axes3

Scale = float | str | Sequence[float]
"""4 or "thick4" (slices alone; "z4" is short for it), "iso2" (all axes), (2, 2, 2) or "2,2,2" along (z, y, x)."""

MAX_SCALE = 16.0
_NAMED = re.compile(r"(z|thick|iso)(\d+(?:\.\d+)?)")


def factors(scale: Scale, name: str = "scale") -> Axes3:
    """Factors along (z, y, x); those along y and x are equal, because the projections look from all sides.

    Args:
        scale: one number is for the slices alone.
        name: what messages call it.
    Raises:
        ConfigurationError: neither one number nor three, one outside [1, 16], different ones in plane, or all 1.
    """
    z, y, x = _three(scale, name)
    if not all(1 <= factor <= MAX_SCALE for factor in (z, y, x)):
        raise ConfigurationError(f"every factor of {name} must lie in [1, {MAX_SCALE:g}], got {(z, y, x)}")
    if y != x:
        raise ConfigurationError(f"the factors along y and x must be equal, got {y:g} and {x:g}")
    if max(z, y) == 1:
        raise ConfigurationError(
            f"{name} 1,1,1 asks for nothing; give a factor above 1 along at least one axis"
        )
    return z, y, x


def _three(scale: Scale, name: str) -> Axes3:
    if isinstance(scale, str) and (named := _NAMED.fullmatch(scale)):
        factor = float(named[2])
        return (factor, factor, factor) if named[1] == "iso" else (factor, 1.0, 1.0)
    parts = scale.split(",") if isinstance(scale, str) else [scale] if isinstance(scale, Real) else scale
    try:
        numbers = [float(part) for part in parts]  # type: ignore[union-attr]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) == 1:
        return numbers[0], 1.0, 1.0
    if len(numbers) == 3:
        return numbers[0], numbers[1], numbers[2]
    raise ConfigurationError(
        f"{name} must be one number (for the slices) or three along z, y, x, such as 4 or 2,2,2, got {scale!r}"
    )

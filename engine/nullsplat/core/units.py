"""Hounsfield units and linear attenuation."""

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:  # torch takes seconds to import, and who reads DICOM does without
    from numpy import ndarray
    from torch import Tensor

    Values = TypeVar("Values", float, ndarray, Tensor)
else:
    Values = TypeVar("Values")

MU_WATER = 0.0192
"""Linear attenuation of water in 1/mm at about 70 keV, the effective energy of a 120 kV CT."""

HU_AIR = -1000.0

LOWEST_HU = -1024.0
"""Lowest value of a volume. Files mark what lies outside the field of view with anything down to -3024; nothing
attenuates less than vacuum (-1000), so whoever reads a file raises such values to this one."""


HIGHEST_HU = 31743.0
"""Highest value of a volume: what 16 signed bits hold above -1024. No material comes near; whoever reads a file refuses more."""


LEAST_COVERAGE = 0.8
"""Least slice thickness, in slice spacings, of a stack without gaps."""


def hu_to_mu(hu: Values) -> Values:
    """Attenuation mu = mu_water (1 + HU/1000) in 1/mm, for arrays and tensors.

    It is linear on purpose: clipping at air would not commute with averaging, and would turn zero-mean noise
    in air into a positive line integral. Clip to `HU_AIR` first where negative attenuation cannot be used.
    """
    return (hu - HU_AIR) * (MU_WATER / 1000)


def hu_difference_to_mu(difference: Values) -> Values:
    """A difference in HU as a difference in attenuation (1/mm); scalars, arrays and tensors."""
    return difference * (MU_WATER / 1000)


def mu_to_hu_difference(difference: Values) -> Values:
    """A difference in attenuation (1/mm) as a difference in HU; scalars, arrays and tensors."""
    return difference * (1000 / MU_WATER)

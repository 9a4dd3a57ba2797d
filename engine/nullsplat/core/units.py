"""Hounsfield units and linear attenuation."""

from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

MU_WATER = 0.0192
"""Linear attenuation of water in 1/mm at about 70 keV, the effective energy of a 120 kV CT."""

HU_AIR = -1000.0


def hu_to_mu(hu: Float[ndarray, "*shape"]) -> Float[ndarray, "*shape"]:
    """Attenuation mu = mu_water (1 + HU/1000) in 1/mm; HU below -1000 is air, mu = 0."""
    return np.maximum(hu - HU_AIR, 0) * hu.dtype.type(MU_WATER / 1000)


def mu_to_hu(mu: Float[ndarray, "*shape"]) -> Float[ndarray, "*shape"]:
    """Hounsfield units of an attenuation in 1/mm."""
    return mu * mu.dtype.type(1000 / MU_WATER) + mu.dtype.type(HU_AIR)


def hu_difference_to_mu(difference: Any) -> Any:
    """A difference in HU as a difference in attenuation (1/mm); scalars, arrays and tensors."""
    return difference * (MU_WATER / 1000)

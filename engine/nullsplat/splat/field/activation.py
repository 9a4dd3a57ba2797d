"""How a Gaussian's density follows from the number z that is learnt: PReLU, and three others to compare it with.

Softplus and sine are not free of units: as in the paper they act on densities that are 0 to 1 on the evaluation's
window, so z and density are divided by `DENSITY_RANGE` first.
"""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.errors import ConfigurationError
from nullsplat.core.units import hu_difference_to_mu

DENSITY_RANGE = hu_difference_to_mu(3583.0)
"""The evaluation's window [-512, 3071] HU in 1/mm; densities are 0 to 1 on it, as in the paper."""

LEAST_START = hu_difference_to_mu(1.0)
"""Density in 1/mm, at which a Gaussian starts whose activation cannot give the one it should have.

Softplus and ReLU have no inverse for densities that are not positive. Such a Gaussian is placed as the others
are, so that runs differ in nothing but the activation, and starts at 1 HU: nearly nothing, but still learnt.
"""


@runtime_checkable
class Activation(Protocol):
    """A function from z to density, both in 1/mm; `slope` is PReLU's and ignored by the others."""

    @property
    def name(self) -> str:
        """As in `FitConfig.activation`."""

    def density(self, z: Float[Tensor, "*shape"], slope: Float[Tensor, ""]) -> Float[Tensor, "*shape"]:
        """Density of z."""

    def inverse(self, density: Float[Tensor, "*shape"], slope: Float[Tensor, ""]) -> Float[Tensor, "*shape"]:
        """A z with this density, or with the nearest that there is and that can be learnt from."""

    def scaled(self, z: Float[Tensor, "*shape"], factor: float) -> Float[Tensor, "*shape"]:
        """A z whose density is `factor` (above 0) times that of z, or the nearest that there is."""

    def strength(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """How much a Gaussian matters; what pruning compares with its threshold in 1/mm."""


class PRelu:
    """z where positive, slope * z where negative: either sign, with a gradient for both."""

    name = "prelu"

    def density(self, z: Float[Tensor, "*shape"], slope: Float[Tensor, ""]) -> Float[Tensor, "*shape"]:
        """See `Activation`."""
        return prelu(z, slope)

    def inverse(self, density: Float[Tensor, "*shape"], slope: Float[Tensor, ""]) -> Float[Tensor, "*shape"]:
        """See `Activation`; exact for both signs."""
        return inverse_prelu(density, slope)

    def scaled(self, z: Float[Tensor, "*shape"], factor: float) -> Float[Tensor, "*shape"]:
        """See `Activation`; it is positively homogeneous."""
        return z * factor

    def strength(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """|z|, as in the paper."""
        return z.abs()


class Relu:
    """z where positive, else nothing: no negative density, and no gradient to leave nothing again."""

    name = "relu"

    def density(self, z: Float[Tensor, "*shape"], slope: Float[Tensor, ""]) -> Float[Tensor, "*shape"]:
        """See `Activation`."""
        return torch.relu(z)

    def inverse(self, density: Float[Tensor, "*shape"], slope: Float[Tensor, ""]) -> Float[Tensor, "*shape"]:
        """See `Activation`; below `LEAST_START` it gives that."""
        return density.clamp_min(LEAST_START)

    def scaled(self, z: Float[Tensor, "*shape"], factor: float) -> Float[Tensor, "*shape"]:
        """See `Activation`."""
        return z * factor

    def strength(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The density."""
        return torch.relu(z)


class Softplus:
    """R log(1 + exp(z / R)): above zero everywhere, as in R2-Gaussian (arXiv 2405.20693)."""

    name = "softplus"

    def density(self, z: Float[Tensor, "*shape"], slope: Float[Tensor, ""]) -> Float[Tensor, "*shape"]:
        """See `Activation`."""
        return _softplus(z)

    def inverse(self, density: Float[Tensor, "*shape"], slope: Float[Tensor, ""]) -> Float[Tensor, "*shape"]:
        """See `Activation`; R log(exp(density / R) - 1), and below `LEAST_START` that of `LEAST_START`."""
        return _inverse_softplus(density.clamp_min(LEAST_START))

    def scaled(self, z: Float[Tensor, "*shape"], factor: float) -> Float[Tensor, "*shape"]:
        """See `Activation`."""
        return _inverse_softplus(_softplus(z) * factor)

    def strength(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The density: z itself says nothing, 0 is a strong Gaussian."""
        return _softplus(z)


class Sine:
    """R sin(z / R): either sign, but never more than the window, and the same density again and again."""

    name = "sine"

    def density(self, z: Float[Tensor, "*shape"], slope: Float[Tensor, ""]) -> Float[Tensor, "*shape"]:
        """See `Activation`."""
        return _sine(z)

    def inverse(self, density: Float[Tensor, "*shape"], slope: Float[Tensor, ""]) -> Float[Tensor, "*shape"]:
        """See `Activation`; the z next to zero, and beyond +-R that of +-R."""
        return _inverse_sine(density)

    def scaled(self, z: Float[Tensor, "*shape"], factor: float) -> Float[Tensor, "*shape"]:
        """See `Activation`."""
        return _inverse_sine(_sine(z) * factor)

    def strength(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The absolute density."""
        return _sine(z).abs()


PRELU: Activation = PRelu()

ACTIVATIONS: dict[str, Activation] = {one.name: one for one in (PRELU, Softplus(), Relu(), Sine())}


def activation(name: str) -> Activation:
    """The activation of that name.

    Raises:
        ConfigurationError: there is none.
    """
    if name not in ACTIVATIONS:
        raise ConfigurationError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {name!r}")
    return ACTIVATIONS[name]


def prelu(z: Float[Tensor, "*shape"], slope: Float[Tensor, ""]) -> Float[Tensor, "*shape"]:
    """Density of a pre-activation: z where positive, slope * z where negative."""
    return torch.where(z >= 0, z, slope * z)


def inverse_prelu(density: Float[Tensor, "*shape"], slope: Float[Tensor, ""]) -> Float[Tensor, "*shape"]:
    """The pre-activation that gives a density, for a slope above 0."""
    return torch.where(density >= 0, density, density / slope)


def _softplus(z: Tensor) -> Tensor:
    # logaddexp, because torch's softplus is linear, and so not exactly itself, above a threshold
    return torch.logaddexp(z / DENSITY_RANGE, z.new_zeros(())) * DENSITY_RANGE


def _inverse_softplus(density: Tensor) -> Tensor:
    unit = density / DENSITY_RANGE
    return (unit + torch.log(-torch.expm1(-unit))) * DENSITY_RANGE  # log(exp(u) - 1) without overflow


def _sine(z: Tensor) -> Tensor:
    return torch.sin(z / DENSITY_RANGE) * DENSITY_RANGE


def _inverse_sine(density: Tensor) -> Tensor:
    return torch.asin((density / DENSITY_RANGE).clamp(-1, 1)) * DENSITY_RANGE

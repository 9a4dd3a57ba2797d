"""The residual field: Gaussians in millimetres whose density may be negative."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.errors import GeometryError
from nullsplat.splat.field.activation import PRELU, Activation

WIDTHS: dict[str, tuple[int, ...]] = {"means": (3,), "log_scales": (3,), "quats": (4,), "z": ()}
"""Numbers that each Gaussian has in each tensor."""


@dataclass(frozen=True)
class SignedGaussians:
    """r(x) = sum_i rho_i exp(-1/2 (x - m_i)^T S_i^-1 (x - m_i)), rho_i = PReLU(z_i).

    Attributes:
        means: (x, y, z) in mm from the volume's centre, see `physics.projection.beam.ParallelBeam`.
        log_scales: logarithm of the standard deviations in mm along each Gaussian's own axes.
        quats: rotation of those axes, wxyz, not necessarily of unit length.
        z: density before activation, 1/mm, of either sign.
        slope: PReLU's slope for negative z, above 0.
        activation: in PReLU's place where the two are compared.
    """

    means: Float[Tensor, "n 3"]
    log_scales: Float[Tensor, "n 3"]
    quats: Float[Tensor, "n 4"]
    z: Float[Tensor, " n"]
    slope: Float[Tensor, ""]
    activation: Activation = field(default=PRELU)

    def __post_init__(self) -> None:
        """Refuse tensors that do not belong together.

        Raises:
            GeometryError: shapes differ, a value is not finite, or the slope is not positive.
        """
        n = self.z.shape[0]
        for name, width in WIDTHS.items():
            tensor = getattr(self, name)
            if tensor.shape != (n, *width):
                raise GeometryError(
                    f"{name} of {n} Gaussians must have shape {(n, *width)}, got {tuple(tensor.shape)}"
                )
            if not torch.isfinite(tensor).all():
                raise GeometryError(
                    f"{name} must be finite; the fit that made them has diverged, lower its rates"
                )
        if not float(self.slope.detach()) > 0:
            raise GeometryError(
                f"the slope for negative densities must be above 0, got {float(self.slope.detach())}"
            )

    def __len__(self) -> int:
        """Number of Gaussians."""
        return int(self.z.shape[0])

    @property
    def density(self) -> Float[Tensor, " n"]:
        """Value at each centre, 1/mm."""
        return self.activation.density(self.z, self.slope)

    @property
    def tensors(self) -> dict[str, Tensor]:
        """All that is learnt, by name."""
        return {name: getattr(self, name) for name in (*WIDTHS, "slope")}

    def select(self, chosen: Tensor) -> "SignedGaussians":
        """The Gaussians that an index or a mask names."""
        return self._with({name: getattr(self, name)[chosen] for name in WIDTHS})

    def to(self, device: torch.device) -> "SignedGaussians":
        """The same field on another device."""
        return self._with({name: tensor.to(device) for name, tensor in self.tensors.items()})

    def detached(self) -> "SignedGaussians":
        """A copy without gradients."""
        return self._with({name: tensor.detach().clone() for name, tensor in self.tensors.items()})

    def _with(self, tensors: dict[str, Any]) -> "SignedGaussians":
        return replace(self, **tensors)


def joined(fields: Sequence[SignedGaussians]) -> SignedGaussians:
    """The sum of fields of one activation, with the slope of the first.

    Raises:
        GeometryError: there is no field.
    """
    if not fields:
        raise GeometryError("at least one field is needed, got none")
    if len(fields) == 1:
        return fields[0]
    first = fields[0]
    z = [first.activation.inverse(one.density, first.slope) for one in fields]
    tensors: dict[str, Any] = {name: torch.cat([getattr(one, name) for one in fields]) for name in WIDTHS}
    return replace(first, **{**tensors, "z": torch.cat(z)})

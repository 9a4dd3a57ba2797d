"""The residual field: Gaussians in millimetres whose density may be negative."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from nullsplat.core.errors import GeometryError, UnreadableFile

FORMAT = "nullsplat-signed-gaussians-1"
_WIDTHS = {"means": (3,), "log_scales": (3,), "quats": (4,), "z": ()}


@dataclass(frozen=True)
class SignedGaussians:
    """r(x) = sum_i rho_i exp(-1/2 (x - m_i)^T S_i^-1 (x - m_i)), rho_i = PReLU(z_i).

    Attributes:
        means: (x, y, z) in mm from the volume's centre, see `physics.beam.ParallelBeam`.
        log_scales: logarithm of the standard deviations in mm along each Gaussian's own axes.
        quats: rotation of those axes, wxyz, not necessarily of unit length.
        z: density before activation, 1/mm, of either sign.
        slope: PReLU's slope for negative z, above 0.
    """

    means: Float[Tensor, "n 3"]
    log_scales: Float[Tensor, "n 3"]
    quats: Float[Tensor, "n 4"]
    z: Float[Tensor, " n"]
    slope: Float[Tensor, ""]

    def __post_init__(self) -> None:
        """Refuse tensors that do not belong together.

        Raises:
            GeometryError: shapes differ, a value is not finite, or the slope is not positive.
        """
        n = self.z.shape[0]
        for name, width in _WIDTHS.items():
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
        return prelu(self.z, self.slope)

    def select(self, chosen: Tensor) -> "SignedGaussians":
        """The Gaussians that an index or a mask names."""
        return SignedGaussians(
            self.means[chosen], self.log_scales[chosen], self.quats[chosen], self.z[chosen], self.slope
        )

    def to(self, device: torch.device) -> "SignedGaussians":
        """The same field on another device."""
        return SignedGaussians(*(tensor.to(device) for tensor in self._tensors().values()))

    def save(self, path: Path) -> None:
        """Write the field as safetensors."""
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self._tensors().items()}
        save_file(tensors, path, metadata={"format": FORMAT})

    @staticmethod
    def load(path: Path) -> "SignedGaussians":
        """Read what `save` wrote.

        Raises:
            UnreadableFile: there is no such file, or it holds something else.
        """
        try:
            with safe_open(path, framework="pt") as file:
                found = (file.metadata() or {}).get("format")
                if found != FORMAT:
                    raise UnreadableFile(
                        f"{path} must hold {FORMAT}, its header says {found}; fit the field again"
                    )
                return SignedGaussians(*(file.get_tensor(name) for name in (*_WIDTHS, "slope")))
        except (OSError, SafetensorError) as error:
            raise UnreadableFile(f"{path} must be a safetensors file of signed Gaussians: {error}") from error

    def _tensors(self) -> dict[str, Tensor]:
        return {name: getattr(self, name) for name in (*_WIDTHS, "slope")}


def prelu(z: Float[Tensor, "*shape"], slope: Float[Tensor, ""]) -> Float[Tensor, "*shape"]:
    """Density of a pre-activation: z where positive, slope * z where negative."""
    return torch.where(z >= 0, z, slope * z)


def inverse_prelu(density: Float[Tensor, "*shape"], slope: Float[Tensor, ""]) -> Float[Tensor, "*shape"]:
    """The pre-activation that gives a density, for a slope above 0."""
    return torch.where(density >= 0, density, density / slope)

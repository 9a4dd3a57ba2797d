"""How the wanted volume became the measured one, in 3D and as seen by projections."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.errors import GeometryError
from nullsplat.core.volume import Geometry
from nullsplat.physics.degradation import Separable, degradation_for
from nullsplat.physics.point_spread import PointSpread
from nullsplat.physics.projection.beam import ParallelBeam, beam_for
from nullsplat.physics.projection.projector import Projector
from nullsplat.pipeline.config import PipelineConfig

_SEEN = 0.02
_MARGIN = 4


@dataclass(frozen=True)
class ForwardModel:
    """Operators between the measured and the wanted grid.

    Attributes:
        lr: grid of the measured volume.
        hr: grid of the wanted volume; same extent and centre.
        volume_op: D, from the wanted to the measured volume.
        lr_beam: beam that looks at the measured volume.
        hr_beam: the same views with the wanted detector resolution.
        projection_op: A = Az (x) Au, from wanted to measured projections; it commutes with projecting.
        in_plane: point-spread function of a pixel, and so of a detector column.
    """

    lr: Geometry
    hr: Geometry
    volume_op: Separable
    lr_beam: ParallelBeam
    hr_beam: ParallelBeam
    projection_op: Separable
    in_plane: PointSpread

    def project_lr(self, mu: Float[Tensor, "z y x"]) -> Float[Tensor, "v m n"]:
        """Projections of the measured volume (1/mm): unitless."""
        return Projector(self.lr_beam, self.lr.shape, self.lr.spacing).forward(mu)

    def project_hr(self, mu: Float[Tensor, "z y x"]) -> Float[Tensor, "v z u"]:
        """Projections of a volume on the wanted grid (1/mm): unitless."""
        return Projector(self.hr_beam, self.hr.shape, self.hr.spacing).forward(mu)

    def project_hr_constant(self, mu: float) -> Float[Tensor, "v 1 u"]:
        """Projections of a volume on the wanted grid that is the same everywhere (1/mm), each row alike: unitless."""
        slice_ = (1, *self.hr.shape[1:])
        return Projector(replace(self.hr_beam, rows=1), slice_, self.hr.spacing).forward(
            torch.full(slice_, mu)
        )

    def narrowed(self, lr_projections: Float[Tensor, "v m n"]) -> "ForwardModel":
        """The same model with a detector that ends where nothing is seen any more, symmetric about its middle."""
        level = _SEEN * float(lr_projections.max())
        seen = (lr_projections.amax(dim=(0, 1)) > level).nonzero()[:, 0]
        columns = self.lr_beam.columns
        if len(seen) == 0:
            return self
        spare = min(int(seen.min()), columns - 1 - int(seen.max())) - _MARGIN
        return self.with_columns(columns - 2 * max(spare, 0))

    def centre_columns(
        self, lr_projections: Float[Tensor, "v m n"], narrow: "ForwardModel"
    ) -> Float[Tensor, "v m k"]:
        """The columns of this model's measured projections that the detector of `narrow` keeps."""
        dropped = (self.lr_beam.columns - narrow.lr_beam.columns) // 2
        return lr_projections[:, :, dropped : dropped + narrow.lr_beam.columns].contiguous()

    def with_columns(self, columns: int) -> "ForwardModel":
        """The same model with another number of detector columns on the measured side."""
        in_plane = self.hr.shape[2] / self.lr.shape[2]
        hr_columns = round(columns * in_plane)
        lr_beam = replace(self.lr_beam, columns=columns)
        hr_beam = replace(
            lr_beam,
            rows=self.hr.shape[0],
            row_spacing=self.hr.spacing[0],
            columns=hr_columns,
            column_spacing=lr_beam.column_spacing * columns / hr_columns,
        )
        along_u = degradation_for((columns,), (hr_columns / columns,), self.in_plane).axes[0]
        projection_op = Separable(self.volume_op.axes[0], along_u)
        return replace(self, lr_beam=lr_beam, hr_beam=hr_beam, projection_op=projection_op)


def forward_model(lr: Geometry, config: PipelineConfig) -> ForwardModel:
    """The operators for a measured grid.

    Raises:
        GeometryError: in-plane refinement of pixels that are not square, which projections cannot separate.
    """
    scale = config.scale
    if scale[1] > 1 and abs(lr.spacing[1] / lr.spacing[2] - 1) > 1e-3:
        raise GeometryError(
            f"in-plane refinement needs square pixels, got {lr.spacing[1]:.4g} x {lr.spacing[2]:.4g} mm; "
            "refine along z alone (scale Z,1,1) or resample the series first"
        )
    spreads = config.assumed.point_spreads(lr.spacing)
    volume_op = degradation_for(lr.shape, scale, spreads)
    nz, ny, nx = volume_op.hr_shape
    lr_beam = beam_for(lr.shape, lr.spacing, config.views)
    empty = ForwardModel(lr, lr.resampled((nz, ny, nx)), volume_op, lr_beam, lr_beam, volume_op, spreads[2])
    return empty.with_columns(lr_beam.columns)

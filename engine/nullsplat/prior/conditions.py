"""What the block prior is told of its task: factor, point spread and spacing along each axis, noise, and what is missing."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.volume import Axes3
from nullsplat.physics.axis import AxisOperator
from nullsplat.physics.degradation import Separable

CONDITIONS = 11
"""Numbers that condition the network, see `Conditions.along`."""

_NOISE_HU = 20.0
_UNIT_HU = 100.0


@dataclass(frozen=True)
class Conditions:
    """One volume's task.

    Attributes:
        factors: voxels per sample along (z, y, x).
        spreads: standard deviation of the point-spread function along (z, y, x), in distances between samples; 0
            where an axis is left alone.
        spacing: of the voxels along (z, y, x), mm.
        noise_hu: standard deviation of the noise in the measured volume.
        unit_hu: `residual.residual_unit` of the volume, HU.
    """

    factors: Axes3
    spreads: Axes3
    spacing: Axes3
    noise_hu: float
    unit_hu: float

    def along(self, normal: int, rows: int, columns: int) -> tuple[float, ...]:
        """`CONDITIONS` numbers of order 1 for slabs whose axes are these of (z, y, x)."""
        order = (normal, rows, columns)
        factors = [math.log2(self.factors[i]) / 2 for i in order]
        spreads = [2 * self.spreads[i] for i in order]
        spacing = [math.log2(self.spacing[i]) for i in order]
        unit = math.log2(max(self.unit_hu, 1.0) / _UNIT_HU) / 2
        return (*factors, *spreads, *spacing, self.noise_hu / _NOISE_HU, unit)


def conditions_of(op: Separable, spacing: Axes3, noise_hu: float, unit_hu: float) -> Conditions:
    """What is asked of a volume.

    Args:
        op: the degradation along (z, y, x).
        spacing: of the wanted voxels, mm.
        noise_hu: standard deviation of the noise in the measured volume.
        unit_hu: `residual.residual_unit`, HU.
    """
    z, y, x = op.axes
    return Conditions(
        (z.scale, y.scale, x.scale), (_spread(z), _spread(y), _spread(x)), spacing, noise_hu, unit_hu
    )


def _spread(axis: AxisOperator) -> float:
    """Standard deviation of the weights of the middle sample, whatever their family."""
    if axis.is_identity:
        return 0.0
    weights = axis.factor("matrix", torch.zeros((), dtype=torch.float64))[axis.n_lr // 2].numpy()
    voxels = np.arange(axis.n_hr)
    centre = float(weights @ voxels)
    return math.sqrt(max(float(weights @ (voxels - centre) ** 2), 0.0)) / axis.scale


def phase(n_lr: int, n_hr: int) -> Float[Tensor, " hr"]:
    """Where voxels lie between samples: -1 at the centre of one, 1 between two, 0 where an axis is left alone."""
    if n_lr == n_hr:
        return torch.zeros(n_hr)
    return torch.cos(2 * math.pi * (torch.arange(n_hr) + 0.5) * (n_lr / n_hr))

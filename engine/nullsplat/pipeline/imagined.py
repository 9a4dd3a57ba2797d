"""What of a result was not measured: its part in the null space, and how far the samples differ."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.tissue import TISSUE_HU
from nullsplat.core.units import LOWEST_HU
from nullsplat.core.volume import Volume
from nullsplat.physics.null_space import null_space_part
from nullsplat.physics.upsampling import upsample_cubic
from nullsplat.pipeline.config import PipelineConfig
from nullsplat.pipeline.forward_model import ForwardModel, forward_model


def null_space_change(
    hu: Float[Tensor, "z y x"], lr_hu: Float[Tensor, "m n o"], model: ForwardModel
) -> Float[Tensor, "z y x"]:
    """(I - D^+ D)(x - c) in HU: what was added to cubic interpolation c that no measurement can confirm or deny.

    Args:
        hu: the result x.
        lr_hu: measured volume in HU.
        model: the operators.
    """
    return null_space_part(hu - upsample_cubic(lr_hu, model.hr.shape), model.volume_op)


def null_space_volume(result: Volume, source: Volume, config: PipelineConfig, device: torch.device) -> Volume:
    """The same for the result of a run; computed again, which is quicker than to keep it.

    Args:
        result: the super-resolved volume.
        source: the measured one.
        config: of the run.
        device: where to compute.
    """
    model = forward_model(source.geometry, config)
    lr_hu = torch.from_numpy(source.hu).to(device).clamp(min=LOWEST_HU)
    change = null_space_change(torch.from_numpy(result.hu).to(device), lr_hu, model)
    return Volume(change.cpu().numpy(), model.hr)


def rms_by_tissue(values: Float[Tensor, "z y x"], hu: Float[Tensor, "z y x"]) -> dict[str, float]:
    """Root mean square of values where a volume shows lung, soft tissue and bone; without those that it lacks.

    Args:
        values: in any unit, which the result has as well.
        hu: volume in HU on the same grid.
    """
    squares = dict.fromkeys(TISSUE_HU, 0.0)
    voxels = dict.fromkeys(TISSUE_HU, 0)
    for value, shown in zip(values, hu, strict=True):  # one slice at a time, so that masks stay small
        for tissue, (low, high) in TISSUE_HU.items():
            chosen = value[(shown >= low) & (shown <= high)].double()
            squares[tissue] += float(chosen.square().sum())
            voxels[tissue] += chosen.numel()
    return {tissue: math.sqrt(squares[tissue] / n) for tissue, n in voxels.items() if n > 0}

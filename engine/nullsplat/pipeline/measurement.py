"""The measured volume of a run as its stages use it."""

import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.units import LOWEST_HU
from nullsplat.pipeline.config import PipelineConfig
from nullsplat.pipeline.forward_model import ForwardModel, forward_model
from nullsplat.pipeline.workspace import Workspace


def measured(
    ws: Workspace, config: PipelineConfig, device: torch.device
) -> tuple[Float[Tensor, "m n o"], ForwardModel]:
    """The source in HU on the device, nothing below the lowest HU, and the operators for its grid.

    Raises:
        UnreadableFile: the workspace has no source.
        GeometryError: the source's grid cannot be refined as asked.
    """
    hu = ws.load_tensor("source", "hu", device).contiguous().clamp_(min=LOWEST_HU)
    return hu, forward_model(ws.source_geometry(), config)

"""From a prior on disk to the pipeline that fits its kind."""

import torch
from diffusers import UNet2DModel

from nullsplat.prior import weights
from nullsplat.prior.block.network import is_block_unet
from nullsplat.prior.block.pipeline import BlockPipeline
from nullsplat.prior.slab.network import is_slab_unet
from nullsplat.prior.slab.pipeline import SlabPipeline
from nullsplat.prior.xray.pipeline import ProjectionDDNMPipeline

Prior = BlockPipeline | SlabPipeline | ProjectionDDNMPipeline
"""Every kind of prior that there is."""


def load_prior(prior: str, device: torch.device) -> Prior | None:
    """The verified prior, ready on a device; None for `weights.NONE`.

    Args:
        prior: a packaged name or a folder, see `weights.locate`.
        device: where it is to work.

    Raises:
        WeightsError: there is no such prior, or it is damaged.
    """
    if prior == weights.NONE:
        return None
    unet, scheduler = weights.load(weights.locate(prior))
    pipeline = _kind(unet)(unet, scheduler)
    pipeline.to(device)
    return pipeline


def _kind(unet: UNet2DModel) -> type[Prior]:
    if is_block_unet(unet):
        return BlockPipeline
    return SlabPipeline if is_slab_unet(unet) else ProjectionDDNMPipeline

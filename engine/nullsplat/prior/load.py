"""From a prior on disk to the pipeline that fits its kind."""

import torch
from diffusers import UNet2DModel

from nullsplat.core.errors import ConfigurationError, WeightsError
from nullsplat.prior import weights
from nullsplat.prior.block.network import is_block_unet
from nullsplat.prior.block.pipeline import BlockPipeline
from nullsplat.prior.xray.pipeline import ProjectionDDNMPipeline

Prior = BlockPipeline | ProjectionDDNMPipeline
"""Every kind of prior that there is."""

_XRAY_CHANNELS = {(1, 1), (3, 3)}
"""Of networks of X-rays: grey, or grey in the channels of colour, as converted ones are."""


def load_prior(prior: str, device: torch.device) -> Prior | None:
    """The verified prior, ready on a device; None for `weights.NONE`.

    Args:
        prior: a packaged name or a folder, see `weights.locate`.
        device: where it is to work.

    Raises:
        WeightsError: there is no such prior, it is damaged, or it is of a kind that this version does not know.
    """
    if prior == weights.NONE:
        return None
    unet, scheduler = weights.load(weights.locate(prior))
    pipeline = _kind(unet, prior)(unet, scheduler)
    pipeline.to(device)
    return pipeline


def network_of(prior: str | None, kind: type[Prior]) -> UNet2DModel | None:
    """The network of a prior of one kind, to go on training from; None for None.

    Raises:
        ConfigurationError: it is of another kind.
        WeightsError: there is no such prior, or it is damaged.
    """
    if prior is None:
        return None
    unet, _ = weights.load(weights.locate(prior))
    if _kind(unet, prior) is not kind:
        raise ConfigurationError(
            f"{prior!r} is a prior of another kind than the one to train; name another, or none to start afresh"
        )
    return unet


def _kind(unet: UNet2DModel, prior: str) -> type[Prior]:
    if is_block_unet(unet):
        return BlockPipeline
    channels = unet.config.in_channels, unet.config.out_channels
    if channels in _XRAY_CHANNELS:
        return ProjectionDDNMPipeline
    raise WeightsError(
        f"a prior must be one of blocks of slabs or of X-rays, {prior} has {channels[0]} channels in and {channels[1]} out; "
        "one of single slabs, as earlier versions made them, must be retrained by `nullsplat train-slab-prior`"
    )

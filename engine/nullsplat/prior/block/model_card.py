"""The model card of a block prior, and its picture: what it makes of slabs that it has not seen."""

from pathlib import Path

import torch
from diffusers import UNet2DModel
from matplotlib.figure import Figure

from nullsplat.prior import weights
from nullsplat.prior.block.passes import CropRefinement, refine_crops
from nullsplat.prior.block.pool import Crop, PairPool
from nullsplat.prior.model_card import SAMPLES_FIGURE, Origin, Wording, write_card

BLOCKS = Wording(
    what="""A diffusion model (DDPM, prediction of the clean image, linear beta schedule) of blocks of four neighbouring slices
of CT volumes, cut across any axis, {parameters:.2f} million parameters. It is conditioned on what physics alone can give: the
cubic interpolation of a measured volume and its regularised reconstruction; and on what is asked: factor, point-spread
function and spacing along each axis, noise. One evaluation gives the expectation of what they lack and the bounds between
which 90 % of the truth is to lie (as it states them; `calibration.json`, where there is one, stretches them); several give samples.
`training_range.json`, where there is one, holds what its training has shown it: a series outside is answered with a warning. NullSplat's
stage 1 cuts the volume across y and x and takes the mean of both answers, refines that across z where rows and columns are refined too,
and constrains the result to be consistent with the measurement.""",
    inputs="two volumes made of a measured one by physics alone, factor, point spread, spacing and noise",
    outputs="the expectation of what they lack, and the bounds between which 90 % of the truth is to lie",
    loss_judges="how well crops of training-like volumes are refined",
    counts={"ct_volumes": "CT volumes", "pairs": "degraded volumes that are always the same"},
    data="""Truths are CT volumes at random pixel sizes, kernels, crops and orientations (a third with rows as
slices), half of them clipped to [-512, 3071] HU. They are degraded by NullSplat's own operators, a
new volume every few steps: along z only (65 %: factors of 1.6 to 8, also non-integer; bell, box or Gaussian profiles with
slices 0.75 to 2 times as thick as they are far apart; sometimes with a thickness that is known 10 % wrong) or along all axes
(factors of 2 to 8), six in ten with slices whose thickness and place change smoothly from point to point, two thirds with noise of 3 to 40 HU, white or correlated. No measured pairs are used.""",
    loss="""Training: mean squared error of the clean residual in units of what regularisation gained on cubic
interpolation, over all noise levels, plus the pinball loss of both bounds. Validation: averaged weights, posterior mean of
two passes, relative to the base: 1 is the base itself, 0.8 is 1 dB better; the same crops each time, over all tasks.""",
    pictures="""Crops of validation volumes, drawn at random, not chosen. From left to right: cubic interpolation, base,
posterior mean of two passes, truth. Rows of an image are the axis along which most is missing.""",
)

_ROWS = 5
_SEED = 3


def write_block_card(folder: Path, origin: Origin, validation: PairPool) -> Path:
    """Write the card and its two figures beside the weights.

    Args:
        folder: a prior as `PriorTraining` exports it.
        origin: what the manifest does not know.
        validation: where the examples come from.

    Raises:
        WeightsError: the prior in `folder` is incomplete or damaged.
    """
    unet, _ = weights.load(folder)
    _plot_examples(unet, validation.draw(_ROWS, _SEED), folder / SAMPLES_FIGURE)
    return write_card(folder, origin, BLOCKS, sum(p.numel() for p in unet.parameters()))


def _plot_examples(unet: UNet2DModel, drawn: list[Crop], path: Path) -> None:
    figure = Figure(figsize=(8, 2.9 * len(drawn)), layout="constrained")
    grid = figure.subplots(len(drawn), 4, squeeze=False)
    for row, crop in zip(grid, drawn, strict=True):
        images = [
            volume[:, volume.shape[1] // 2]
            for volume in (crop.cubic, crop.base, _refined(unet, crop), crop.truth)
        ]
        low, high = float(images[-1].min()), float(images[-1].max())
        for axes, image in zip(row, images, strict=True):
            axes.imshow(image.numpy(), cmap="gray", vmin=low, vmax=high)
            axes.set_axis_off()
    for axes, title in zip(grid[0], ("cubic", "base", "mean", "truth"), strict=True):
        axes.set_title(title, fontsize=9)
    figure.savefig(path, dpi=100)


@torch.no_grad()
def _refined(unet: UNet2DModel, crop: Crop) -> torch.Tensor:
    refinement = CropRefinement(crop, unet.device)
    refine_crops(unet, [refinement])
    return refinement.estimate

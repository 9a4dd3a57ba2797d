"""The model card of a slab prior, and its picture: what it makes of slabs that it has not seen."""

from pathlib import Path

import torch
from matplotlib.figure import Figure

from nullsplat.core.seeds import torch_generator
from nullsplat.prior import weights
from nullsplat.prior.model_card import SAMPLES_FIGURE, Origin, Wording, write_card
from nullsplat.prior.slab.network import PROJECTION
from nullsplat.prior.slab.pipeline import SlabPipeline
from nullsplat.prior.slab.pool import SlabBatch, SlabPool
from nullsplat.prior.slab.sampling import SlabSampling

SLAB = Wording(
    what="""A diffusion model (DDPM, prediction of the clean image, linear beta schedule) of slabs of CT volumes, from one voxel
thick to projections of the whole body, {parameters:.2f} million parameters. It is conditioned on what physics alone can
give: the cubic interpolation of a measured volume and its regularised reconstruction. One evaluation gives the
expectation of what they lack, several give samples. NullSplat's stage 1 averages its answers for slabs in several
orientations and holds them to the measurement.""",
    loss_judges="how well\nslabs of training-like volumes are refined",
    counts={"pairs": "degraded volumes"},
    data="""Truths are CT volumes at random pixel sizes, crops and orientations (sometimes with rows
as slices), half of them clipped to [-512, 3071] HU; they are degraded by random factors of 2 to 8, along z only or
along all axes, most with noise of 4 to 40 HU, by NullSplat's own operators. No measured pairs are used.""",
    loss="""Training: mean squared error of the clean residual in units of what regularisation gained on cubic interpolation, over
all noise levels. Validation: averaged weights, posterior mean, relative to the base: 1 is the base itself, 0.8 is
1 dB better; the same crops each time, over all factors and noises.""",
    pictures="""Crops of validation volumes, drawn at random, not chosen. From left to right: cubic interpolation, base, posterior mean,
one sample, truth. The last row is a projection.""",
)

_ROWS = 4


def write_slab_card(folder: Path, origin: Origin, validation: SlabPool) -> Path:
    """Write the card and its two figures beside the weights.

    Args:
        folder: a prior as `PriorTraining` exports it.
        origin: what the manifest does not know.
        validation: where the examples come from.

    Raises:
        WeightsError: the prior in `folder` is incomplete or damaged.
    """
    unet, scheduler = weights.load(folder)
    _plot_examples(SlabPipeline(unet, scheduler), validation, folder / SAMPLES_FIGURE)
    return write_card(folder, origin, SLAB, sum(p.numel() for p in unet.parameters()))


def _plot_examples(prior: SlabPipeline, validation: SlabPool, path: Path) -> None:
    drawn = validation.draw(32, seed=0)
    thin = [i for i in range(32) if drawn.thickness[i] == 1][: _ROWS - 1]
    projections = [i for i in range(32) if drawn.thickness[i] == PROJECTION][:1]
    chosen = thin + projections
    figure = Figure(figsize=(10, 2 * len(chosen)), layout="constrained")
    grid = figure.subplots(len(chosen), 5, squeeze=False)
    for row, i in zip(grid, chosen, strict=True):
        images = _example(prior, drawn, i)
        low, high = float(images[-1].min()), float(images[-1].max())
        for axes, image in zip(row, images, strict=True):
            axes.imshow(image.numpy(), cmap="gray", vmin=low, vmax=high)
            axes.set_axis_off()
    for axes, title in zip(grid[0], ("cubic", "base", "mean", "sample", "truth"), strict=True):
        axes.set_title(title, fontsize=9)
    figure.savefig(path, dpi=100)


def _example(prior: SlabPipeline, drawn: SlabBatch, i: int) -> list[torch.Tensor]:
    """Cubic, base, posterior mean, one sample and truth of one crop, in network range."""
    known, thickness = drawn.known[i : i + 1], float(drawn.thickness[i])
    unit = float(drawn.unit[i])
    base = known[0, 1]
    config = SlabSampling()
    mean = prior.refine(known, thickness, config)[0] * unit
    sample = prior.refine(known, thickness, config, [torch_generator(0, "card", i)])[0] * unit
    return [base - known[0, 3] * unit, base, base + mean, base + sample, base + drawn.residual[i] * unit]

"""The model card of an X-ray prior, with what it draws when nothing holds it."""

from pathlib import Path

import torch
from diffusers import DDIMScheduler, UNet2DModel
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from nullsplat.core.seeds import torch_generator
from nullsplat.prior import weights
from nullsplat.prior.model_card import SAMPLES_FIGURE, Origin, Wording, write_card

COUNT = 8
"""Samples on the card."""

STEPS = 50
"""Network evaluations per sample."""


XRAY = Wording(
    what="""An unconditional diffusion model (DDPM, velocity prediction, linear beta schedule) of two-dimensional X-ray projections,
{parameters:.2f} million parameters. NullSplat's stage 1 samples it under the constraint of measured projections (DDNM,
DDNM+): it may add what the measurement cannot see, and must keep what was measured.""",
    inputs="projections with noise, and how much noise it is",
    outputs="the velocity between them and the noise",
    loss_judges="how well image and noise are told apart",
    counts={
        "radiographs": "radiographs",
        "radiograph_patients": "patients with radiographs",
        "ct_volumes": "CT volumes, projected",
    },
    data="""Radiographs are taken as line integrals after log and display processing; CT volumes are
projected with a parallel beam about the long axis. Both are scaled to [-1, 1].""",
    loss="""Mean squared error of the predicted velocity, which is the noise where there is little of it and the image where there is
much. Training: mean since the row before in the manifest, weights as they were. Validation: averaged weights, the same crops and noise each time.""",
    pictures="""Drawn from pure noise, without any measurement; all that were drawn are shown. With a low noise power above 1 the
network trained less at the high noise levels that they start from, where the measurement holds all coarse structure.""",
)


def write_model_card(folder: Path, origin: Origin) -> Path:
    """Write the card of an X-ray prior and its two figures beside the weights.

    Args:
        folder: a prior as `PriorTraining` exports it.
        origin: what the manifest does not know.

    Returns:
        The card.

    Raises:
        WeightsError: the prior in `folder` is incomplete or damaged.
    """
    manifest = weights.manifest(folder)
    unet, scheduler = weights.load(folder)
    size = tuple(manifest["config"]["augmentation"]["size"])
    _plot_samples(draw_samples(unet, scheduler, size), folder / SAMPLES_FIGURE)
    return write_card(folder, origin, XRAY, sum(p.numel() for p in unet.parameters()))


@torch.no_grad()
def draw_samples(
    unet: UNet2DModel,
    scheduler: DDIMScheduler,
    size: tuple[int, int],
    seed: int = 0,
) -> Float[Tensor, "b z u"]:
    """`COUNT` unconditional samples in network range, by DDIM without fresh noise in `STEPS` steps.

    Args:
        unet: a network of X-ray images.
        scheduler: the schedule it was trained with.
        size: pixels along (z, u), multiples of what the network's down-sampling needs.
        seed: of the initial noise.
    """
    scheduler.set_timesteps(STEPS)
    x = torch.randn((COUNT, 1, *size), generator=torch_generator(seed, "model card"))
    for t in scheduler.timesteps:
        x = scheduler.step(unet(x, t).sample, t, x, eta=0.0).prev_sample
    return x[:, 0]


def _plot_samples(samples: Float[Tensor, "b z u"], path: Path) -> None:
    """Write images side by side, four in a row, black at -1 and white at 1."""
    rows = -(-len(samples) // 4)
    figure = Figure(figsize=(10, 10 / 4 * rows * samples.shape[1] / samples.shape[2]), layout="constrained")
    for axes, image in zip(figure.subplots(rows, 4, squeeze=False).flat, samples, strict=False):
        axes.imshow(image.numpy(), cmap="gray", vmin=-1, vmax=1)
    for axes in figure.axes:
        axes.set_axis_off()
    figure.savefig(path, dpi=100)

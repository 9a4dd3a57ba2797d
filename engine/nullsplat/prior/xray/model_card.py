"""The model card of an X-ray prior, with what it draws when nothing holds it, and when a measurement does."""

from pathlib import Path

import torch
from diffusers import DDIMScheduler, UNet2DModel
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from nullsplat.core.seeds import torch_generator
from nullsplat.physics.degradation import degradation_for
from nullsplat.prior import weights
from nullsplat.prior.model_card import SAMPLES_FIGURE, Origin, Wording, write_card
from nullsplat.prior.xray.pipeline import Measurement, ProjectionDDNMPipeline
from nullsplat.prior.xray.sampling import SamplingConfig

COUNT = 8
"""Unconditional samples on the card."""

STEPS = 50
"""Network evaluations per sample."""

SCALE = 4
"""How much coarser than the truth the measurements on the card are."""

HELD = 4
"""Validation images on the card; one column for each."""

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
    pictures="""First two rows: drawn from pure noise, without any measurement. With a low noise power above 1 the
network trained less at the high noise levels that they start from, where the measurement holds all coarse structure. Below, validation images:
measured with a quarter of their pixels along both axes; one sample that starts from pure noise too, and agrees with that measurement; the truth.
All that were drawn are shown.""",
)


def write_model_card(folder: Path, origin: Origin, truths: Float[Tensor, "b 1 z u"]) -> Path:
    """Write the card of an X-ray prior and its two figures beside the weights.

    Args:
        folder: a prior as `PriorTraining` exports it.
        origin: what the manifest does not know.
        truths: validation images in network range, sides multiples of `SCALE`, to be measured and sampled on the card.

    Returns:
        The card.

    Raises:
        WeightsError: the prior in `folder` is incomplete or damaged.
    """
    manifest = weights.manifest(folder)
    unet, scheduler = weights.load(folder)
    size = tuple(manifest["config"]["augmentation"]["size"])
    free = draw_samples(unet, scheduler, size)
    _plot(torch.cat((free, *held_samples(unet, scheduler, truths[:, 0]))), folder / SAMPLES_FIGURE)
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


def held_samples(
    unet: UNet2DModel, scheduler: DDIMScheduler, truths: Float[Tensor, "b z u"]
) -> tuple[Float[Tensor, "b z u"], Float[Tensor, "b z u"], Float[Tensor, "b z u"]]:
    """What was measured (each pixel repeated), a sample of the method as published, the truth; in network range."""
    measured_shape = [side // SCALE for side in truths.shape[1:]]
    op = degradation_for(measured_shape, (SCALE, SCALE))
    y = op.forward(truths)
    sampler = ProjectionDDNMPipeline(unet, scheduler)
    sampled = sampler(Measurement(y, op, sigma_y=0.0), SamplingConfig(steps=STEPS)).mean
    return y.repeat_interleave(SCALE, dim=1).repeat_interleave(SCALE, dim=2), sampled, truths


def _plot(images: Float[Tensor, "b z u"], path: Path) -> None:
    """Write images side by side, `HELD` in a row, black at -1 and white at 1."""
    rows = -(-len(images) // HELD)
    height = 10 / HELD * rows * images.shape[1] / images.shape[2]
    figure = Figure(figsize=(10, height), layout="constrained")
    for axes, image in zip(figure.subplots(rows, HELD, squeeze=False).flat, images, strict=False):
        axes.imshow(image.numpy(), cmap="gray", vmin=-1, vmax=1)
    for axes in figure.axes:
        axes.set_axis_off()
    figure.savefig(path, dpi=100)

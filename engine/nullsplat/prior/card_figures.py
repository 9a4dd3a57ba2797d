"""The figures of a model card: loss over steps, and what the prior draws when nothing holds it."""

from pathlib import Path

import torch
from diffusers import DDIMScheduler, UNet2DModel
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from nullsplat.core.seeds import torch_generator
from nullsplat.prior.xray.network import predict

COUNT = 8
"""Samples on the card."""

STEPS = 50
"""Network evaluations per sample."""


@torch.no_grad()
def draw_samples(
    unet: UNet2DModel,
    scheduler: DDIMScheduler,
    size: tuple[int, int],
    seed: int = 0,
) -> Float[Tensor, "b z u"]:
    """`COUNT` unconditional samples in network range, by DDIM without fresh noise in `STEPS` steps.

    Args:
        unet: for which `is_xray_unet`.
        scheduler: the schedule it was trained with.
        size: pixels along (z, u), multiples of what the network's down-sampling needs.
        seed: of the initial noise.
    """
    scheduler.set_timesteps(STEPS)
    x = torch.randn((COUNT, 1, *size), generator=torch_generator(seed, "model card"))
    for t in scheduler.timesteps:
        x = scheduler.step(predict(unet, x, t), t, x, eta=0.0).prev_sample
    return x[:, 0]


def plot_samples(samples: Float[Tensor, "b z u"], path: Path) -> None:
    """Write images side by side, four in a row, black at -1 and white at 1."""
    rows = -(-len(samples) // 4)
    figure = Figure(figsize=(10, 10 / 4 * rows * samples.shape[1] / samples.shape[2]), layout="constrained")
    for axes, image in zip(figure.subplots(rows, 4, squeeze=False).flat, samples, strict=False):
        axes.imshow(image.numpy(), cmap="gray", vmin=-1, vmax=1)
    for axes in figure.axes:
        axes.set_axis_off()
    figure.savefig(path, dpi=100)


def plot_loss(history: list[dict[str, float]], path: Path) -> None:
    """Write the loss curves, both axes logarithmic."""
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    steps = [row["step"] for row in history]
    for name in ("train", "validation"):
        axes.plot(steps, [row[name] for row in history], marker=".", label=name)
    axes.set(xscale="log", yscale="log", xlabel="step", ylabel="loss")
    axes.grid(which="both", alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=100)

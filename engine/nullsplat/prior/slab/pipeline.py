"""The slab prior as a diffusers pipeline: what a volume lacks, by posterior mean or by samples."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from diffusers import DDIMScheduler, DiffusionPipeline, UNet2DModel
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.progress import Progress, silent
from nullsplat.core.seeds import torch_generator
from nullsplat.prior.precision import fast_bfloat16
from nullsplat.prior.residual import HU_UNIT, TINY, residual_unit
from nullsplat.prior.slab.network import FOLD, known_of, predict_residual
from nullsplat.prior.slab_sampling import MIRRORS, SlabSampling, noise_levels
from nullsplat.prior.task import Task
from nullsplat.prior.tiles import Tiling, in_tiles


@dataclass(frozen=True)
class SlabOutput:
    """What `SlabPipeline` gives.

    Attributes:
        hu: the base plus what its slabs lack, in HU.
    """

    hu: Float[Tensor, "z y x"]


class SlabPipeline(DiffusionPipeline):  # type: ignore[misc]
    """Predicts truth minus base from the base, in slabs along several axes.

    `save_pretrained` and `from_pretrained` are those of diffusers.
    """

    def __init__(self, unet: UNet2DModel, scheduler: DDIMScheduler) -> None:
        """Take a network of `build_slab_unet` and the schedule it was trained with."""
        super().__init__()
        self.register_modules(unet=unet, scheduler=scheduler)
        self.unet.to(memory_format=torch.channels_last)

    def __call__(
        self,
        base_hu: Float[Tensor, "z y x"],
        cubic_hu: Float[Tensor, "z y x"],
        config: SlabSampling | None = None,
        axes: Sequence[int] = (0, 1, 2),
        seed: int | None = None,
        progress: Progress = silent,
    ) -> SlabOutput:
        """`refine_along`, called as pipelines of diffusers are; without `config`, as the preset `preview` does it."""
        return SlabOutput(
            self.refine_along(base_hu, cubic_hu, config or SlabSampling(), axes, seed, progress)
        )

    def refine_volume(
        self,
        base_hu: Float[Tensor, "z y x"],
        cubic_hu: Float[Tensor, "z y x"],
        task: Task,
        config: SlabSampling,
        seed: int | None = None,
        progress: Progress = silent,
    ) -> Float[Tensor, "z y x"]:
        """`refine_along` those axes from which missing detail is seen, as stage 1 asks of any prior of volumes."""
        axes = (1, 2) if task.thick else (0, 1, 2)
        return self.refine_along(base_hu, cubic_hu, config, axes, seed, progress)

    @torch.no_grad()
    def refine_along(
        self,
        base_hu: Float[Tensor, "z y x"],
        cubic_hu: Float[Tensor, "z y x"],
        config: SlabSampling,
        axes: Sequence[int] = (0, 1, 2),
        seed: int | None = None,
        progress: Progress = silent,
    ) -> Float[Tensor, "z y x"]:
        """The base plus what its slabs lack, averaged over the axes along which it is cut into slabs, times `config.gain`.

        Args:
            base_hu: base volume in HU.
            cubic_hu: cubic interpolation of the measured volume, HU.
            config: how slabs are refined.
            axes: of (z, y, x).
            seed: of a sample; None gives the posterior mean, without random numbers.
            progress: told after every batch of slabs.

        Returns:
            HU, on the device of `base_hu`.
        """
        total = torch.zeros_like(base_hu)
        unit = max(residual_unit(base_hu, cubic_hu) / HU_UNIT, TINY)
        for i, axis in enumerate(axes):
            base, cubic = base_hu.movedim(axis, 0), cubic_hu.movedim(axis, 0)
            out = total.movedim(axis, 0)
            for chosen in _batches(base, config.batch):
                known = known_of(_neighbours(base, chosen) / HU_UNIT, cubic[chosen] / HU_UNIT, unit)
                noise = _generators(seed, axis, chosen)
                out[chosen] += self.refine(known, 1.0, config, noise) * (unit * HU_UNIT)
                fraction = (i + chosen.stop / len(base)) / len(axes)
                progress(fraction, f"axis {i + 1} of {len(axes)}")
        return base_hu + total * (config.gain / len(axes))

    @torch.no_grad()
    def refine(
        self,
        known: Float[Tensor, "b 4 h w"],
        thickness: float,
        config: SlabSampling,
        noise: list[torch.Generator] | None = None,
    ) -> Float[Tensor, "b h w"]:
        """What a batch of images lacks, in units of `residual.residual_unit`: the posterior mean, or a sample around it.

        Args:
            known: what the network is conditioned on, see `known_of`.
            thickness: of the slabs in voxels.
            config: steps of a sample, and tiles.
            noise: a generator for each image's sample; None gives the posterior mean.
        """
        last = int(self.scheduler.config.num_train_timesteps) - 1
        nothing = torch.zeros_like(known[:, 0])
        if noise is not None:
            mean = self._estimate(nothing, known, thickness, last, config)
            return self._sampled(mean, known, thickness, config, noise)
        found = [
            self._estimate(nothing, known.flip(axes), thickness, last, config).flip(axes)
            for axes in MIRRORS[config.mirrors]
        ]
        return torch.stack(found).mean(0)

    def _sampled(
        self,
        x0: Float[Tensor, "b h w"],
        known: Float[Tensor, "b 4 h w"],
        thickness: float,
        config: SlabSampling,
        noise: list[torch.Generator],
    ) -> Float[Tensor, "b h w"]:
        """Estimates of ever less noisy copies: each estimate is noised afresh for the next level."""
        for t in noise_levels(self.scheduler, config.steps):
            alpha = float(self.scheduler.alphas_cumprod[t])
            fresh = torch.stack([torch.randn(x0.shape[1:], generator=one) for one in noise]).to(x0.device)
            noisy = alpha**0.5 * x0 + (1 - alpha) ** 0.5 * fresh
            x0 = self._estimate(noisy, known, thickness, t, config)
        return x0

    def _estimate(
        self,
        noisy: Float[Tensor, "b h w"],
        known: Float[Tensor, "b 4 h w"],
        thickness: float,
        t: int,
        config: SlabSampling,
    ) -> Float[Tensor, "b h w"]:
        multiple = FOLD * 2 ** (len(self.unet.config.block_out_channels) - 1)
        timesteps = torch.full((len(known),), t, device=known.device)
        thicknesses = torch.full((len(known),), thickness, device=known.device)

        def predict(tile: Tensor) -> Tensor:
            with torch.autocast(known.device.type, torch.bfloat16, enabled=fast_bfloat16(known.device)):
                found = predict_residual(self.unet, tile[:, 0], tile[:, 1:], timesteps, thicknesses)
            return found.float()

        tiling = Tiling(config.tile, config.overlap, multiple)
        return in_tiles(predict, torch.cat([noisy[:, None], known], 1), tiling)


def _generators(seed: int | None, purpose: str | int, chosen: slice) -> list[torch.Generator] | None:
    """One for each image, so that its noise does not depend on which others go through at once; none without a seed."""
    if seed is None:
        return None
    return [torch_generator(seed, "slab", purpose, i) for i in range(chosen.start, chosen.stop)]


def _batches(images: Float[Tensor, "n h w"], batch: int) -> Iterator[slice]:
    """So many images at a time that their pixels are about `batch` times 256 x 256."""
    count = max(1, batch * 256**2 // images[0].numel())
    for first in range(0, len(images), count):
        yield slice(first, min(first + count, len(images)))


def _neighbours(base: Float[Tensor, "n h w"], chosen: slice) -> Float[Tensor, "b 3 h w"]:
    """The slabs before, here and after; the ends repeat themselves."""
    here = torch.arange(chosen.start, chosen.stop, device=base.device)
    before, after = (here - 1).clamp_min(0), (here + 1).clamp_max(len(base) - 1)
    return torch.stack([base[before], base[chosen], base[after]], 1)

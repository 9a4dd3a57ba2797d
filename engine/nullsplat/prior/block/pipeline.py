"""The block prior as a diffusers pipeline: what a volume lacks, by posterior mean or by samples."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial, reduce

import torch
from diffusers import DDIMScheduler, DiffusionPipeline, UNet2DModel
from jaxtyping import Float, Int
from torch import Tensor

from nullsplat.core.progress import Progress, part, parts, silent
from nullsplat.core.seeds import torch_generator
from nullsplat.prior.block.cutting import cut, image_axes, phase_image, rounds_of
from nullsplat.prior.block.network import BLOCK, FOLD, predict_residual
from nullsplat.prior.conditions import Conditions, conditions_of
from nullsplat.prior.precision import fast_bfloat16
from nullsplat.prior.residual import HU_UNIT, residual_unit
from nullsplat.prior.slab_sampling import MIRRORS, SlabSampling, noise_levels
from nullsplat.prior.task import Refinement, Task
from nullsplat.prior.tiles import Tiling, in_tiles

_BODY_HU = -800.0
_MARGIN = 8
_CPU_SHARE = 4
"""Part of `SlabSampling.batch` that a CPU takes at once, one in so many: larger tensors of a network are not kept by the C
library but given back and mapped anew each time, at a third of the cost of all the arithmetic (docs/adr/0025)."""
_TAPER = 1 - (torch.arange(BLOCK) + 0.5 - BLOCK / 2).abs() * 2 / BLOCK
"""Weights of a block's slabs, which add up to one with those of blocks that begin in the middle of it."""

Window3 = tuple[slice, slice, slice]
"""A box of voxels along (z, y, x)."""


class BlockPipeline(DiffusionPipeline):  # type: ignore[misc]
    """Predicts what a base lacks, in blocks of neighbouring slabs across all axes that show it.

    `save_pretrained` and `from_pretrained` are those of diffusers.
    """

    def __init__(self, unet: UNet2DModel, scheduler: DDIMScheduler) -> None:
        """Take a network of `build_block_unet` and the schedule it was trained with."""
        super().__init__()
        self.register_modules(unet=unet, scheduler=scheduler)
        self.unet.to(memory_format=torch.channels_last)

    def __call__(
        self,
        base_hu: Float[Tensor, "z y x"],
        cubic_hu: Float[Tensor, "z y x"],
        task: Task,
        config: SlabSampling | None = None,
        seed: int | None = None,
        progress: Progress = silent,
    ) -> Refinement:
        """`refine_volume`, called as pipelines of diffusers are; without `config`, as the preset `preview` does it."""
        return self.refine_volume(base_hu, cubic_hu, task, config or SlabSampling(), seed, progress)

    @torch.no_grad()
    def refine_volume(
        self,
        base_hu: Float[Tensor, "z y x"],
        cubic_hu: Float[Tensor, "z y x"],
        task: Task,
        config: SlabSampling,
        seed: int | None = None,
        progress: Progress = silent,
    ) -> Refinement:
        """The base plus what its slabs lack, round after round, see `cutting.rounds_of`.

        Air outside the body is left as it is. A sample is drawn across the last axis of the first round, around that
        round's mean; what is left of it is refined as the mean is.

        Args:
            base_hu: base volume in HU.
            cubic_hu: cubic interpolation of the measured volume, HU.
            task: what is asked.
            config: how slabs are refined.
            seed: of a sample; None gives the posterior mean, without random numbers.
            progress: called after every batch of blocks.

        Returns:
            On the device of `base_hu`; air that was left alone has an interval of no width.
        """
        conditions = conditions_of(task.op, task.spacing, task.noise_hu, residual_unit(base_hu, cubic_hu))
        asked = _Asked(base_hu, cubic_hu, _body(base_hu), _three(task.op.lr_shape), conditions)
        mean, half_width = base_hu.clone(), torch.zeros_like(base_hu)
        rounds = rounds_of(task.thick)
        shares = [len(normals) for normals in rounds]
        shares[1:1] = [] if seed is None else [2 * config.steps]
        told = parts(progress, shares)
        for normals in rounds:
            found, last = self._round(asked, mean, normals, config, next(told))
            if seed is not None and normals == rounds[0]:
                self._draw(last.turned(found[:1]), last, config, seed, next(told))
            mean[asked.body] += found[0]
        half_width[asked.body] = (found[2] - found[1]) / 2
        return Refinement(mean, half_width)

    @torch.no_grad()
    def first_round(
        self,
        base_hu: Float[Tensor, "z y x"],
        cubic_hu: Float[Tensor, "z y x"],
        samples: tuple[int, int, int],
        conditions: Conditions,
    ) -> Float[Tensor, "z y x"]:
        """What the first round of passes adds to a base, in HU, air included.

        Args:
            base_hu: base volume in HU.
            cubic_hu: cubic interpolation of the measured volume, HU.
            samples: of the measured volume along (z, y, x).
            conditions: what is asked.
        """
        asked = _Asked(base_hu, cubic_hu, (slice(0, None),) * 3, samples, conditions)
        return self._round(asked, base_hu, rounds_of(thick=True)[0], SlabSampling(), silent)[0][0]

    def _round(
        self,
        asked: "_Asked",
        estimate_hu: Float[Tensor, "z y x"],
        normals: tuple[int, ...],
        config: SlabSampling,
        progress: Progress,
    ) -> tuple[Float[Tensor, "3 m n o"], "_Pass"]:
        """Mean, low and high bound of what a round adds to the body's estimate, in HU; and the last of its passes."""
        found = estimate_hu.new_zeros(3, *estimate_hu[asked.body].shape)
        told = parts(progress, [1] * len(normals))
        for normal in normals:
            one = _Pass(asked, estimate_hu, normal)
            for first, after in one.batches(config.batch, next(told)):
                one.add(one.turned(found), first, self._mean(*one.known(first), config) / len(normals))
                after()
        return found, one

    def _mean(
        self, known: Float[Tensor, "b c h w"], conditions: Float[Tensor, "b n"], config: SlabSampling
    ) -> Float[Tensor, "3 b k h w"]:
        """What some blocks lack, in units of `residual.residual_unit`: posterior mean, low and high bound.

        Args:
            known: what the network is conditioned on, see `cutting.cut`.
            conditions: what it is told, see `Conditions.along`.
            config: mirror images, and tiles.
        """
        nothing, last = torch.zeros_like(known[:, :BLOCK]), int(self.scheduler.config.num_train_timesteps) - 1
        mirrored = (
            self._estimate(nothing, known.flip(axes), conditions, last, config).flip(axes)
            for axes in MIRRORS[config.mirrors]
        )
        return reduce(Tensor.add_, mirrored).div_(config.mirrors)

    def _draw(
        self,
        x0: Float[Tensor, "1 n h w"],
        one: "_Pass",
        config: SlabSampling,
        seed: int,
        progress: Progress,
    ) -> None:
        """Turn the posterior mean of a pass, in HU, into a sample: estimates of ever less noisy copies.

        Each estimate is noised afresh for the next level. Blocks overlap by half and share the noise where they do, or
        neighbouring slabs of two blocks would be two samples.
        """
        levels = noise_levels(self.scheduler, config.steps)
        for k, t in enumerate(levels):
            told = part(progress, k / len(levels), (k + 1) / len(levels))
            alpha, last = float(self.scheduler.alphas_cumprod[t]), x0.clone()
            x0.zero_()
            for first, after in one.overlapping(config.batch, told):
                noisy = alpha**0.5 * one.take(last, first) + (1 - alpha) ** 0.5 * one.noise(first, seed, k)
                found = self._estimate(noisy, *one.known(first), t, config)[:1]
                one.add(x0, first, found * _TAPER[:, None, None].to(found.device))
                after()

    def _estimate(
        self,
        noisy: Float[Tensor, "b k h w"],
        known: Float[Tensor, "b c h w"],
        conditions: Float[Tensor, "b n"],
        t: int,
        config: SlabSampling,
    ) -> Float[Tensor, "3 b k h w"]:
        multiple = FOLD * 2 ** (len(self.unet.config.block_out_channels) - 1)
        timesteps = torch.full((len(known),), t, device=known.device)
        fast = fast_bfloat16(known.device)

        def predict(tile: Tensor) -> Tensor:
            with torch.autocast(known.device.type, torch.bfloat16, enabled=fast):
                found = predict_residual(self.unet, tile[:, :BLOCK], tile[:, BLOCK:], timesteps, conditions)
            return torch.stack([found.mean, found.low, found.high], 1)

        tiling = Tiling(config.tile, config.overlap, multiple)
        images = torch.cat([noisy, known], 1)
        return in_tiles(predict, images.bfloat16() if fast else images, tiling).movedim(1, 0)


@dataclass(frozen=True)
class _Asked:
    """What is the same in all passes; `samples` are those of the measured volume along (z, y, x)."""

    base_hu: Float[Tensor, "z y x"]
    cubic_hu: Float[Tensor, "z y x"]
    body: Window3
    samples: tuple[int, int, int]
    conditions: Conditions


class _Pass:
    """The body's blocks across one axis: what is known of them, and where their answers go."""

    def __init__(self, asked: _Asked, estimate_hu: Float[Tensor, "z y x"], normal: int) -> None:
        """Take what is asked, what is estimated so far, and the axis, of (z, y, x)."""
        voxels, device, body = estimate_hu.shape, estimate_hu.device, asked.body
        self.unit_hu = asked.conditions.unit_hu
        self._normal, self._offset = normal, body[normal].start
        volumes_hu = (estimate_hu, asked.base_hu, asked.cubic_hu)
        self._turned = [volume[body].movedim(normal, 0) for volume in volumes_hu]
        rows, columns = image_axes(normal)
        phases = phase_image((asked.samples[rows], asked.samples[columns]), (voxels[rows], voxels[columns]))
        self._phases = phases[:, body[rows], body[columns]].to(device)
        self._conditions = torch.tensor(asked.conditions.along(normal, rows, columns), device=device)

    @property
    def slabs(self) -> int:
        """How many there are."""
        return len(self._turned[0])

    def turned(self, body: Float[Tensor, "c m n o"]) -> Float[Tensor, "c s h w"]:
        """A view of volumes of the body, slabs first."""
        return body.movedim(1 + self._normal, 1)

    def batches(
        self, batch: int, progress: Progress, before: int = 0
    ) -> Iterator[tuple[Tensor, Callable[[], None]]]:
        """First slabs of blocks that go through the network at once, and what to call afterwards.

        Args:
            batch: see `SlabSampling`.
            progress: called after each batch.
            before: so many slabs before the body the first block begins.
        """
        slab = self._turned[0][0]
        pixels = batch * 256**2 // (_CPU_SHARE if slab.device.type == "cpu" else 1)
        blocks = torch.arange(-before, self.slabs, BLOCK)
        for first in torch.split(blocks, max(1, pixels // slab.numel())):
            done = min(int(first[-1]) + BLOCK, self.slabs)
            yield first, partial(progress, done / self.slabs, f"slab {done} of {self.slabs}")

    def overlapping(self, batch: int, progress: Progress) -> Iterator[tuple[Tensor, Callable[[], None]]]:
        """`batches`, and then those of the blocks that begin in the middle of others."""
        yield from self.batches(batch, part(progress, 0, 0.5))
        yield from self.batches(batch, part(progress, 0.5, 1), BLOCK // 2)

    def known(self, first: Tensor) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b n"]]:
        """What the network is conditioned on, and what it is told."""
        estimate, base, cubic = self._turned
        known = cut(estimate, base, cubic, first, self._phases, self.unit_hu)
        known[:, : BLOCK + 2] /= HU_UNIT  # only here, so that volumes need not be copied; gains are relative
        return known, self._conditions.expand(len(first), -1)

    def noise(self, first: Tensor, seed: int, step: int) -> Float[Tensor, "b k h w"]:
        """Noise of a sample: that of a slab depends on its place in the volume alone, not on blocks or batches."""
        shape, places = self._turned[0].shape[1:], (_slabs(first) + self._offset).flatten().tolist()
        seeds = (torch_generator(seed, "slab sample", self._normal, place, step) for place in places)
        drawn = torch.stack([torch.randn(shape, generator=generator) for generator in seeds])
        return drawn.reshape(len(first), BLOCK, *shape).to(self._turned[0].device)

    def take(self, hu: Float[Tensor, "1 n h w"], first: Tensor) -> Float[Tensor, "b k h w"]:
        """Some blocks of an answer, in units of `residual.residual_unit`; beyond the ends, the last slab is repeated."""
        return hu[0, _slabs(first).clamp(0, self.slabs - 1)] / self.unit_hu

    def add(self, out: Float[Tensor, "m n h w"], first: Tensor, found: Float[Tensor, "m b k h w"]) -> None:
        """Add the answers for some blocks, in HU; what lies beyond the ends is dropped."""
        slabs = _slabs(first).flatten()
        inside = (slabs >= 0) & (slabs < self.slabs)
        out[:, slabs[inside]] += found.flatten(1, 2)[:, inside] * self.unit_hu


def _slabs(first: Tensor) -> Int[Tensor, "b k"]:
    """All slabs of some blocks."""
    return first[:, None] + torch.arange(BLOCK)


def _body(hu: Float[Tensor, "z y x"]) -> Window3:
    """The smallest box with all that is denser than air, and a margin; everything, where there is only air."""
    inside = hu > _BODY_HU
    spans = []
    for axis in range(3):
        seen = inside.movedim(axis, 0).flatten(1).any(1).nonzero()[:, 0]
        first, last = (int(seen[0]), int(seen[-1]) + 1) if len(seen) else (0, hu.shape[axis])
        spans.append(slice(max(first - _MARGIN, 0), min(last + _MARGIN, hu.shape[axis])))
    return spans[0], spans[1], spans[2]


def _three(numbers: tuple[int, ...]) -> tuple[int, int, int]:
    z, y, x = numbers
    return z, y, x

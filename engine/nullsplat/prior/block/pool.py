"""Random crops of pairs, of which there are always new ones."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from nullsplat.core.errors import StorageError
from nullsplat.core.seeds import numpy_generator
from nullsplat.prior.block.cutting import image_axes, phase_image, rounds_of
from nullsplat.prior.block.network import BLOCK, known_of
from nullsplat.prior.block.store import Pair, load_pair
from nullsplat.prior.conditions import Conditions
from nullsplat.prior.residual import HU_UNIT

CROP = (96, 64, 64)
"""Voxels of a crop along (rows, first normal, second normal)."""

IMAGE = (96, 96)
"""Pixels of a block's images along rows and columns."""

LOST = "lost"
"""File in a pool's folder that says why no more pairs come."""

_LONGEST_WAIT = 900.0


@dataclass(frozen=True)
class Crop:
    """A part of a pair, turned so that its slabs are cut across its axes 1 and 2.

    Attributes:
        truth: HU / `HU_UNIT`.
        base: in the same unit.
        cubic: in the same unit.
        phases: for slabs across axis 1 and for those across axis 2, see `cutting.phase_image`.
        conditions: for slabs across axis 1 and for those across axis 2.
        unit: `residual.residual_unit`, in the same unit.
        weight: of its errors; below 1 where more is missing than the unit says, so that no pair drowns the others.
    """

    truth: Float[Tensor, "a b c"]
    base: Float[Tensor, "a b c"]
    cubic: Float[Tensor, "a b c"]
    phases: tuple[Float[Tensor, "2 a c"], Float[Tensor, "2 a b"]]
    conditions: tuple[tuple[float, ...], tuple[float, ...]]
    unit: float
    weight: float


@dataclass(frozen=True)
class BlockBatch:
    """Blocks of slabs, each from a pair of its own.

    Attributes:
        missing: truth minus estimate, in units of `residual.residual_unit`.
        known: what the network is conditioned on, see `network.known_of`.
        conditions: what it is told.
        weight: of their errors; below 1 where more is missing than the unit says, so that no pair drowns the others.
    """

    missing: Float[Tensor, "b k h w"]
    known: Float[Tensor, "b c h w"]
    conditions: Float[Tensor, "b n"]
    weight: Float[Tensor, " b"]


@dataclass(frozen=True)
class PairPool:
    """Numbered pairs in a folder, a window of which is drawn from; it moves on as training does.

    Attributes:
        folder: where the pairs are or will be.
        name: of the side, which seeds depend on.
        window: pairs that are drawn from.
        renewal: draws after which the oldest pair gives way to a new one; 0 keeps them all.
    """

    folder: Path
    name: str = "train"
    window: int = 48
    renewal: int = 0

    def first(self, step: int) -> int:
        """The oldest pair that is drawn from."""
        return step // self.renewal if self.renewal else 0

    def draw(self, count: int, seed: int) -> list[Crop]:
        """`count` random crops; the same seed gives the same crops.

        Args:
            count: crops.
            seed: its lower half is the step.

        Raises:
            StorageError: a pair that is needed does not appear, or nobody makes pairs any more.
        """
        generator = numpy_generator(seed, self.name, "slabs")
        return [_crop(pair, generator) for pair in self._pairs(count, seed, generator)]

    def blocks(self, count: int, seed: int) -> BlockBatch:
        """`count` random blocks, of the first round or of the one after it; else as `draw`."""
        generator = numpy_generator(seed, self.name, "blocks")
        blocks = [_block(pair, generator) for pair in self._pairs(count, seed, generator)]
        missing, known, conditions, weights = zip(*blocks, strict=True)
        return BlockBatch(
            torch.cat(missing), torch.cat(known), torch.tensor(conditions), torch.tensor(weights)
        )

    def _pairs(self, count: int, seed: int, generator: np.random.Generator) -> list[Pair]:
        first = self.first(seed % 2**32)
        self._make_room(first)
        numbers = generator.integers(first, first + self.window, count)
        return [self._pair(int(number)) for number in numbers]

    def _make_room(self, first: int) -> None:
        """Remove the pairs that are no longer drawn from; another process may do the same."""
        for path in self.folder.glob("*[0-9]"):
            if int(path.name) < first:
                shutil.rmtree(path, ignore_errors=True)

    def _pair(self, number: int) -> Pair:
        folder = pair_folder(self.folder, number)
        self._wait_for(folder)
        return load_pair(folder)

    def _wait_for(self, pair: Path) -> None:
        deadline = time.monotonic() + _LONGEST_WAIT
        while not pair.exists():
            if (self.folder / LOST).exists():
                raise StorageError(
                    f"the training pair {pair} will not come: {(self.folder / LOST).read_text()}"
                )
            if time.monotonic() > deadline:
                raise StorageError(
                    f"the training pair {pair} did not appear within {_LONGEST_WAIT:.0f} s; is its maker running?"
                )
            time.sleep(0.2)


def pair_folder(folder: Path, number: int) -> Path:
    """Where a pair is kept."""
    return folder / f"{number:06d}"


def _crop(pair: Pair, generator: np.random.Generator) -> Crop:
    """A crop whose rows are z, so that its slabs show slices from the side."""
    first, second = generator.permutation(rounds_of(thick=True)[0])
    order = (0, int(first), int(second))
    volumes = np.moveaxis(pair.volumes, [1 + axis for axis in order], (1, 2, 3))
    window = [_window(n, size, generator) for n, size in zip(volumes.shape[1:], CROP, strict=True)]
    part = np.asarray(volumes[(slice(None), *window)], np.float32) / np.float32(HU_UNIT)
    phases = _phases(pair, order, window)
    part, phases = _mirrored(_filled(part, CROP), phases, generator)
    truth, base, cubic, _ = torch.from_numpy(part)
    told, unit = _told(pair.conditions, order), pair.conditions.unit_hu / HU_UNIT
    return Crop(truth, base, cubic, phases, told, unit, _weight(pair))


def _weight(pair: Pair) -> float:
    unit = pair.conditions.unit_hu
    return (unit / max(unit, pair.spread_hu)) ** 2


def _block(
    pair: Pair, generator: np.random.Generator
) -> tuple[Float[Tensor, "1 k h w"], Float[Tensor, "1 c h w"], tuple[float, ...], float]:
    """What is missing, what is known, what is told, and the weight."""
    later = pair.refined and generator.random() < 0.5
    normal = 0 if later else int(generator.choice(rounds_of(thick=True)[0]))
    rows, columns = image_axes(normal)
    volumes = np.moveaxis(pair.volumes, 1 + normal, 1)
    window = [_window(n, size, generator) for n, size in zip(volumes.shape[2:], IMAGE, strict=True)]
    first = int(generator.integers(0, max(volumes.shape[1] - BLOCK, 0) + 1))
    around = np.arange(first - 1, first + BLOCK + 1).clip(0, volumes.shape[1] - 1)
    part = np.asarray(volumes[:, around[0] : around[-1] + 1, window[0], window[1]], np.float32)
    part = _filled((part[:, around - around[0]] / HU_UNIT).astype(np.float32), IMAGE)
    shape, samples = pair.volumes.shape[1:], pair.samples
    phases = phase_image((samples[rows], samples[columns]), (shape[rows], shape[columns])).numpy()
    phases = _filled(phases[:, window[0], window[1]], IMAGE)
    for axis in (1, 2, 3):
        if generator.random() < 0.5:
            part = np.flip(part, axis)
            phases = phases if axis == 1 else np.flip(phases, axis - 1)
    truth, base, cubic, refined = torch.from_numpy(np.ascontiguousarray(part))[:, None]
    estimate, unit = refined if later else base, pair.conditions.unit_hu / HU_UNIT
    inside = slice(1, 1 + BLOCK)
    images = torch.from_numpy(np.ascontiguousarray(phases))[None]
    known = known_of(estimate, base[:, inside], cubic[:, inside], images, unit)
    missing = (truth - estimate)[:, inside] / unit
    return missing, known, pair.conditions.along(normal, rows, columns), _weight(pair)


def _filled(images: Float[ndarray, "*n"], size: tuple[int, ...]) -> Float[ndarray, "*m"]:
    """The last axes continued by their mirror image to a size that the pair does not have."""
    missing = [(0, 0)] * (images.ndim - len(size))
    missing += [(0, wanted - n) for wanted, n in zip(size, images.shape[-len(size) :], strict=True)]
    return np.pad(images, missing, mode="symmetric")


def _told(conditions: Conditions, order: tuple[int, int, int]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    a, b, c = order
    return conditions.along(b, a, c), conditions.along(c, a, b)


def _phases(
    pair: Pair, order: tuple[int, int, int], window: list[slice]
) -> tuple[Float[Tensor, "2 _ _"], Float[Tensor, "2 _ _"]]:
    shape = pair.volumes.shape[1:]
    a, b, c = order
    found = []
    for columns, place in ((c, 2), (b, 1)):
        whole = phase_image((pair.samples[a], pair.samples[columns]), (shape[a], shape[columns]))
        part = whole[:, window[0], window[place]].numpy()
        found.append(torch.from_numpy(_filled(part, (CROP[0], CROP[place]))))
    return found[0], found[1]


def _window(length: int, size: int, generator: np.random.Generator) -> slice:
    first = int(generator.integers(0, max(length - size, 0) + 1))
    return slice(first, first + size)


def _mirrored(
    part: Float[ndarray, "4 a b c"],
    phases: tuple[Float[Tensor, "2 a c"], Float[Tensor, "2 a b"]],
    generator: np.random.Generator,
) -> tuple[Float[ndarray, "4 a b c"], tuple[Float[Tensor, "2 a c"], Float[Tensor, "2 a b"]]]:
    """Mirrored at random along each axis, with the phases that lie along it."""
    first, second = phases
    for axis in range(3):
        if generator.random() < 0.5:
            part = np.flip(part, 1 + axis)
            first = first.flip(1 if axis == 0 else 2) if axis != 1 else first
            second = second.flip(1 if axis == 0 else 2) if axis != 2 else second
    return np.ascontiguousarray(part), (first, second)

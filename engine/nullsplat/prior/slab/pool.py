"""Random crops of pairs, of which there are always new ones."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from nullsplat.core.errors import StorageError
from nullsplat.core.seeds import numpy_generator
from nullsplat.prior.slab.blocks import phase_image
from nullsplat.prior.slab.conditions import Conditions
from nullsplat.prior.slab.network import HU_UNIT
from nullsplat.prior.slab.store import SlabPair, load_pair

CROP = (96, 64, 64)
"""Voxels of a crop along (rows, first normal, second normal)."""

_LONGEST_WAIT = 900.0


@dataclass(frozen=True)
class SlabCrop:
    """A part of a pair, turned so that its slabs are cut across its axes 1 and 2.

    Attributes:
        truth: HU / `HU_UNIT`.
        base: in the same unit.
        cubic: in the same unit.
        phases: for slabs across axis 1 and for those across axis 2, see `blocks.phase_image`.
        conditions: for slabs across axis 1 and for those across axis 2.
        unit: `network.residual_unit`, in the same unit.
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
class SlabPool:
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

    def draw(self, count: int, seed: int) -> list[SlabCrop]:
        """`count` random crops; the same seed gives the same crops.

        Args:
            count: crops.
            seed: its lower half is the step.

        Raises:
            StorageError: a pair that is needed does not appear.
        """
        generator = numpy_generator(seed, self.name, "slabs")
        first = self.first(seed % 2**32)
        self._make_room(first)
        numbers = generator.integers(first, first + self.window, count)
        return [_crop(self._pair(int(number)), generator) for number in numbers]

    def _make_room(self, first: int) -> None:
        """Remove the pairs that are no longer drawn from; another process may do the same."""
        for path in self.folder.glob("*[0-9]"):
            if int(path.name) < first:
                shutil.rmtree(path, ignore_errors=True)

    def _pair(self, number: int) -> SlabPair:
        folder = pair_folder(self.folder, number)
        _wait(folder.exists, f"the training pair {folder}")
        return _opened(folder)


def pair_folder(folder: Path, number: int) -> Path:
    """Where a pair is kept."""
    return folder / f"{number:06d}"


@lru_cache(maxsize=256)
def _opened(folder: Path) -> SlabPair:
    return load_pair(folder)


def _wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _LONGEST_WAIT
    while not condition():
        if time.monotonic() > deadline:
            raise StorageError(f"{what} did not appear within {_LONGEST_WAIT:.0f} s; is its maker running?")
        time.sleep(0.2)


def _crop(pair: SlabPair, generator: np.random.Generator) -> SlabCrop:
    """Rows of thick slices' crops are z, so that its slabs show them from the side."""
    a, b, c = (0, *generator.permutation((1, 2))) if pair.thick else generator.permutation(3)
    order = (int(a), int(b), int(c))
    volumes = np.moveaxis(pair.volumes, [1 + axis for axis in order], (1, 2, 3))
    window = [_window(n, size, generator) for n, size in zip(volumes.shape[1:], CROP, strict=True)]
    part = np.asarray(volumes[(slice(None), *window)], np.float32) / np.float32(HU_UNIT)
    phases = _phases(pair, order, window)
    part, phases = _mirrored(_filled(part), phases, generator)
    truth, base, cubic = torch.from_numpy(part)
    unit = pair.conditions.unit_hu
    return SlabCrop(
        truth,
        base,
        cubic,
        phases,
        _told(pair.conditions, order),
        unit / HU_UNIT,
        (unit / max(unit, pair.spread_hu)) ** 2,
    )


def _told(conditions: Conditions, order: tuple[int, int, int]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    a, b, c = order
    return conditions.along(b, a, c), conditions.along(c, a, b)


def _phases(
    pair: SlabPair, order: tuple[int, int, int], window: list[slice]
) -> tuple[Float[Tensor, "2 _ _"], Float[Tensor, "2 _ _"]]:
    shape = pair.volumes.shape[1:]
    a, b, c = order
    found = []
    for columns, place in ((c, 2), (b, 1)):
        whole = phase_image((pair.samples[a], pair.samples[columns]), (shape[a], shape[columns]))
        part = whole[:, window[0], window[place]]
        missing = [(0, 0)] + [(0, CROP[i] - n) for i, n in zip((0, place), part.shape[1:], strict=True)]
        found.append(torch.from_numpy(np.pad(part.numpy(), missing, mode="symmetric")))
    return found[0], found[1]


def _window(length: int, size: int, generator: np.random.Generator) -> slice:
    first = int(generator.integers(0, max(length - size, 0) + 1))
    return slice(first, first + size)


def _filled(images: Float[ndarray, "3 _ _ _"]) -> Float[ndarray, "3 a b c"]:
    missing = [(0, 0), *((0, size - n) for size, n in zip(CROP, images.shape[1:], strict=True))]
    return np.pad(images, missing, mode="symmetric")


def _mirrored(
    part: Float[ndarray, "3 a b c"],
    phases: tuple[Float[Tensor, "2 a c"], Float[Tensor, "2 a b"]],
    generator: np.random.Generator,
) -> tuple[Float[ndarray, "3 a b c"], tuple[Float[Tensor, "2 a c"], Float[Tensor, "2 a b"]]]:
    """Mirrored at random along each axis, with the phases that lie along it."""
    first, second = phases
    for axis in range(3):
        if generator.random() < 0.5:
            part = np.flip(part, 1 + axis)
            first = first.flip(1 if axis == 0 else 2) if axis != 1 else first
            second = second.flip(1 if axis == 0 else 2) if axis != 2 else second
    return np.ascontiguousarray(part), (first, second)

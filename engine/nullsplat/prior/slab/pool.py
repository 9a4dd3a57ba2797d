"""Random crops of slabs and projections, with what is known of them and what is missing."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from nullsplat.core.seeds import numpy_generator
from nullsplat.prior.slab.network import HU_UNIT, PROJECTION, known_of
from nullsplat.prior.slab.store import StoredPair

_THICKNESS_SHARES = {1: 0.75, 2: 0.125, 4: 0.125}


@dataclass(frozen=True)
class SlabBatch:
    """Crops of one batch.

    Attributes:
        residual: truth minus base in units of `residual_unit`.
        known: what the network is conditioned on, see `known_of`.
        thickness: voxels; `PROJECTION` for projections.
        unit: `residual_unit` of the pair, in network range.
        weight: of their errors; below 1 where more is missing than the unit says, so that no pair drowns the others.
    """

    residual: Float[Tensor, "b h w"]
    known: Float[Tensor, "b 4 h w"]
    thickness: Float[Tensor, " b"]
    unit: Float[Tensor, " b"]
    weight: Float[Tensor, " b"]


@dataclass(frozen=True)
class SlabPool:
    """Pairs of one side of the validation split.

    Attributes:
        pairs: what to draw from.
        name: `train` or `validation`; part of every seed.
        size: pixels of a crop along its two axes.
        projection_share: part of the crops that comes from full projections.
    """

    pairs: tuple[StoredPair, ...]
    name: str = "train"
    size: tuple[int, int] = (96, 96)
    projection_share: float = 0.25

    def draw(self, count: int, seed: int) -> SlabBatch:
        """`count` random crops; the same seed gives the same crops."""
        generator = numpy_generator(seed, self.name, "slabs")
        images, thicknesses, units, spreads = zip(*(self._crop(generator) for _ in range(count)), strict=True)
        truth, before, here, after, cubic = torch.from_numpy(np.stack(images)).unbind(1)
        unit, spread = torch.tensor(units), torch.tensor(spreads)
        known = known_of(torch.stack([before, here, after], 1), cubic, unit)
        weight = (unit / torch.maximum(unit, spread)) ** 2
        return SlabBatch((truth - here) / unit[:, None, None], known, torch.tensor(thicknesses), unit, weight)

    def _crop(self, generator: np.random.Generator) -> tuple[Float[ndarray, "5 h w"], float, float, float]:
        """Truth, base before, here, after, and cubic; thickness, residual unit, and spread of what is missing."""
        pair = self.pairs[int(generator.integers(len(self.pairs)))]
        if generator.random() < self.projection_share:
            images = _augmented(self._projection(pair, generator), generator)
            return images, PROJECTION, pair.unit["views"], pair.spread["views"]
        thickness = int(generator.choice(list(_THICKNESS_SHARES), p=list(_THICKNESS_SHARES.values())))
        axis = int(generator.choice(3, p=(0.1, 0.45, 0.45) if pair.thick else (0.34, 0.33, 0.33)))
        images = _augmented(self._slab(pair, axis, thickness, generator) / np.float32(HU_UNIT), generator)
        if axis == 0 and generator.random() < 0.5:
            images = images.swapaxes(1, 2)
        key = str(thickness)
        return images, float(thickness), pair.unit[key] / HU_UNIT, pair.spread[key] / HU_UNIT

    def _slab(
        self, pair: StoredPair, axis: int, thickness: int, generator: np.random.Generator
    ) -> Float[ndarray, "5 h w"]:
        volumes = np.moveaxis(pair.volumes, 1 + axis, 1)
        first = int(generator.integers(0, volumes.shape[1] - thickness + 1))
        layers = np.clip(np.arange(first - thickness, first + 2 * thickness), 0, volumes.shape[1] - 1)
        window = self._window(volumes.shape[2:], generator)
        block = np.asarray(volumes[(slice(None), slice(layers[0], layers[-1] + 1), *window)], np.float32)
        slabs = block[:, layers - layers[0]].reshape(3, 3, thickness, *block.shape[2:]).mean(2)
        return self._filled(np.stack([slabs[0, 1], *slabs[1], slabs[2, 1]]))

    def _projection(self, pair: StoredPair, generator: np.random.Generator) -> Float[ndarray, "5 h w"]:
        view = int(generator.integers(pair.views.shape[1]))
        window = self._window(pair.views.shape[2:], generator)
        truth, base, cubic = np.asarray(pair.views[(slice(None), view, *window)], np.float32)
        return self._filled(np.stack([truth, base, base, base, cubic]))

    def _window(self, shape: tuple[int, ...], generator: np.random.Generator) -> tuple[slice, slice]:
        starts = [
            int(generator.integers(0, max(n - s, 0) + 1)) for n, s in zip(shape, self.size, strict=True)
        ]
        rows, columns = (slice(a, a + s) for a, s in zip(starts, self.size, strict=True))
        return rows, columns

    def _filled(self, images: Float[ndarray, "5 _ _"]) -> Float[ndarray, "5 h w"]:
        """Images that were too small, continued by their last row and column."""
        missing = [(0, 0), *((0, s - n) for s, n in zip(self.size, images.shape[1:], strict=True))]
        return np.pad(images, missing, mode="edge")


def _augmented(images: Float[ndarray, "5 h w"], generator: np.random.Generator) -> Float[ndarray, "5 h w"]:
    """Mirrored at random, also along the stack: the slab before then is the one after."""
    for axis in (1, 2):
        if generator.random() < 0.5:
            images = np.flip(images, axis)
    if generator.random() < 0.5:
        images = images[[0, 3, 2, 1, 4]]
    return np.ascontiguousarray(images)

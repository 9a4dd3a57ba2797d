"""Pairs on disk, so that a resumed run does not make them again and memory holds only what is looked at."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int16
from numpy import ndarray

from nullsplat.core.errors import StorageError
from nullsplat.prior.slab.network import UNIT_PER_SPREAD
from nullsplat.prior.slab.pairs import SlabPair

THICKNESSES = (1, 2, 4)
"""Voxels of the slabs that the prior learns, besides full projections."""


@dataclass(frozen=True)
class StoredPair:
    """A pair whose arrays stay on disk until they are looked at.

    Attributes:
        thick: whether only z was degraded.
        volumes: truth, base, cubic; HU.
        views: the same three, projected, in network range.
        spread: root mean square of truth minus base for each thickness (HU), and of the views.
        unit: what their residuals are measured in, see `network.residual_unit`.
    """

    thick: bool
    volumes: Int16[ndarray, "3 z y x"]
    views: Float[ndarray, "3 v z u"]
    spread: dict[str, float]
    unit: dict[str, float]


def save_pair(pair: SlabPair, folder: Path) -> None:
    """Write a pair whole or not at all.

    Raises:
        StorageError: the disk is full.
    """
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        np.save(partial / "volumes.npy", pair.volumes)
        np.save(partial / "views.npy", pair.views)
        about = {"thick": pair.thick, "spread": _spread(pair, 0, 1), "unit": _units(pair)}
        (partial / "pair.json").write_text(json.dumps(about))
        partial.rename(folder)
    except OSError as error:
        raise StorageError(f"training pairs cannot be written to {folder.parent}: {error}") from error


def load_pairs(folder: Path) -> Iterator[StoredPair]:
    """The pairs in a folder, in the order of their names."""
    for path in sorted(folder.glob("*[0-9]")):
        about = json.loads((path / "pair.json").read_text())
        volumes, views = (np.load(path / f"{name}.npy", mmap_mode="r") for name in ("volumes", "views"))
        yield StoredPair(about["thick"], volumes, views, about["spread"], about["unit"])


def _units(pair: SlabPair) -> dict[str, float]:
    return {name: UNIT_PER_SPREAD * spread for name, spread in _spread(pair, 1, 2).items()}


def _spread(pair: SlabPair, first: int, second: int) -> dict[str, float]:
    """Root mean square of the difference between two of truth, base and cubic, for each thickness and the views."""
    difference = pair.volumes[first].astype(np.float32) - pair.volumes[second]
    found = {}
    for t in THICKNESSES:
        rows = difference.shape[1] // t * t
        slabs = difference[:, :rows].reshape(difference.shape[0], rows // t, t, -1).mean(2)
        found[str(t)] = _rms(slabs)
    return found | {"views": _rms(pair.views[first] - pair.views[second])}


def _rms(values: Float[ndarray, "*shape"]) -> float:
    return max(float(np.sqrt(np.mean(np.square(values), dtype=np.float64))), float(np.finfo(np.float32).tiny))

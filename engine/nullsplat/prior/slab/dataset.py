"""The pairs of a training run: made once, kept on disk, split by patient."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nullsplat.core.errors import InputError
from nullsplat.core.progress import Progress, part, silent
from nullsplat.core.seeds import numpy_generator
from nullsplat.core.volume import Volume
from nullsplat.prior.slab.pairs import make_pair
from nullsplat.prior.slab.pool import SlabPool
from nullsplat.prior.slab.store import load_pairs, save_pair

SMALLEST = (64, 128, 128)
"""Voxels along (z, y, x) that a volume must have to learn from."""


@dataclass(frozen=True)
class Counts:
    """How many pairs are made from all volumes of a side together."""

    train: int = 104
    validation: int = 8


def slab_pools(
    train: Sequence[Volume],
    validation: Sequence[Volume],
    folder: Path,
    counts: Counts = Counts(),
    seed: int = 0,
    progress: Progress = silent,
) -> tuple[SlabPool, SlabPool]:
    """Make the pairs that are not there yet, and open them.

    Args:
        train: truths to learn from, in HU.
        validation: truths of other patients.
        folder: where the pairs are kept; one run's only, as it is not known what they were made from.
        counts: how many.
        seed: of everything random.
        progress: told after every pair.

    Raises:
        InputError: a side is empty, or a volume is too small.
        StorageError: the disk is full.
    """
    _check([*train, *validation], bool(train) and bool(validation))
    share = counts.train / (counts.train + counts.validation)
    sides = (
        ("train", train, counts.train, part(progress, 0, share)),
        ("validation", validation, counts.validation, part(progress, share, 1)),
    )
    for name, volumes, count, told in sides:
        _make(volumes, count, folder / name, seed, told)
    pools = [SlabPool(tuple(load_pairs(folder / name)), name) for name in ("train", "validation")]
    return pools[0], pools[1]


def _make(volumes: Sequence[Volume], count: int, folder: Path, seed: int, progress: Progress) -> None:
    """Volumes take turns; a pair's seed is its number, so that more pairs leave the first ones as they are."""
    for i in range(count):
        target = folder / f"{i:04d}"
        if not target.exists():
            save_pair(
                make_pair(volumes[i % len(volumes)], numpy_generator(seed, folder.name, "pair", i)), target
            )
        progress((i + 1) / count, f"{folder.name}, pair {i + 1} of {count}")


def _check(volumes: Sequence[Volume], both: bool) -> None:
    if not both:
        raise InputError("the slab prior needs CT volumes of at least two patients, one to validate on")
    for volume in volumes:
        shape = volume.geometry.shape
        if any(n < least for n, least in zip(shape, SMALLEST, strict=True)):
            raise InputError(
                f"a CT to learn slabs from needs at least {SMALLEST} voxels, got {shape}; leave it out"
            )

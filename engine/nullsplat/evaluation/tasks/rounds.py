"""A round: one volume with lesions at half of its places, and once more with lesions at the other half, both degraded."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nullsplat.core.errors import GeometryError
from nullsplat.core.seeds import numpy_generator
from nullsplat.core.volume import Axes3, Volume
from nullsplat.evaluation.data.degrade import Protocol, crop_to_blocks, degrade
from nullsplat.evaluation.data.subject import Subject
from nullsplat.evaluation.tasks.lesions import (
    DIAMETERS_MM,
    GROUNDS,
    Lesion,
    Place,
    quiet_places,
    with_lesions,
)

PLACES = 24
"""On each ground, at most."""

LEAST = 4
"""Places in all that a volume must have."""


@dataclass(frozen=True)
class Series:
    """One of the two.

    Attributes:
        truth: HU, with its lesions, whole blocks of the protocol.
        measured: what a scanner would have delivered.
    """

    truth: Volume
    measured: Volume


@dataclass(frozen=True)
class Round:
    """Two series of the same body.

    Attributes:
        lesions: at even numbers in the first series, at odd ones in the second.
        series: both.
    """

    lesions: tuple[Lesion, ...]
    series: tuple[Series, Series]

    @property
    def spacing(self) -> Axes3:
        """Of the truth's voxels, mm."""
        return self.series[0].truth.geometry.spacing


def make_round(subject: Subject, how: Protocol, number: int, seed: int = 0) -> Round:
    """Put lesions in, then degrade; noise is the same in both series, so that they differ by lesions alone.

    Args:
        subject: the volume; not clipped, as no scanner's is.
        how: the degradation.
        number: of the round; decides which lesion comes to which place.
        seed: of the lesions and of the noise.

    Raises:
        GeometryError: it has too few quiet places.
    """
    hu = np.ascontiguousarray(crop_to_blocks(subject.volume.hu, how), dtype=np.float32)
    lesions = _planned(hu, subject, number, seed)
    if len(lesions) < LEAST:
        raise GeometryError(
            f"{subject.name} must have {LEAST} quiet places for lesions, it has {len(lesions)}; take another volume, or a "
            "larger part of it"
        )
    first, second = (_series(hu, subject, how, lesions[k::2], seed + number) for k in (0, 1))
    return Round(tuple(lesions), (first, second))


def _planned(hu: Float[ndarray, "z y x"], subject: Subject, number: int, seed: int) -> list[Lesion]:
    generator = numpy_generator(seed, subject.name, "lesions", number)
    spacing = subject.volume.geometry.spacing
    lesions: list[Lesion] = []
    taken: list[Place] = []
    for name, ground in GROUNDS.items():
        found = quiet_places(hu, spacing, ground, taken, PLACES)
        taken += found
        kinds = [(d, c) for c in ground.contrasts_hu for d in DIAMETERS_MM]
        order = generator.permutation(len(kinds))
        for i, k in enumerate(generator.permutation(len(found))):
            lesions.append(Lesion(found[int(k)], name, *kinds[int(order[i % len(kinds)])]))
    return lesions


def _series(
    hu: Float[ndarray, "z y x"], subject: Subject, how: Protocol, lesions: list[Lesion], seed: int
) -> Series:
    nz, ny, nx = hu.shape
    grid = replace(subject.volume.geometry, shape=(nz, ny, nx))
    truth = with_lesions(hu, grid.spacing, lesions)
    low = degrade(truth, how, seed).astype(np.float32)
    m, n, o = low.shape
    return Series(Volume(truth, grid), Volume(low, grid.resampled((m, n, o))))

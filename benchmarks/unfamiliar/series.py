"""Series of kinds that no prior was trained on, simulated from a chest and a head CT, and ordinary ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy import ndimage

from nullsplat.core.seeds import numpy_generator
from nullsplat.core.units import LOWEST_HU
from nullsplat.core.volume import Axes3, Geometry, Volume
from nullsplat.evaluation.data.degrade import Protocol, crop_to_blocks, degrade, protocol
from nullsplat.evaluation.data.public_data import PUBLIC, cache_folder, obtain
from nullsplat.evaluation.data.subject import public_subject, read_subject
from nullsplat.evaluation.methods.known import known_of
from nullsplat.io.volumes import read_volume
from nullsplat.physics.profile import Resolution

Hu = Float[ndarray, "z y x"]

THICK, WHOLE = (4.0, 1.0, 1.0), (2.0, 2.0, 2.0)
BELL4 = protocol("bell4", 15.0)
CONE_BEAM_MM, MICRO_MM = 0.3, 0.05
ENAMEL_HU = 1600
FILLINGS = ((40, 44, 5), (84, 80, 4))
CLIPS = ((60, 60, 4), (100, 110, 3))
"""Row, column and radius in pixels of pieces of metal."""
STREAK_HU = 300.0
SATURATED_HU = 3071.0
"""What 12 bits hold."""
SMALL = slice(0, 96)
"""Pixels of a series of which all axes are refined."""


@dataclass(frozen=True)
class Series:
    """One of them.

    Attributes:
        name: for people.
        volume: as a scanner would deliver it.
        scale: by what it is to be refined along (z, y, x).
        resolution: what is known of its samples; None where the engine assumes something itself.
    """

    name: str
    volume: Volume
    scale: Axes3
    resolution: Resolution | None = None


def all_series(chest: Path, head: Path, ordinary: Sequence[Path]) -> Iterator[Series]:
    """All of them; the public chests are fetched where they are not in the cache.

    Args:
        chest: CT of 1 mm slices, at least 96 of 300 x 260 pixels.
        head: CT of 1 mm voxels with teeth, at least 200 slices of 280 x 280.
        ordinary: series of thick slices, to be refined 4 times as they are.
    """
    body, skull = read_volume(chest), read_volume(head)
    yield from _dental(skull.hu)
    yield from _trabecular()
    yield from _chests(body)
    yield _made("head with metal and streaks", streaked(_block(skull.hu, 100)), (4.0, 1.0, 1.0), THICK)
    for how in (BELL4, protocol("thick4"), protocol("iso4", 15.0)):
        part = body.hu[:96, 40:400, 60:460] if how.all_axes else body.hu[:96, 140:300, 100:260]
        yield _degraded(f"chest, {how.name}", part, body.geometry.spacing, how)
    for how in (BELL4, protocol("iso2")):
        part = skull.hu[110:158, 80:280, 80:280] if how.all_axes else skull.hu[90:186, 100:260, 100:260]
        yield _degraded(f"head, {how.name}", part, skull.geometry.spacing, how)
    for path in ordinary:
        found = read_subject(path)
        yield _middle(f"{found.name}, as it is", found.volume)
    yield from _public()


def _dental(skull: Hu) -> Iterator[Series]:
    """Teeth as a cone beam sees them: small voxels, grainy, with fillings."""
    dense = (skull > ENAMEL_HU).sum((1, 2)).astype(float)
    z = int(np.argmax(ndimage.uniform_filter1d(dense, 9)))
    rows, columns = np.nonzero((skull[z - 4 : z + 5] > ENAMEL_HU).any(0))
    y, x = int(np.median(rows)), int(np.median(columns))
    fine = ndimage.zoom(skull[z - 4 : z + 5, y - 20 : y + 20, x - 20 : x + 20], 1 / CONE_BEAM_MM, order=3)
    grain = ndimage.gaussian_filter(_noise("cone beam", fine.shape), 0.7)
    beam = streaked(fine + 80 * grain / grain.std(), FILLINGS)[:24, :128, :128]
    for spacing, called in ((CONE_BEAM_MM, "0.3 mm"), (1.0, "called 1 mm")):
        yield _made(f"teeth, cone beam, {called}, 4x", beam, (spacing,) * 3, THICK)
        yield _made(
            f"teeth, cone beam, {called}, 2x along all axes", beam[:, SMALL, SMALL], (spacing,) * 3, WHOLE
        )


def _trabecular() -> Iterator[Series]:
    """Cancellous bone as micro-CT sees it."""
    field = ndimage.gaussian_filter(_noise("trabeculae", (24, 128, 128)), 3.0)
    bone = ndimage.gaussian_filter(np.where(np.abs(field) < 0.45 * field.std(), 1400.0, -20.0), 0.7)
    bone += 30 * _noise("micro-CT", bone.shape)
    yield _made("trabecular bone, 0.05 mm, 4x", bone, (MICRO_MM,) * 3, THICK)
    yield _made("trabecular bone, called 1 mm, 2x", bone, (1.0,) * 3, (2.0, 1.0, 1.0))
    yield _made("trabecular bone, called 1 mm, 2x along all axes", bone[:, SMALL, SMALL], (1.0,) * 3, WHOLE)


def _chests(body: Volume) -> Iterator[Series]:
    dz, dy, dx = body.geometry.spacing
    thin, spacing = body.hu[:96, 140:300, 100:260], (4 * dz, dy, dx)
    low = degrade(crop_to_blocks(thin, BELL4), BELL4)
    yield _made("chest with metal and streaks", streaked(low), spacing, THICK)
    yield _made("chest with streaks alone", streaked(low, metal=False), spacing, THICK)
    loud = protocol("bell4", 120.0)
    yield _made("chest with noise of 120 HU", degrade(crop_to_blocks(thin, loud), loud), spacing, THICK)
    for gain in (0.8, 2.0, 4.0):
        yield _made(f"chest, unsharp mask of gain {gain:g}", sharpened(low, gain), spacing, THICK)


def _public() -> Iterator[Series]:
    for file in PUBLIC:
        path = obtain(file, cache_folder())
        whole = read_volume(path)
        yield _middle(f"{file.name}, as it is", whole)
        half = public_subject(file, path).volume
        part = half.hu[:, 60:220, 50:210]
        yield _degraded(
            f"{file.name} at half resolution, {BELL4.name}", part[:96], half.geometry.spacing, BELL4
        )
        sharp = sharpened(half.hu[:24, 60:220, 50:210], 4.0)
        yield _made(
            f"{file.name} at half resolution, unsharp mask of gain 4", sharp, half.geometry.spacing, THICK
        )


def streaked(
    hu: Hu, points: Sequence[tuple[int, int, int]] = CLIPS, strength: float = STREAK_HU, *, metal: bool = True
) -> Hu:
    """Dark and bright lines from each piece of metal, fading with the distance; and the metal itself."""
    rows, columns = np.mgrid[: hu.shape[1], : hu.shape[2]]
    found = hu.astype(np.float32)
    for y, x, radius in points:
        distance, angle = np.hypot(rows - y, columns - x), np.arctan2(rows - y, columns - x)
        lines = strength * np.cos(8 * angle) * np.sign(np.cos(angle)) * np.exp(-distance / 40)
        found = found + np.where(distance > radius, lines, 0).astype(np.float32)
        if metal:
            found[:, distance <= radius] = SATURATED_HU
    return found


def sharpened(hu: Hu, gain: float) -> Hu:
    """An unsharp mask of one pixel, as an edge-enhancing kernel acts; noise is enhanced with the edges."""
    soft: Hu = ndimage.gaussian_filter(hu, (0, 1, 1))
    return hu + np.float32(gain) * (hu - soft)


def _noise(name: str, shape: tuple[int, ...]) -> Hu:
    noise: Hu = numpy_generator(0, "unfamiliar", name).normal(size=shape)
    return noise


def _block(hu: Hu, first: int) -> Hu:
    return degrade(crop_to_blocks(hu[first : first + 96, 100:260, 100:260], BELL4), BELL4)


def _degraded(name: str, truth: Hu, spacing: Axes3, how: Protocol) -> Series:
    low = degrade(crop_to_blocks(truth, how), how)
    dz, dy, dx = (d * s for d, s in zip(spacing, how.scale, strict=True))
    return _made(name, low, (dz, dy, dx), how.scale, known_of(how).resolution)


def _middle(name: str, volume: Volume) -> Series:
    first = [max((n - size) // 2, 0) for n, size in zip(volume.geometry.shape, (20, 160, 160), strict=True)]
    z, y, x = (slice(start, start + size) for start, size in zip(first, (20, 160, 160), strict=True))
    return _made(f"{name}, 4x", volume.hu[z, y, x], volume.geometry.spacing, THICK)


def _made(name: str, hu: Hu, spacing: Axes3, scale: Axes3, resolution: Resolution | None = None) -> Series:
    held = np.maximum(hu, LOWEST_HU).astype(np.float32)
    depth, rows, columns = held.shape
    return Series(name, Volume(held, Geometry((depth, rows, columns), spacing)), scale, resolution)

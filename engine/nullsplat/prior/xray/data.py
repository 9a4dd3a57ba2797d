"""What the prior learns from: radiographs in folders or zips, and CT volumes projected on the fly."""

import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from nullsplat.core.errors import UnreadableFile
from nullsplat.core.units import HU_AIR, hu_to_mu
from nullsplat.core.volume import Volume
from nullsplat.physics.projection.beam import beam_for
from nullsplat.physics.projection.projector import Projector
from nullsplat.prior.normalisation import normalisation_for
from nullsplat.prior.xray.radiograph_files import SUFFIXES, read_image

_BAD_ARCHIVE = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, EOFError)
"""What zipfile raises for damage, unknown compression (NotImplementedError) and encryption (RuntimeError)."""

_SEEN = 0.01


@dataclass(frozen=True)
class Radiograph:
    """A detector image after log and display processing.

    Attributes:
        patient: key that keeps images of one patient on one side of the validation split.
        image: 8-bit intensities, white is dense.
    """

    patient: str
    image: UInt8[np.ndarray, "z u"]


@dataclass(frozen=True)
class ProjectedVolume:
    """All views of one CT volume in units of its own scale.

    Attributes:
        patient: key that keeps volumes of one patient on one side of the validation split.
        views: line integrals divided by their normalisation scale, about [0, 1].
    """

    patient: str
    views: Float[Tensor, "v z u"]


def patient_of(name: str) -> str:
    """The patient an image belongs to, from its file name.

    `00000061_012.jpg` (NIH) and `person1003_virus_1685.jpg` (Kermany) carry the patient before the first
    underscore; any other name stands for a patient of its own.
    """
    stem = PurePath(name).stem
    match = re.match(r"(person\d+|\d{8})_", stem)
    return match.group(1) if match else stem


def read_radiographs(source: Path) -> Iterator[Radiograph]:
    """All PNG, JPEG and DICOM images in a folder or a zip, in the order of their names.

    Raises:
        UnreadableFile: the source is missing or damaged, holds no image, or holds one that cannot be decoded.
    """
    found = False
    for name, content in _image_files(source):
        found = True
        try:
            image, patient = read_image(name, content)
        except UnreadableFile as error:
            raise UnreadableFile(f"{name} in {source} is not a readable radiograph: {error}") from error
        yield Radiograph(patient or patient_of(name), image)
    if not found:
        raise UnreadableFile(f"{source} must hold PNG, JPEG or DICOM (.dcm) radiographs, none was found")


def _image_files(source: Path) -> Iterator[tuple[str, bytes]]:
    if source.is_dir():
        for path in sorted(p for p in source.rglob("*") if _is_image(p)):
            yield path.name, path.read_bytes()
    elif zipfile.is_zipfile(source):
        try:
            with zipfile.ZipFile(source) as archive:
                for name in sorted(n for n in archive.namelist() if _is_image(PurePath(n))):
                    yield name, archive.read(name)
        except _BAD_ARCHIVE as error:
            raise UnreadableFile(
                f"the zip {source} is damaged or encrypted: {error}; copy it again"
            ) from error
    else:
        raise UnreadableFile(f"radiographs must come as a folder or an intact zip, {source} is neither")


def _is_image(path: PurePath) -> bool:
    # macOS leaves files such as ._image.png beside the real ones
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def project(volume: Volume, name: str, views: int, patient: str | None = None) -> ProjectedVolume:
    """Parallel-beam views of a CT volume, cropped to the columns that see the body.

    Args:
        volume: in HU.
        name: what messages call the volume.
        views: number of views over [0, pi).
        patient: whose volume it is; without it, the name stands for a patient of its own.

    Raises:
        UnreadableFile: there is nothing but air in the volume.
    """
    geometry = volume.geometry
    beam = beam_for(geometry.shape, geometry.spacing, views)
    mu = torch.from_numpy(hu_to_mu(np.maximum(volume.hu, HU_AIR)))
    projections = Projector(beam, geometry.shape, geometry.spacing).forward(mu)
    scale = normalisation_for(projections).scale
    seen = (projections.amax(dim=(0, 1)) > _SEEN * scale).nonzero()[:, 0]
    if len(seen) == 0:
        raise UnreadableFile(f"a CT volume to train on must show a body, {name} is air from end to end")
    return ProjectedVolume(patient or name, projections[:, :, int(seen.min()) : int(seen.max()) + 1] / scale)

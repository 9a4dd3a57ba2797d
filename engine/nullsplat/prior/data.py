"""What the prior learns from: radiographs in folders or zips, and CT volumes projected on the fly."""

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from nullsplat.core.errors import UnreadableFile
from nullsplat.core.nifti import read_nifti
from nullsplat.core.units import HU_AIR, hu_to_mu
from nullsplat.physics.beam import beam_for
from nullsplat.physics.projector import Projector
from nullsplat.prior.normalisation import normalisation_for

_SUFFIXES = {".png", ".jpg", ".jpeg"}


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
        patient: name of the volume.
        views: line integrals divided by their normalisation scale, about [0, 1].
    """

    patient: str
    views: Float[Tensor, "v z u"]


def patient_of(name: str) -> str:
    """The patient an image belongs to, from its file name.

    `00000061_012.jpg` (NIH) and `person1003_virus_1685.jpg` (Kermany) carry the patient before the first
    underscore; any other name stands for a patient of its own.
    """
    stem = Path(name).stem
    match = re.match(r"(person\d+|\d{8})_", stem)
    return match.group(1) if match else stem


def read_radiographs(source: Path) -> Iterator[Radiograph]:
    """All PNG and JPEG images in a folder or a zip, in the order of their names.

    Raises:
        UnreadableFile: the source is missing, holds no image, or holds one that cannot be decoded.
    """
    found = False
    for name, content in _image_files(source):
        found = True
        try:
            image = np.array(Image.open(io.BytesIO(content)).convert("L"))
        except OSError as error:
            raise UnreadableFile(f"{name} in {source} is not a readable image: {error}") from error
        yield Radiograph(patient_of(name), image)
    if not found:
        raise UnreadableFile(f"{source} must hold PNG or JPEG radiographs, none was found")


def _image_files(source: Path) -> Iterator[tuple[str, bytes]]:
    if source.is_dir():
        for path in sorted(p for p in source.rglob("*") if p.suffix.lower() in _SUFFIXES):
            yield path.name, path.read_bytes()
    elif zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            for name in sorted(n for n in archive.namelist() if Path(n).suffix.lower() in _SUFFIXES):
                yield name, archive.read(name)
    else:
        raise UnreadableFile(f"radiographs must come as a folder or a zip, {source} is neither")


def project_volume(path: Path, views: int) -> ProjectedVolume:
    """Parallel-beam views of a CT volume, cropped to the columns that see the body.

    Args:
        path: a NIfTI file in HU.
        views: number of views over [0, pi).

    Raises:
        UnreadableFile: the file cannot be read.
    """
    volume = read_nifti(path)
    geometry = volume.geometry
    beam = beam_for(geometry.shape, geometry.spacing, views)
    projections = Projector(beam, geometry.shape, geometry.spacing).forward(torch.from_numpy(hu_to_mu(np.maximum(volume.hu, HU_AIR))))
    scale = normalisation_for(projections).scale
    seen = (projections.amax(dim=(0, 1)) > 0.01 * scale).nonzero()[:, 0]
    return ProjectedVolume(path.name, projections[:, :, int(seen.min()) : int(seen.max()) + 1] / scale)

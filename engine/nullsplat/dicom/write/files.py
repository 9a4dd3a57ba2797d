"""DICOM files on disk, complete or not at all."""

from collections.abc import Callable
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from nullsplat import __version__
from nullsplat.core.files import replacing
from nullsplat.core.volume import Volume
from nullsplat.dicom.headers import quiet_pydicom
from nullsplat.dicom.uids import hashed_uid
from nullsplat.dicom.write.encoding import OutputSyntax, encode_pixels
from nullsplat.dicom.write.planes import set_pixels, set_plane

IMPLEMENTATION_CLASS_UID = UID(hashed_uid("implementation class", "nullsplat"))
IMPLEMENTATION_VERSION_NAME = f"NULLSPLAT_{__version__}"[:16]


def write_file(dataset: Dataset, path: Path, syntax: OutputSyntax = OutputSyntax.EXPLICIT) -> None:
    """Write a Part 10 file; the name appears only when the file is complete.

    Args:
        dataset: with native pixels of one frame if `syntax` compresses; they are compressed in place.
        path: of the file.
        syntax: how the pixels are encoded.
    Raises:
        StorageError: the disk is full or the folder cannot be written.
    """
    dataset.file_meta = _file_meta(dataset)
    with (
        replacing(path) as partial,
        quiet_pydicom(),
    ):  # values of the source may break their representation's rules
        encode_pixels(dataset, syntax)
        pydicom.dcmwrite(partial, dataset, enforce_file_format=True)


def write_slices(
    volume: Volume, folder: Path, template: Dataset, uid: Callable[[int], str], thickness: float
) -> list[Path]:
    """Write a volume (HU) as one file per slice, in z order.

    Args:
        volume: its slices are numbered from 1.
        folder: exists.
        template: everything that the slices share.
        uid: SOP Instance UID of a slice, by its index.
        thickness: of a slice, mm.
    Raises:
        StorageError: the disk is full or the folder cannot be written.
    """
    paths = []
    for index, hu in enumerate(volume.hu):
        dataset = Dataset()
        dataset.update(template)
        dataset.SOPInstanceUID = uid(index)
        dataset.InstanceNumber = index + 1
        set_plane(dataset, volume.geometry, index, thickness)
        set_pixels(dataset, hu)
        paths.append(folder / f"{index + 1:05d}.dcm")
        write_file(dataset, paths[-1])
    return paths


def _file_meta(dataset: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    return meta

"""DICOM files on disk, complete or not at all."""

from pathlib import Path

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from nullsplat import __version__
from nullsplat.core.files import replacing
from nullsplat.dicom.headers import quiet_pydicom
from nullsplat.dicom.uids import hashed_uid
from nullsplat.dicom.write.encoding import OutputSyntax, encode_pixels

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


def _file_meta(dataset: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    return meta

"""DICOM files on disk, complete or not at all."""

from contextlib import suppress
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from nullsplat import __version__
from nullsplat.core.errors import StorageError
from nullsplat.dicom.headers import quiet_pydicom
from nullsplat.dicom.uids import hashed_uid
from nullsplat.dicom.write.encoding import OutputSyntax, encode_pixels

IMPLEMENTATION_CLASS_UID = UID(hashed_uid("implementation class", "nullsplat"))
IMPLEMENTATION_VERSION_NAME = f"NULLSPLAT_{__version__}"[:16]


def make_folder(folder: Path) -> None:
    """Make the folder and its parents where they are missing.

    Raises:
        StorageError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"the folder {folder} cannot be made: {error.strerror}; free space or choose another"
        ) from error


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
    partial = path.with_name(f".{path.name}.partial")
    try:
        with quiet_pydicom():  # values copied from the source may break the rules of their representation
            encode_pixels(dataset, syntax)
            pydicom.dcmwrite(partial, dataset, enforce_file_format=True)
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise StorageError(
            f"{path} cannot be written: {error.strerror}; free space or choose another folder"
        ) from error


def _file_meta(dataset: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    return meta

"""DICOM files of one folder."""

from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
)

from nullsplat.core.errors import UnreadableFile
from nullsplat.dicom.headers import PARSING_ERRORS, decode, is_uid, quiet_pydicom, text
from nullsplat.dicom.refusals import Refusal, refuse

_UNDEFINED_LENGTH = 0xFFFFFFFF
"""How the pixels begin that are compressed, PS3.5 A.4."""


def series_files(folder: Path) -> list[Path]:
    """The files of a folder that should be slices: neither hidden nor a DICOMDIR; not those of its subfolders.

    Raises:
        UnreadableFile: there is no such folder, it holds no file, or a link to one that is not there.
    """
    if not folder.is_dir():
        came = "a file" if folder.exists() else "nothing of that name"
        raise UnreadableFile(f"a folder with one CT series was needed, got {came}: {folder.name}")
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise UnreadableFile(f"the folder {folder.name} cannot be read: {error.strerror}") from error
    entries = [entry for entry in entries if not _is_ignored(entry)]
    lost = next((entry.name for entry in entries if not entry.exists()), None)
    if lost is not None:
        raise UnreadableFile(f"{lost} is a link to a file that is not there; copy the series with its files")
    files = [entry for entry in entries if entry.is_file()]
    if not files:
        folders = sum(entry.is_dir() for entry in entries)
        hint = f"it has {folders} subfolder(s), name one of them" if folders else "it is empty"
        raise UnreadableFile(f"a folder with one CT series was needed, {folder.name} holds no files: {hint}")
    return files


def read_headers(files: list[Path]) -> list[tuple[Path, Dataset]]:
    """Every file's header, without those of directories (a DICOMDIR of another name).

    Raises:
        UnreadableFile: a file is missing, truncated or not DICOM; the message names it.
    """
    headers = [(path, decode(read_file(path, pixels=False))) for path in files]
    for path, header in headers:
        header.file_name = path.name  # for `headers.named`
    images = [
        pair
        for pair in headers
        if pair[1].file_meta.get("MediaStorageSOPClassUID") != MediaStorageDirectoryStorage
    ]
    if not images:
        raise UnreadableFile(
            "a folder with one CT series was needed, it holds a DICOM directory and no image"
        )
    return images


def _is_ignored(path: Path) -> bool:
    return path.name.startswith(".") or path.name.upper() == "DICOMDIR"


def read_file(path: Path, *, pixels: bool) -> Dataset:
    """One DICOM file, also one that lacks preamble, file meta information or transfer syntax.

    Without a transfer syntax the way in which the attributes are written says which it is, as long as the pixels are not
    compressed.

    Args:
        path: of the file.
        pixels: whether they are needed, too.
    Raises:
        UnreadableFile: it is missing, truncated, damaged or not DICOM; the message names it.
        IneligibleSeries: `unsupported-transfer-syntax`, compressed pixels without a transfer syntax.
    """
    try:
        with quiet_pydicom():
            dataset = dcmread(path, stop_before_pixels=not pixels, force=True)
            if not getattr(dataset, "file_meta", None) and not _identifies_itself(dataset):
                raise InvalidDicomError
            return dataset if "TransferSyntaxUID" in dataset.file_meta else _with_syntax(dataset, path)
    except InvalidDicomError as error:
        raise UnreadableFile(
            f"{path.name} is not a DICOM file; keep only the slices of one series in the folder"
        ) from error
    except OSError as error:
        raise UnreadableFile(f"{path.name} cannot be read: {error.strerror or 'truncated'}") from error
    except (*PARSING_ERRORS, MemoryError) as error:
        raise UnreadableFile(f"{path.name} is truncated or damaged; export it again") from error


def _identifies_itself(dataset: Dataset) -> bool:
    """Whether this is a DICOM object: anything can be taken for attributes, but not for these."""
    return all(is_uid(text(dataset, keyword)) for keyword in ("SOPClassUID", "SOPInstanceUID"))


def _with_syntax(dataset: Dataset, path: Path) -> Dataset:
    stored = dcmread(path, force=True).get_item("PixelData")
    if getattr(stored, "length", 0) == _UNDEFINED_LENGTH:
        refuse(
            Refusal.UNSUPPORTED_TRANSFER_SYNTAX,
            f"compressed pixels need a transfer syntax, {path.name} names none; export the series again",
        )
    is_implicit, is_little = dataset.original_encoding
    written = ImplicitVRLittleEndian if is_implicit else ExplicitVRLittleEndian
    dataset.file_meta.TransferSyntaxUID = written if is_little else ExplicitVRBigEndian
    return dataset

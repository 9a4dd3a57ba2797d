"""DICOM files of one folder."""

from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import MediaStorageDirectoryStorage

from nullsplat.core.errors import UnreadableFile
from nullsplat.dicom.headers import PARSING_ERRORS, decode, quiet_pydicom


def series_files(folder: Path) -> list[Path]:
    """The files of a folder that should be slices: neither hidden nor a DICOMDIR; not those of its subfolders.

    Raises:
        UnreadableFile: there is no such folder, or it holds no file.
    """
    if not folder.is_dir():
        came = "a file" if folder.exists() else "nothing of that name"
        raise UnreadableFile(f"a folder with one CT series was needed, got {came}: {folder.name}")
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise UnreadableFile(f"the folder {folder.name} cannot be read: {error.strerror}") from error
    files = [entry for entry in entries if entry.is_file() and not _is_ignored(entry)]
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
    headers = [(path, _read_header(path)) for path in files]
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


def _read_header(path: Path) -> Dataset:
    try:
        with quiet_pydicom():
            dataset = dcmread(path, stop_before_pixels=True)
    except InvalidDicomError as error:
        raise UnreadableFile(
            f"{path.name} is not a DICOM file; keep only the slices of one series in the folder"
        ) from error
    except OSError as error:
        raise UnreadableFile(f"{path.name} cannot be read: {error.strerror or 'truncated'}") from error
    except PARSING_ERRORS as error:
        raise UnreadableFile(f"{path.name} is truncated or damaged; export it again") from error
    return decode(dataset)

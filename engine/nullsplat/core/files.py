"""Files that are written whole or not at all, and folders for them."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from nullsplat.core.errors import StorageError

PARTIAL = ".partial-"
"""How the folders begin that hold files not yet whole; whatever kills a writer leaves one behind."""
ELSEWHERE = "free space or choose another folder"
_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def writing(path: Path, remedy: str = ELSEWHERE) -> Iterator[None]:
    """Turn the system's refusal to write into a StorageError that names the path, the cause and the remedy."""
    try:
        yield
    except OSError as error:
        why = "the disk is full" if error.errno in _FULL else error.strerror or error
        raise StorageError(f"{path} cannot be written: {why}; {remedy}") from error


@contextmanager
def replacing(path: Path, remedy: str = ELSEWHERE, *, durable: bool = False) -> Iterator[Path]:
    """A file of the same name to write; it takes the place of `path` when the block ends, and goes if the block fails.

    It lies in a new folder beside `path`, which may hold other files for as long: no two writers meet there, and no
    pattern that finds the finished files finds this one.

    Args:
        path: in a folder that is there.
        remedy: what to do where it cannot be written.
        durable: also survive a loss of power, which may otherwise keep the name and not the content.
    Raises:
        StorageError: it cannot be written.
    """
    with (
        writing(path, remedy),
        TemporaryDirectory(prefix=PARTIAL, dir=path.parent, ignore_cleanup_errors=True) as folder,
    ):
        partial = Path(folder) / path.name
        yield partial
        if durable:
            with partial.open("rb") as file:
                os.fsync(file.fileno())
        partial.replace(path)


def make_folder(folder: Path) -> None:
    """Make the folder and its parents where they are missing.

    Raises:
        StorageError: it cannot be made.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file, and its folder where that is missing.

    Raises:
        StorageError: it cannot be written.
    """
    make_folder(path.parent)
    with replacing(path) as partial:
        partial.write_text(text)

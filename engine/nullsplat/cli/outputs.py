"""Whether the outputs of a command can be put where they were asked for: known before the long work, not after it."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from nullsplat.core.errors import ConfigurationError, StorageError


def check_files(source: Path, files: Sequence[Path]) -> None:
    """Refuse outputs that would replace the input, each other or a folder, or cannot be written.

    Args:
        source: the input, a file or folder.
        files: the outputs; OUTPUT may be an empty folder that is there.
    Raises:
        ConfigurationError: a name that is taken, or a folder that is not there.
        StorageError: a folder that cannot be written.
    """
    for index, file in enumerate(files):
        if not file.parent.is_dir():
            raise ConfigurationError(f"{file} needs a folder {file.parent} that is there; create it first")
        if file.exists() and file.samefile(source):
            raise ConfigurationError(
                f"every output must be another file and not INPUT, got {file}; rename it"
            )
        if any(_is_same(file, other) for other in files[:index]):
            raise ConfigurationError(f"every output must be a file of its own, got {file} twice; rename one")
        folder = file if file.is_dir() else file.parent
        if not os.access(folder, os.W_OK | os.X_OK):
            raise StorageError(f"{folder} cannot be written; change its permissions or choose another folder")


def check_new_folder(folder: Path) -> None:
    """Refuse what a series cannot be put into.

    Raises:
        ConfigurationError: a folder that holds files, or a file.
    """
    if folder.is_file():
        raise ConfigurationError(f"OUTPUT must be a new or empty folder, {folder} is a file; choose another")
    if folder.is_dir() and any(folder.iterdir()):
        raise ConfigurationError(
            f"OUTPUT must be a new or empty folder, {folder} holds files; choose another"
        )


def check_is_no_folder(file: Path) -> None:
    """Refuse a folder where a file was asked for.

    Raises:
        ConfigurationError: it is a folder.
    """
    if file.is_dir():
        raise ConfigurationError(f"a file was needed, {file} is a folder; give the name of a file in it")


def check_absent(files: Sequence[Path], *, overwrite: bool) -> None:
    """Refuse to replace a file unless that was asked for.

    Raises:
        ConfigurationError: a file is there already.
    """
    there = [file for file in files if file.exists()]
    if there and not overwrite:
        raise ConfigurationError(
            f"{there[0]} already exists; choose another name, or give --overwrite to replace it"
        )


@contextmanager
def whole_series(folder: Path) -> Iterator[None]:
    """Take back what was written into a new or empty folder if not all of it could be: half a series looks like one."""
    was_there = folder.exists()
    try:
        yield
    except BaseException:
        with suppress(OSError):
            for file in folder.glob("*.dcm"):
                file.unlink()
            if not was_there:
                folder.rmdir()
        raise


def _is_same(one: Path, other: Path) -> bool:
    return one.absolute() == other.absolute() or (one.exists() and other.exists() and one.samefile(other))

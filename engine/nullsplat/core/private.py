"""Folders and files that other users of the machine must not read: images of patients pass through them, and secrets lie in them."""

import errno
import os
from pathlib import Path

from nullsplat.core.errors import ConfigurationError

FOLDER, FILE = 0o700, 0o600
OTHERS = 0o077


def read_secret(file: Path, setting: str) -> str:
    """Text of a file without what surrounds it, such as the mark that some editors begin files with.

    Raises:
        ConfigurationError: it cannot be read; names the setting, and shows the file only if it is a whole path, since anything
            else may be the secret itself, written into the wrong place.
    """
    try:
        return file.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        shown = file if file.is_absolute() else "what stands there"
        raise ConfigurationError(f"{setting} must name a readable text file, {shown}: {reason}") from None


def private_folder(folder: Path) -> None:
    """Create a folder for this user alone, or close one that is there; parents are created as they come.

    Raises:
        OSError: it cannot be; as PermissionError also where it is open to others and belongs to somebody else.
    """
    folder.mkdir(mode=FOLDER, parents=True, exist_ok=True)
    _close(folder, FOLDER)


def is_private(path: Path) -> bool:
    """Whether no other user of the machine may do anything with it."""
    return not path.stat().st_mode & OTHERS


def close_files(folder: Path) -> None:
    """Take the files that lie directly in a folder away from other users.

    Raises:
        OSError: as `private_folder`.
    """
    for path in folder.iterdir():
        if path.is_file() and not path.is_symlink():
            _close(path, FILE)


def _close(path: Path, mode: int) -> None:
    try:
        status = path.stat()
        if not status.st_mode & OTHERS:
            return
        if status.st_uid != os.geteuid():
            raise PermissionError(errno.EACCES, _foreign(path, status.st_mode, mode), str(path))
        path.chmod(mode)
    except FileNotFoundError:  # another process has just removed it
        return


def _foreign(path: Path, found: int, wanted: int) -> str:
    return (
        f"{path.name} is open to other users (mode {found & 0o7777:04o}) and belongs to another one; give it to this "
        f"user (chown) or close it (chmod {wanted:04o})"
    )

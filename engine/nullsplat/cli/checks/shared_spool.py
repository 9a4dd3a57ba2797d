"""`nullsplat doctor`'s check of the folder that the workers of several machines share."""

import contextlib
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from nullsplat.cli.checks.findings import Finding, Level
from nullsplat.service.settings import Settings, variable_of
from nullsplat.service.worker.ownership import OWNER

SUBJECT = "Shared spool"
MOUNTS = Path("/proc/self/mountinfo")
SHARED = ("nfs", "ceph", "fuse.ceph", "glusterfs", "fuse.gluster", "lustre", "beegfs", "gpfs", "cifs", "smb")
"""How the names of file systems begin that several machines can mount at once."""


def shared_spool(settings: Settings) -> Finding | None:
    """Whether it is there, can be written, and is on a file system that machines share; None where none is named."""
    folder, name = settings.shared_spool, variable_of("shared_spool")
    if folder is None:
        return None
    if not folder.is_dir():
        return Finding(SUBJECT, Level.MISSING, f"{name} must name a folder, {folder} is none; mount it")
    try:
        _try(folder)
    except OSError as error:
        text = f"{name} must be a folder that this user may write to, {folder} is not: {error.strerror}"
        return Finding(SUBJECT, Level.MISSING, text)
    kind, database = file_system(folder), _owner(folder)
    if not kind.startswith(SHARED):
        text = f"{folder} is on {kind or 'an unknown file system'}, which other machines do not see; mount the volume there"
        return Finding(SUBJECT, Level.NOTE, text)
    return Finding(
        SUBJECT, Level.OK, f"{folder} is on {kind}, and belongs to {database or 'no database yet'}"
    )


def file_system(folder: Path) -> str:
    """The type of the file system that a folder is on, as the kernel calls it; empty where it does not say."""
    found = ""
    longest = -1
    with contextlib.suppress(OSError):
        for line in MOUNTS.read_text().splitlines():
            before, _, after = line.partition(" - ")
            place = Path(before.split()[4].replace("\\040", " "))
            # Of two at the same place the later one is seen.
            if folder.resolve().is_relative_to(place) and len(place.parts) >= longest:
                found, longest = after.split()[0], len(place.parts)
    return found


def _try(folder: Path) -> None:
    """Do what taking over a job does; raises OSError."""
    with TemporaryDirectory(prefix=".doctor-", dir=folder) as name:
        made = Path(name) / "a" / "file"
        made.parent.mkdir()
        made.touch()
        made.rename(Path(name) / "file")


def _owner(folder: Path) -> str:
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        return str(json.loads((folder / OWNER).read_text())["url"])
    return ""

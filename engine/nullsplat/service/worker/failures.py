"""Turns errors into the contract's failures."""

import errno
import shutil
from pathlib import Path

from nullsplat.core.errors import NullSplatError, StorageError
from nullsplat.service.folders import LARGER, MIB, VANISHED
from nullsplat.service.queue.jobs import Failure

UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG)
LOST = (errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.EACCES, errno.EPERM, errno.ENODEV, errno.ENXIO)
"""Errors on files in a spool that something else deletes, or whose disk or share disappears."""


def as_failure(error: Exception, spool: Path, needed: int | None = None) -> Failure:
    """The failure of the contract for an error.

    Args:
        error: what stopped the job.
        spool: the working folder, whose free space is stated when it is full.
        needed: the bytes that the job was expected to need, if known.
    """
    known = _known(error, spool, needed)
    if known is None:
        # The text of an unexpected error may quote the data that caused it; it belongs in the log only.
        message = f"an unexpected {type(error).__name__} stopped the job; the worker's log has the details"
        return {"code": "internal", "message": message, "retryable": False}
    return {"code": known.code, "message": str(known), "retryable": known.retryable}


def _known(error: Exception, spool: Path, needed: int | None) -> NullSplatError | None:
    if type(error) is StorageError and isinstance(error.__cause__, OSError):
        return _known(error.__cause__, spool, needed) or error
    if isinstance(error, NullSplatError):
        return error
    if isinstance(error, OSError) and error.errno in UNWRITABLE:
        free = shutil.disk_usage(spool).free // MIB
        need = "" if needed is None else f", the job needs about {-(-needed // MIB)} MB"
        return StorageError(
            f"the spool could not be written ({error.strerror}): {free} MB are free{need}; {LARGER}"
        )
    if isinstance(error, OSError) and error.errno in LOST:
        return StorageError(
            f"a file of the job in the spool was lost while the job was running ({error.strerror}); {VANISHED}"
        )
    return None

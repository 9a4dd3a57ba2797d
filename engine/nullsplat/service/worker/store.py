"""The store stage: the finished files go into the archive, all of them, and only once."""

from dataclasses import asdict
from typing import Any

from nullsplat.core.errors import ArchiveUnavailable, Cancelled, MixedRuns, StorageError
from nullsplat.core.progress import Progress
from nullsplat.dicomweb.archive import Archive
from nullsplat.dicomweb.retry import LastContact, retry_until_deadline
from nullsplat.service.folders import VANISHED, JobFolder
from nullsplat.service.processing.protocol import Derived
from nullsplat.service.queue.jobs import JobStore

CHUNK = 32
"""Instances per STOW-RS request: faster than one each, and an interruption costs little."""
DERIVED = "derived.json"
STARTED = "storing.json"


class Store:
    """Stores the derived series and what goes with it: all instances, or the stage is not done."""

    def __init__(self, archive: Archive, store: JobStore, timeout: float) -> None:
        self._archive = archive
        self._store = store
        self._timeout = timeout

    def __call__(self, key: str, request: dict[str, Any], folder: JobFolder, progress: Progress) -> None:
        """Do the stage; instances stored by an earlier, interrupted attempt of this job are skipped.

        Raises:
            Cancelled: the job was cancelled before the first instance went out; later it is too late.
            MixedRuns: part of the series is there already, but not from this job.
            ArchiveError: the archive refuses or stays unreachable.
        """
        derived = remembered_derived(folder)
        if not self._store.begin_storing(key):
            raise Cancelled("the job was cancelled on request")

        contact = LastContact()

        def stored(fraction: float, note: str = "") -> None:
            contact.note()
            progress(fraction, note)

        def attempt() -> None:
            self._attempt(request["study_instance_uid"], derived, folder, stored)

        retry_until_deadline(attempt, self._timeout, lambda why: progress(0.0, why), contact)

    def _attempt(self, study: str, derived: Derived, folder: JobFolder, progress: Progress) -> None:
        files = {uid: name for series in derived.all_series.values() for uid, name in series.items()}
        wanted = frozenset(files)
        present = self._present(study, derived)
        if not folder.has(STARTED):
            if present and present != wanted:
                raise MixedRuns(
                    f"the archive already holds {len(present)} of the {len(wanted)} instances of the result, from "
                    "another run; an archive keeps the old pixels of an instance, so delete that series or ask for "
                    "the run again, which makes a new one"
                )
            folder.write(STARTED, {"present": len(present)})
        todo = [folder.derived / name for uid, name in files.items() if uid not in present]
        for start in range(0, len(todo), CHUNK):
            self._archive.store(study, todo[start : start + CHUNK])
            stored = len(wanted) - len(todo) + min(start + CHUNK, len(todo))
            progress(stored / len(wanted), f"{stored} of {len(wanted)} instances")
        if missing := len(wanted - self._present(study, derived)):
            raise ArchiveUnavailable(
                f"the archive confirmed the result, but {missing} of {len(wanted)} instances are missing"
            )

    def _present(self, study: str, derived: Derived) -> frozenset[str]:
        held = (self._archive.holding(study, series).sop_instance_uids for series in derived.all_series)
        return frozenset().union(*held)


def remember_derived(folder: JobFolder, derived: Derived) -> None:
    """Keep the UIDs and names of the finished files."""
    folder.write(DERIVED, asdict(derived))


def remembered_derived(folder: JobFolder) -> Derived:
    """What `remember_derived` kept; earlier versions kept no SOP classes, and at first no further series but maps, as `maps`."""
    kept = folder.read(DERIVED)
    if kept is None:
        raise StorageError(f"{DERIVED} of the job is gone from the spool or damaged; {VANISHED}")
    further = kept.get("further", kept.get("maps", {}))
    return Derived(kept["series_instance_uid"], kept["files"], further, kept.get("classes", {}))


def refuse_if_storing_began(folder: JobFolder) -> None:
    """Refuse to re-create files of which the archive may hold some already.

    Raises:
        MixedRuns: the store stage has begun in this folder.
    """
    if folder.has(STARTED):
        raise MixedRuns(
            "the finished files were lost after some of them had been stored, and cannot be made again with certainly "
            "the same pixels; ask for the run again, which makes a new series"
        )


def has_derived(folder: JobFolder) -> bool:
    """Whether the finished files were written in this folder and are still known."""
    return folder.read(DERIVED) is not None

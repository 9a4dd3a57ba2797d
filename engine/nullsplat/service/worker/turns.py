"""Who works on a job has a folder of its own below the job's, and takes into it what the one before has finished.

The folders have the numbers that the database gives to turns (`JobStore.take`), so that a later one is known by its number, also
where several machines share the spool. A worker that was cut off, and goes on when its job has long been another's, writes
into a folder that nobody reads any more: neither locks nor the time at which a network file system shows a change matter.
"""

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from nullsplat.core.files import PARTIAL, writing
from nullsplat.service.folders import VANISHED, JobFolder

TURN = "turn-"
WHOLE = "took"
"""In a turn's folder: it has all that the turns before it had finished."""


def take_over(job: JobFolder, number: int) -> JobFolder:
    """The folder of a new turn at a job, with all that was finished before it.

    Args:
        job: the job's own folder.
        number: of the turn.
    Raises:
        StorageError: the spool cannot be written.
    """
    mine = JobFolder(job.path / f"{TURN}{number}")
    with writing(mine.path, VANISHED):
        for folder in (job.path, mine.path):
            folder.mkdir(mode=0o700, exist_ok=True)
        older = [turn for turn in turns(job) if number_of(turn) < number]
        # Versions without turns wrote into the job's own folder, which else holds the documents of an earlier end.
        for before in [*older, *([job] if job.images else [])]:
            _move_finished(before.path, mine.path)
            if before.has(WHOLE):
                break
        mine.write(WHOLE, {"turn": number})
    for before in older:
        shutil.rmtree(before.path, ignore_errors=True)
    job.discard_images()
    return mine


def drop_if_taken(turn: JobFolder) -> None:
    """Delete what a worker wrote into the folder of its turn after another took its files; or of a job that is over."""
    if not turn.has(WHOLE):
        shutil.rmtree(turn.path, ignore_errors=True)


def turns(job: JobFolder) -> list[JobFolder]:
    """The folders of the turns at a job, the latest first."""
    found = [JobFolder(path) for path in job.path.glob(f"{TURN}*")]
    return sorted(found, key=number_of, reverse=True)


def latest(job: JobFolder) -> JobFolder:
    """The folder of the latest turn at a job; the job's own where there was none."""
    return next(iter(turns(job)), job)


def number_of(turn: JobFolder) -> int:
    """The number of a turn, by its folder."""
    return int(turn.path.name.removeprefix(TURN))


def images_of(job: JobFolder) -> tuple[Path, ...]:
    """All folders of a job that may hold images, those of its turns first, the latest of them first."""
    return (*(turn.path for turn in turns(job)), *job.images)


def clear(job: JobFolder, images: Sequence[Path]) -> None:
    """Keep the documents of the latest turn in the job's own folder, and delete the folders with images.

    Args:
        job: of which it is certain that it is over.
        images: as `images_of` found them before that was certain: a turn that begins meanwhile is not among them.
    """
    if images and images[0].name.startswith(TURN):
        with contextlib.suppress(OSError):  # another worker, or a person, was faster
            for document in images[0].glob("*.json"):
                document.replace(job.path / document.name)
    for folder in images:
        shutil.rmtree(folder, ignore_errors=True)


def _move_finished(source: Path, target: Path) -> None:
    """Move what is whole, file by file where files are added to a folder, so that no folder of `source` is in use in `target`."""
    for path in _finished(source):
        destination = target / path.relative_to(source)
        if destination.exists():  # a later turn's
            continue
        destination.parent.mkdir(mode=0o700, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # another worker was faster
            path.rename(destination)


def _finished(folder: Path) -> Iterator[Path]:
    """What is whole; in the workspace the marks that a stage is done come last, since they speak of the other files."""
    job = JobFolder(folder)
    yield from (whole for whole in (job.source, job.derived) if whole.exists())
    files = [path for path in job.work.glob("*") if not path.name.startswith(PARTIAL)]
    yield from sorted(files, key=lambda path: path.name.endswith(".done.json"))
    yield from folder.glob("*.json")

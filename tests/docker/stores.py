"""Where images lie: outside the clone and for a week where layers cost no copies, else in a folder that goes with the run.

A build then takes from earlier ones all steps whose instructions and files are the same, as a container service's own does. With
each week comes an empty store, so that what Debian and PyPI change is met within days; so it does when the store cannot be read, a
build in it failed, or it holds the layers of many builds.
"""

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

RUNNING = Path("/run/nullsplat-images")
KEPT_WEEKS = 2
"""This one, and the last, which a run that began before midnight may still use."""
MOST_LAYERS = 250
"""About 40 builds, and 5 GB."""
SUSPECT = "suspect"
"""Marks a store in which a build failed: the instructions may be wrong, or a layer damaged, so the next run does without it."""


@dataclass(frozen=True)
class Store:
    """A folder of images, what is written while containers run, and how layers are put over each other."""

    images: Path
    running: Path
    driver: str

    @property
    def is_kept(self) -> bool:
        """Whether later builds may take layers from it: vfs copies everything below for each of them."""
        return self.driver == "overlay"

    @property
    def options(self) -> list[str]:
        """The first words of every buildah command."""
        places = ["--root", str(self.images), "--runroot", str(self.running)]
        return [*places, "--storage-driver", self.driver]


def cache() -> Path:
    """The folder of all weeks' stores."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nullsplat" / "images"


@contextmanager
def opened(folder: Path, kept: Path, week: str | None = None) -> Iterator[Store]:
    """This week's store below `kept`, or one in `folder` where the file system cannot put layers over each other."""
    week = week or time.strftime("%G-W%V")
    store = Store(kept / week, RUNNING / week, "overlay")
    kept.mkdir(parents=True, exist_ok=True)
    with (kept / f"{week}.lock").open("w") as lock:
        if _is_free(lock):
            _tidy(store)
        fcntl.flock(lock, fcntl.LOCK_SH)
        forget_all_but(kept, KEPT_WEEKS)
        if _works(store):
            try:
                yield store
            except Exception:
                (store.images / SUSPECT).touch()
                raise
            return
    yield Store(folder / "images", folder / "run", "vfs")
    shutil.rmtree(folder)


def forget_all_but(kept: Path, weeks: int) -> None:
    """Remove the oldest weeks' stores."""
    for old in sorted(path for path in kept.iterdir() if path.is_dir())[:-weeks]:
        shutil.rmtree(old)


def _tidy(store: Store) -> None:
    """Remove what a run that was killed has left; begin anew where the store is damaged or full."""
    _call(store, "rm", "--all")
    suspect = not _works(store) or (store.images / SUSPECT).exists()
    if suspect or len(list((store.images / "overlay").iterdir())) > MOST_LAYERS:
        for place in (store.images, store.running):
            shutil.rmtree(place, ignore_errors=True)


def _works(store: Store) -> bool:
    listed = _call(store, "images")
    return (
        listed.returncode == 0 and b"corrupted" not in listed.stderr
    )  # buildah goes on without what it misses


def _is_free(lock: TextIO) -> bool:
    """Whether no other run uses the store; if so it is this one's alone until the lock is shared."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _call(store: Store, *words: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(["buildah", *store.options, *words], capture_output=True, check=False, timeout=300)

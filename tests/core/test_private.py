import os
from pathlib import Path

import pytest

from nullsplat.core.private import close_files, private_folder


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_a_new_folder_is_for_its_user_alone(tmp_path: Path) -> None:
    private_folder(tmp_path / "a" / "b")
    assert mode(tmp_path / "a" / "b") == 0o700


@pytest.mark.parametrize("before", [0o755, 0o770, 0o701, 0o2775])
def test_a_folder_that_is_there_is_closed(tmp_path: Path, before: int) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a").chmod(before)
    private_folder(tmp_path / "a")
    assert mode(tmp_path / "a") & 0o077 == 0


def test_files_in_a_folder_are_closed_but_not_what_a_link_leads_to(tmp_path: Path) -> None:
    folder, outside = tmp_path / "a", tmp_path / "outside"
    folder.mkdir()
    outside.write_text("x")
    outside.chmod(0o644)
    (folder / "db").write_text("x")
    (folder / "db").chmod(0o644)
    (folder / "link").symlink_to(outside)
    close_files(folder)
    assert (mode(folder / "db"), mode(outside)) == (0o600, 0o644)


def test_what_belongs_to_another_user_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o750)
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(PermissionError, match=r"open to other users \(mode 0750\).*chmod 0700"):
        private_folder(tmp_path)
    assert mode(tmp_path) == 0o750

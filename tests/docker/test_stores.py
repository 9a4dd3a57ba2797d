"""What is kept of built images, and for how long."""

import os
import shutil
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from tests.docker.buildah import Buildah
from tests.docker.stores import Store, forget_all_but, opened

needs_buildah = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("buildah") is None, reason="no buildah for root"
)


def test_stores_of_long_ago_go(tmp_path: Path) -> None:
    for week in ("2025-W52", "2026-W01", "2026-W02"):
        (tmp_path / week).mkdir()
    forget_all_but(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2026-W01", "2026-W02"]


@needs_buildah
def test_what_a_killed_run_left_goes_unless_another_run_is_at_work(tmp_path: Path) -> None:
    def containers(store: Store) -> list[str]:
        return Buildah(store, tmp_path).call("containers", "--quiet").split()

    def run(name: str) -> AbstractContextManager[Store]:
        return opened(tmp_path / name, tmp_path / "kept", week=tmp_path.name)

    with run("first") as store:
        if not store.is_kept:
            pytest.skip("this file system cannot put layers over each other")
        Buildah(store, tmp_path).call("from", "scratch")
        with run("second"):
            assert len(containers(store)) == 1
    with run("third"):
        assert containers(store) == []

"""What is kept of built images, and for how long."""

import os
import shutil
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from tests.docker import stores
from tests.docker.buildah import Buildah
from tests.docker.stores import Store, forget_all_but, opened


@pytest.fixture(autouse=True, scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> None:
    if os.geteuid() != 0 or shutil.which("buildah") is None:
        pytest.skip("no buildah for root")
    with run(tmp_path_factory.mktemp("probe"), "run") as store:
        if not store.is_kept:
            pytest.skip("this file system cannot put layers over each other")


def test_stores_of_long_ago_go(tmp_path: Path) -> None:
    for week in ("2025-W52", "2026-W01", "2026-W02"):
        (tmp_path / week).mkdir()
    forget_all_but(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2026-W01", "2026-W02"]


def test_what_a_killed_run_left_goes_unless_another_run_is_at_work(tmp_path: Path) -> None:
    with run(tmp_path, "first") as store:
        Buildah(store, tmp_path).call("from", "scratch")
        with run(tmp_path, "second"):
            assert len(containers(store, tmp_path)) == 1
    with run(tmp_path, "third"):
        assert containers(store, tmp_path) == []


def test_a_damaged_store_is_begun_anew_unless_another_run_is_at_work(tmp_path: Path) -> None:
    with run(tmp_path, "first") as store:
        (store.images / "overlay-layers" / "layers.json").write_text('[{"id": "half wri')
        with run(tmp_path, "second") as other:
            assert not other.is_kept
    with run(tmp_path, "third") as store:
        assert store.is_kept
        assert containers(store, tmp_path) == []


def test_a_full_store_is_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with run(tmp_path, "first") as store:
        (store.images / "overlay" / "layer").mkdir()
    with run(tmp_path, "second") as store:
        assert (store.images / "overlay" / "layer").exists()
    monkeypatch.setattr(stores, "MOST_LAYERS", 1)
    with run(tmp_path, "third") as store:
        assert not (store.images / "overlay" / "layer").exists()


def run(folder: Path, name: str) -> AbstractContextManager[Store]:
    return opened(folder / name, folder / "kept", week=folder.name)


def containers(store: Store, folder: Path) -> list[str]:
    return Buildah(store, folder).call("containers", "--quiet").split()

"""What is kept of built images, and for how long."""

import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from tests.docker import buildah as docker_builds
from tests.docker import stores
from tests.docker.buildah import Build, Buildah
from tests.docker.stores import Store, forget_all_but, opened

DOCKERFILE = """
ARG BASE
FROM ${BASE} AS dependencies
COPY requirements /requirements
FROM ${BASE}
COPY --from=dependencies /requirements /opt/requirements
COPY engine /engine
"""


LAYERS = Path("overlay-layers") / "layers.json"


@pytest.fixture(autouse=True, scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> None:
    if os.geteuid() != 0 or shutil.which("buildah") is None:
        pytest.skip("no buildah for root")
    with run(tmp_path_factory.mktemp("probe"), "run") as store:
        if not store.is_kept:
            pytest.skip("this file system cannot put layers over each other")


@pytest.fixture(autouse=True)
def nothing_left(tmp_path: Path) -> Iterator[None]:
    yield
    shutil.rmtree(stores.RUNNING / tmp_path.name, ignore_errors=True)


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
        buildah = Buildah(store, tmp_path)
        buildah.call("commit", buildah.call("from", "scratch"), "localhost/image")
        (store.images / LAYERS).write_text('[{"id": "half wri')
        with run(tmp_path, "second") as other:
            assert not other.is_kept
    with run(tmp_path, "third") as store:
        assert store.is_kept
        assert Buildah(store, tmp_path).call("images", "--quiet") == ""


def test_a_store_in_which_a_build_failed_is_begun_anew(tmp_path: Path) -> None:
    def fail() -> None:
        with run(tmp_path, "first") as store:
            (store.images / "overlay" / "layer").mkdir()
            Buildah(store, tmp_path).call("build", str(tmp_path / "nothing"))

    with pytest.raises(AssertionError, match="may be removed"):
        fail()
    with run(tmp_path, "second") as store:
        assert not (store.images / "overlay" / "layer").exists()


def test_a_full_store_is_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with run(tmp_path, "first") as store:
        (store.images / "overlay" / "layer").mkdir()
    with run(tmp_path, "second") as store:
        assert (store.images / "overlay" / "layer").exists()
    monkeypatch.setattr(stores, "MOST_LAYERS", 1)
    with run(tmp_path, "third") as store:
        assert not (store.images / "overlay" / "layer").exists()


def test_a_build_elsewhere_takes_the_steps_that_are_the_same_and_makes_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def built(name: str, **files: str) -> int:
        """Layers in the store after a build of a new checkout, whose files are of another time than all before."""
        checkout = tmp_path / name
        checkout.mkdir()
        for file, text in files.items():
            (checkout / file).write_text(text)
        (checkout / "Dockerfile").write_text(DOCKERFILE)
        monkeypatch.setattr(docker_builds, "ROOT", checkout)
        with run(tmp_path, f"{name}-run") as store:
            buildah = Buildah(store, tmp_path)
            buildah.build(Build("Dockerfile", "scratch"))
            return len(buildah.call("images", "--all", "--quiet").split())

    first = built("first", requirements="torch", engine="1")
    assert first == 3
    assert built("second", requirements="torch", engine="1") == first
    assert built("third", requirements="torch", engine="2") == first + 1
    assert built("fourth", requirements="torch 2", engine="2") == first + 1 + 3


def run(folder: Path, name: str) -> AbstractContextManager[Store]:
    (folder / name).mkdir()
    return opened(folder / name, folder / "kept", week=folder.name)


def containers(store: Store, folder: Path) -> list[str]:
    return Buildah(store, folder).call("containers", "--quiet").split()

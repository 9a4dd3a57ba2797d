import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.docker.buildah import Build, Buildah, why_not
from tests.docker.host_packages import pip_settings


@dataclass(frozen=True)
class Images:
    """Names of the images that were built, and what they were built with."""

    buildah: Buildah
    orthanc: str
    engine: str


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    """Both images, built from this checkout; gone when the tests are over, since they are large."""
    if reason := why_not():
        pytest.skip(reason)
    missing = [tool for tool in ("buildah", "mmdebstrap") if shutil.which(tool) is None]
    assert not missing, f"{' and '.join(missing)} must be installed: run `make setup-system`"
    buildah = Buildah(tmp_path_factory.mktemp("buildah"))
    try:
        # Both wait for the network most of the time.
        with ThreadPoolExecutor(2) as pool:
            orthanc = pool.submit(build_orthanc, buildah)
            engine = pool.submit(build_engine, buildah)
        yield Images(buildah, orthanc.result(), engine.result())
    finally:
        buildah.destroy()


def build_orthanc(buildah: Buildah) -> str:
    base = buildah.make_base("trixie", {})
    return buildah.build(Build("docker/orthanc/Dockerfile", base), "localhost/nullsplat/orthanc")


def build_engine(buildah: Buildah) -> str:
    pip = pip_settings()
    base = buildah.make_base("bookworm", {"/etc/pip.conf": pip.text})
    build = Build("docker/engine/Dockerfile", base, target="cpu", mounts=pip.mounts)
    return buildah.build(build, "localhost/nullsplat/engine")

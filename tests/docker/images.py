"""The node's two images, built from this checkout."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.docker.buildah import Build, Buildah
from tests.docker.host_packages import pip_settings


@dataclass(frozen=True)
class Images:
    """IDs of the images that were built, and what they were built with."""

    buildah: Buildah
    orthanc: str
    engine: str


def build_both(buildah: Buildah) -> Images:
    """Build at the same time what waits for the network most of the time."""
    with ThreadPoolExecutor(2) as pool:
        orthanc, engine = pool.submit(_build_orthanc, buildah), pool.submit(_build_engine, buildah)
    return Images(buildah, orthanc.result(), engine.result())


def _build_orthanc(buildah: Buildah) -> str:
    return buildah.build(Build("docker/orthanc/Dockerfile", buildah.base("trixie", {})))


def _build_engine(buildah: Buildah) -> str:
    pip = pip_settings()
    base = buildah.base("bookworm", {"/etc/pip.conf": pip.text})
    return buildah.build(Build("docker/engine/Dockerfile", base, target="cpu", mounts=pip.mounts))

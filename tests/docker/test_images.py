"""The images, built from this checkout and put to work: a series goes in by C-STORE and comes back finer."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from pydicom import dcmread
from tests.docker.buildah import Container
from tests.docker.container_node import SCANNER, USER, ContainerNode, owned, processes_of
from tests.docker.images import Images

from nullsplat.core.volume import Geometry, Volume
from nullsplat.dicom.write.synthetic_series import SeriesDescription, write_ct_series
from nullsplat.node.observer import Observer, follow
from nullsplat.node.scanner import send
from nullsplat.physics.compiled import compiled_sources

pytestmark = [pytest.mark.docker, pytest.mark.slow]

SLICES, FACTOR = 8, 4
NO_UNWANTED_WRITES = ("/tmp", "/var/tmp", "/run/lock", "/run/secrets")  # noqa: S108 - compared, not used


# Sockets of pynetdicom's and requests' ended connections wait for the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_series_goes_through_the_containers(images: Images, tmp_path: Path) -> None:
    files = write_ct_series(small_chest(), tmp_path / "scan", SeriesDescription(slice_thickness_mm=5.0))
    compiled_here = given_but_one(tmp_path / "cache" / "numba")
    with ContainerNode(images, tmp_path) as node:
        (started := tmp_path / "started").touch()
        owners = {name: processes_of(child.process.pid) for name, child in node.children.items()}
        assert all(owners.values()), f"every part must run as user {USER}, but got {owners}"

        send(files, node.peer, SCANNER)
        state, job = followed(node, str(dcmread(files[0]).SeriesInstanceUID))

        assert "thick slices" in state["decision"]
        assert [stage["state"] for stage in job["stages"]] == ["done"] * 6
        arrived = node.pacs.received(state["derived"]["series_instance_uid"])
        assert len(arrived) == SLICES * FACTOR
        assert all(dcmread(path).ImageType[0] == "DERIVED" for path in arrived.values())
        assert list(compiled_here.glob("*.nbi")), "compiled code must be kept in the cache's volume"
        for name, box in boxes(node).items():
            new = [path for path in written(box, started) if not path.startswith(NO_UNWANTED_WRITES)]
            assert not new, f"{name} must not write into its image, but wrote {sorted(new)[:5]}"
        (node.orthanc.root / "etc" / "seen").touch()
        assert "/etc/seen" in written(node.orthanc, started)

        assert node.worker_is_healthy()
        node.stop("worker")
        assert not node.worker_is_healthy(), "a worker that has left must not count as healthy"
        node.stop("serve")
        assert not node.serving.is_healthy()


@pytest.mark.parametrize("name", ["orthanc", "engine"])
def test_nothing_but_the_volumes_can_be_written(images: Images, name: str) -> None:
    container = Container(images.buildah, getattr(images, name), {}, {})
    closed = ["-type", "d", "-not", "-readable", "-prune"]
    command = ["find", "/", "-xdev", *closed, "-o", "-writable", "-not", "-type", "l", "-print"]
    writable = {
        path
        for path in container.output(*command).splitlines()
        if not path.startswith((*container.volumes, *NO_UNWANTED_WRITES, "/dev", "/proc"))
    }
    assert not writable


@pytest.mark.parametrize("name", ["orthanc", "engine"])
def test_the_image_says_how_it_is_to_be_run(images: Images, name: str) -> None:
    configuration = images.buildah.configuration(getattr(images, name))
    assert configuration["User"] == f"{USER}:{USER}"
    assert configuration["Healthcheck"]["Test"][0] == "CMD"
    secrets = [one for one in configuration["Env"] if re.search("PASSWORD|SECRET|TOKEN", one)]
    assert not secrets


def test_the_engine_says_what_it_is_made_of(images: Images) -> None:
    container = Container(images.buildah, images.engine, {}, {})
    text = container.output("sh", "-c", "cat /opt/nullsplat/share/nullsplat/nullsplat-*.cdx.json")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    script = "from importlib.metadata import distributions as d; [print(x.metadata['Name'], x.version) for x in d()]"
    installed = dict(line.split() for line in container.output("python3", "-c", script).splitlines())
    told = {one["name"]: one["version"] for one in json.loads(text)["components"] if one["type"] == "library"}
    assert told["torch"].endswith("+cpu")
    assert told.items() <= installed.items()
    assert installed.keys() - told.keys() <= {"nullsplat", "pip", "setuptools"}


def test_orthanc_says_what_is_missing(images: Images, tmp_path: Path) -> None:
    container = Container(images.buildah, images.orthanc, {}, {"NULLSPLAT_ADMIN_PASSWORD_FILE": "/nowhere"})
    child = container.start("orthanc", tmp_path / "log")
    assert child.process.wait(60) != 0
    assert "NULLSPLAT_ADMIN_PASSWORD_FILE must name a readable text file" in child.log.read_text()


def boxes(node: ContainerNode) -> dict[str, Container]:
    return {"orthanc": node.orthanc, "serve": node.serving, "worker": node.working}


def written(container: Container, since: Path) -> list[str]:
    """All files of a container's root filesystem that were made or changed after a file of this machine."""
    command = ["find", str(container.root), "-type", "f", "-cnewer", str(since), "-printf", "/%P\\n"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def given_but_one(cache: Path) -> Path:
    """Put what other tests compiled into a container's cache, but for the kernels of one folder, which is named."""
    left = "nullsplat.splat.kernels.voxelise"
    state = compiled_sources()[:16]
    for path in (Path(os.environ["NUMBA_CACHE_DIR"]) / state).glob("*/*.nb[ic]"):
        folder = owned(owned(owned(owned(cache.parent) / cache.name) / state) / path.parent.name)
        if folder.name != left:
            os.chown(shutil.copy(path, folder), USER, USER)
    return cache / state / left


def followed(node: ContainerNode, uid: str) -> tuple[dict[str, object], dict[str, object]]:
    observer = Observer(node.addresses)
    return follow(observer, observer.identifier(uid), lambda *_: None, node.check)


def small_chest() -> Volume:
    """Soft tissue, two lungs and noise."""
    z, y, x = np.mgrid[:SLICES, :64, :64].astype(np.float32)
    hu = np.full(z.shape, -1000, np.float32)
    hu[((y - 32) / 26) ** 2 + ((x - 32) / 30) ** 2 < 1] = 40
    for centre in (20, 44):
        hu[((y - 30) / 14) ** 2 + ((x - centre) / 9) ** 2 < 1] = -850
    hu += np.random.default_rng(0).normal(0, 15, hu.shape).astype(np.float32)
    return Volume(hu, Geometry((SLICES, 64, 64), (5.0, 2.0, 2.0), (-64.0, -64.0, 0.0)))

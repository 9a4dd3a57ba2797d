"""The engine against the archive that it is made for."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from archive_double import ArchiveDouble
from bench import Engine, wait_for
from dicom_samples import SERIES, STUDY, ct_series
from tests.service.radiograph_double import Image, ramp

from nullsplat.core.progress import silent
from nullsplat.demo.installation import installed_orthanc
from nullsplat.demo.processes import free_port
from nullsplat.prior.radiograph_cache import RadiographCache
from nullsplat.service import radiograph_archive
from nullsplat.service.access import Access
from nullsplat.service.archive import Archive
from nullsplat.service.radiograph_fetching import Wanted, gather
from nullsplat.service.settings import Settings

pytestmark = pytest.mark.orthanc
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
Request = Callable[..., dict[str, Any]]


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[httpx.Client]:
    """Orthanc with DICOMweb and nothing else, holding the source series."""
    port = free_port()
    configuration = {
        "StorageDirectory": str(tmp_path / "orthanc"),
        "IndexDirectory": str(tmp_path / "orthanc"),
        "HttpPort": port,
        "DicomServerEnabled": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {"engine": "engine-password"},
        "HttpCompressionEnabled": False,
        "Plugins": [str(PLUGIN)],
        "DicomWeb": {"Enable": True},
    }
    (tmp_path / "orthanc.json").write_text(json.dumps(configuration))
    with (tmp_path / "orthanc.log").open("wb") as log:
        process = subprocess.Popen(
            [installed_orthanc(), str(tmp_path / "orthanc.json")], stdout=log, stderr=log
        )
    with httpx.Client(
        base_url=f"http://127.0.0.1:{port}", auth=("engine", "engine-password"), trust_env=False, timeout=20
    ) as client:
        wait_for(lambda: answers(client), what="Orthanc")
        for content in ct_series().values():
            client.post("/instances", content=content).raise_for_status()
        yield client
    process.terminate()
    process.wait()


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/system").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def environment(environment: dict[str, str], orthanc: httpx.Client) -> dict[str, str]:
    return {**environment, "NULLSPLAT_ARCHIVE_URL": str(orthanc.base_url.join("/dicom-web"))}


def test_a_job_ends_as_a_derived_series_in_orthanc(
    engine: Engine, orthanc: httpx.Client, request_for: Request
) -> None:
    engine.start_worker()
    key = engine.put(request_for(scale=(16, 1, 1)))
    status = engine.wait(key, "succeeded", "failed")
    assert status["state"] == "succeeded", engine.worker_log
    series = [orthanc.get(f"/series/{identifier}").json() for identifier in orthanc.get("/series").json()]
    (derived,) = (entry for entry in series if entry["MainDicomTags"]["SeriesInstanceUID"] != SERIES)
    assert derived["MainDicomTags"]["SeriesInstanceUID"] == status["result"]["series_instance_uid"]
    assert len(derived["Instances"]) == len(status["result"]["sop_instance_uids"]) == 96
    study = orthanc.get(f"/studies/{derived['ParentStudy']}").json()
    assert study["MainDicomTags"]["StudyInstanceUID"] == STUDY


def test_a_worker_killed_in_stage_2_leaves_exactly_one_derived_series(
    engine: Engine, orthanc: httpx.Client, request_for: Request
) -> None:
    engine.hold("stage2")
    victim = engine.start_worker()
    key = engine.put(request_for())
    engine.wait_for_stage(key, "stage2", "running")
    engine.end(victim)
    engine.release("stage2")
    engine.start_worker()
    assert engine.wait(key, "succeeded", "failed")["state"] == "succeeded"
    assert engine.calls().count("stage1") == 1
    assert len(orthanc.get("/series").json()) == 2


def test_the_client_sees_of_orthanc_what_it_sees_of_the_double(
    settings: Settings, archive: ArchiveDouble, tmp_path: Path
) -> None:
    orthanc, double = Archive(settings), Archive(settings.model_copy(update={"archive_url": archive.url}))
    assert orthanc.holding(STUDY, SERIES) == double.holding(STUDY, SERIES)
    assert orthanc.holding(STUDY, "2.25.404") == double.holding(STUDY, "2.25.404")
    target = tmp_path / "retrieved"
    target.mkdir()
    assert set(orthanc.retrieve(STUDY, SERIES, target)) == set(ct_series())
    orthanc.close()
    double.close()


def test_radiographs_come_from_orthanc_and_nothing_else_does(
    orthanc: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(radiograph_archive, "PAGE", 2)  # so that there are several
    dx = {"Modality": "DX", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1"}
    images = [Image("A", number) for number in range(5)]
    images += [Image("B", attributes=dx), Image("C", attributes={**dx, "BurnedInAnnotation": "YES"})]
    images.append(Image("D", attributes={"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}))
    for image in images:
        orthanc.post("/instances", content=image.file()).raise_for_status()
    access = Access(str(orthanc.base_url.join("/dicom-web")), ("engine", "engine-password"))
    cache = RadiographCache(tmp_path / "cache")
    gathered = gather(access, Wanted(("CR", "DX"), studies=100, per_patient=4), cache, silent)
    assert gathered.left_out == {"burned-in-annotation": 1, "secondary-capture": 1}
    radiographs = list(cache.read(gathered.images))
    patients = [one.patient for one in radiographs]
    assert sorted(patients.count(patient) for patient in set(patients)) == [1, 4]
    for one in radiographs:
        np.testing.assert_allclose(one.image, ramp() * (255 / 479), atol=0.51)

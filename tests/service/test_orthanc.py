"""The engine against the archive that it is made for."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import PIL.Image
import pytest
from pydicom import dcmread
from tests.support.dicom.enhanced import make_enhanced
from tests.support.dicom.results import make_provenance, make_result
from tests.support.dicom.series import Spec, save
from tests.support.service.archive_double import ArchiveDouble
from tests.support.service.dicom_samples import SERIES, STUDY, ct_series
from tests.support.service.engine import SECRET, Engine, wait_for
from tests.support.service.radiograph_double import Image, ramp
from tests.support.service.ups_client import OUTPUT, PERFORMED, REFERENCED, UpsClient, order, value

from nullsplat.core.progress import silent
from nullsplat.dicom.read.series import read_datasets, read_folder
from nullsplat.dicom.write.derived_series import DerivedOptions, write_derived
from nullsplat.dicom.write.encoding import OutputSyntax
from nullsplat.dicom.write.quality_report import write_quality_report
from nullsplat.dicomweb import radiographs as radiograph_archive
from nullsplat.dicomweb.access import Access
from nullsplat.dicomweb.archive import Archive
from nullsplat.dicomweb.radiograph_download import Wanted, gather
from nullsplat.node.installation import installed_orthanc
from nullsplat.node.processes import free_port
from nullsplat.prior.xray.radiograph_cache import RadiographCache
from nullsplat.service.settings import ARCHIVE_NAMES, Settings

pytestmark = pytest.mark.orthanc
PLUGINS = [
    Path("/usr/share/orthanc/plugins") / name for name in ("libOrthancDicomWeb.so", "libOrthancGdcm.so")
]
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
        "Plugins": [str(plugin) for plugin in PLUGINS],
        "DicomWeb": {"Enable": True},
    }
    (tmp_path / "orthanc.json").write_text(json.dumps(configuration))
    with (tmp_path / "orthanc.log").open("wb") as log:
        process = subprocess.Popen(
            [installed_orthanc(), str(tmp_path / "orthanc.json")], stdout=log, stderr=log
        )
    with ExitStack() as stack:
        stack.callback(process.wait)
        stack.callback(process.terminate)
        client = stack.enter_context(
            httpx.Client(
                base_url=f"http://127.0.0.1:{port}",
                auth=("engine", "engine-password"),
                trust_env=False,
                timeout=20,
                limits=httpx.Limits(max_keepalive_connections=0),  # Orthanc closes what is idle
            )
        )
        wait_for(lambda: answers(client), what="Orthanc")
        for content in ct_series().values():
            client.post("/instances", content=content).raise_for_status()
        yield client


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


def test_a_viewer_orders_what_it_finds_in_orthanc_and_finds_there_what_the_workitem_names(
    engine: Engine, orthanc: httpx.Client
) -> None:
    def held(study: str, series: str) -> set[tuple[str, str]]:
        answer = orthanc.get(f"/dicom-web/studies/{study}/series/{series}/instances")
        return {(value(one, "00080016"), value(one, "00080018")) for one in answer.json()}

    viewer = UpsClient(str(engine.client.base_url), SECRET)
    answer = viewer.create(order(STUDY, SERIES, [uid for _, uid in held(STUDY, SERIES)]))
    uid = answer.headers["Location"].rpartition("/")[2]
    engine.start_worker()
    wait_for(lambda: viewer.state(uid) == "COMPLETED", what="the result")
    for output in viewer.retrieve(uid)[PERFORMED]["Value"][0][OUTPUT]["Value"]:
        named = {(value(one, "00081150"), value(one, "00081155")) for one in output[REFERENCED]["Value"]}
        assert named == held(value(output, "0020000D"), value(output, "0020000E"))


def test_a_worker_killed_in_stage_2_leaves_exactly_one_derived_series(
    engine: Engine, orthanc: httpx.Client, request_for: Request
) -> None:
    key = engine.killed_in("stage2", request_for())
    engine.release("stage2")
    engine.start_worker()
    assert engine.wait(key, "succeeded", "failed")["state"] == "succeeded"
    assert engine.calls().count("stage1") == 1
    assert len(orthanc.get("/series").json()) == 2


def test_the_client_sees_of_orthanc_what_it_sees_of_the_double(
    settings: Settings, archive: ArchiveDouble, tmp_path: Path
) -> None:
    orthanc, double = Archive(settings.archive), Archive(replace(settings.archive, url=archive.url))
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
    access = Access(str(orthanc.base_url.join("/dicom-web")), ARCHIVE_NAMES, ("engine", "engine-password"))
    cache = RadiographCache(tmp_path / "cache")
    gathered = gather(access, Wanted(("CR", "DX"), studies=100, per_patient=4), cache, silent)
    assert gathered.left_out == {"burned-in-annotation": 1, "secondary-capture": 1}
    radiographs = list(cache.read(gathered.images))
    patients = [one.patient for one in radiographs]
    assert sorted(patients.count(patient) for patient in set(patients)) == [1, 4]
    for one in radiographs:
        np.testing.assert_allclose(one.image, ramp() * (255 / 479), atol=0.51)


@pytest.mark.parametrize("syntax", [one for one in OutputSyntax if one is not OutputSyntax.HTJ2K])
def test_orthanc_keeps_and_shows_what_is_written(
    settings: Settings, orthanc: httpx.Client, tmp_path: Path, syntax: OutputSyntax
) -> None:
    source = read_datasets([dcmread(BytesIO(content)) for content in ct_series(size=32).values()])
    provenance, result = make_provenance(source), make_result(source)
    options = DerivedOptions(syntax=syntax)
    written = write_derived(source, result, provenance, tmp_path / "derived", options)
    report = write_quality_report(
        source, written, {"noise_hu": 9.5}, provenance, tmp_path / "derived", options
    )
    archive = Archive(settings.archive)
    archive.store(STUDY, [*written.paths, report.path])
    assert archive.holding(STUDY, written.series_instance_uid).sop_instance_uids == set(
        written.sop_instance_uids
    )
    assert archive.holding(STUDY, report.series_instance_uid).sop_instance_uids == {report.sop_instance_uid}
    for uid, path in zip(written.sop_instance_uids, written.paths, strict=True):
        (identifier,) = (one["ID"] for one in orthanc.post("/tools/lookup", content=uid).json())
        assert orthanc.get(f"/instances/{identifier}/metadata/TransferSyntax").text == syntax.uid
        assert orthanc.get(f"/instances/{identifier}/file").content == path.read_bytes()
        shown = orthanc.get(f"/instances/{identifier}/image-uint16").content
        np.testing.assert_array_equal(np.asarray(PIL.Image.open(BytesIO(shown))), dcmread(path).pixel_array)
        assert orthanc.get(f"/instances/{identifier}/preview").headers["Content-Type"] == "image/png"
    back = tmp_path / "back"
    back.mkdir()
    assert set(archive.retrieve(STUDY, written.series_instance_uid, back)) == set(written.sop_instance_uids)
    arrived = {str(one.SOPInstanceUID): one for one in map(dcmread, back.iterdir())}
    for uid, path in zip(written.sop_instance_uids, written.paths, strict=True):
        assert arrived[uid].file_meta.TransferSyntaxUID == syntax.uid
        assert arrived[uid] == dcmread(path)
    archive.close()


def test_an_enhanced_image_comes_whole(settings: Settings, orthanc: httpx.Client, tmp_path: Path) -> None:
    spec = Spec(shape=(6, 24, 20))
    (path,) = save([make_enhanced(spec)], tmp_path / "sent").iterdir()
    orthanc.post("/instances", content=path.read_bytes()).raise_for_status()
    sent = dcmread(path)
    archive = Archive(settings.archive)
    holding = archive.holding(sent.StudyInstanceUID, sent.SeriesInstanceUID)
    assert (holding.sop_instance_uids, holding.voxels) == ({sent.SOPInstanceUID}, 6 * 24 * 20)
    back = tmp_path / "back"
    back.mkdir()
    assert list(archive.retrieve(sent.StudyInstanceUID, sent.SeriesInstanceUID, back)) == [
        sent.SOPInstanceUID
    ]
    archive.close()
    np.testing.assert_array_equal(read_folder(back).volume.hu, spec.hu)

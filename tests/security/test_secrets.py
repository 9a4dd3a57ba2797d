"""A patient and secrets that can be recognised anywhere go through a whole node; then every trace of it is searched."""

import json
import ssl
from urllib.request import Request, urlopen

import pytest
from pydicom.dataset import Dataset
from tests.support.plugin.series import ct_series
from tests.support.security.node import SECRETS, SecureNode, send

pytestmark = pytest.mark.orthanc
IDENTITY = {
    "PatientName": "ZWIEBELBAUM^ROSALINDE",
    "PatientID": "PID-90210-XK",
    "PatientBirthDate": "19530731",
    "AccessionNumber": "ACC-66771",
    "ReferringPhysicianName": "QUACKENBUSH^HUGO",
    "InstitutionName": "SANKT HIERONYMUS",
    "StudyDescription": "KONTROLLE NACH LOBEKTOMIE",
}
MARKS = ("zwiebelbaum", "rosalinde", "90210", "19530731", "66771", "quackenbush", "hieronymus", "lobektomie")


def identified(_: int, dataset: Dataset) -> None:
    for keyword, value in IDENTITY.items():
        setattr(dataset, keyword, value)


def gap(index: int, dataset: Dataset) -> None:
    identified(index, dataset)
    dataset.ImagePositionPatient = [0, 0, 5.0 * (index + (index > 3))]


def engine_says(node: SecureNode, path: str) -> str:
    """What the engine answers to the plugin's secret."""
    request = Request(node.settings.url + path, headers={"Authorization": f"Bearer {SECRETS[0]}"})  # noqa: S310
    trusted = ssl.create_default_context(cafile=node.authority.ca_file)
    with urlopen(request, timeout=20, context=trusted) as answer:  # noqa: S310
        text: str = answer.read().decode()
    return text


def test_no_log_metric_audit_line_or_status_leads_to_the_patient_or_tells_a_secret(node: SecureNode) -> None:
    made, broken = ct_series(6, change=identified), ct_series(6, change=gap)
    for datasets in (made, broken):
        assert send(node.dicom_port, datasets, node.authority.client())
    series = node.series(made[0].SeriesInstanceUID)
    job = node.wait(f"/nullsplat/series/{series}", state="done")["job"]["key"]
    refused = node.series(broken[0].SeriesInstanceUID)
    node.wait(f"/nullsplat/series/{refused}", state="ineligible")
    found = node.get(f"/dicom-web/studies?PatientID={IDENTITY['PatientID']}")
    assert IDENTITY["PatientID"] in json.dumps(found)  # the patient is there, for those who may ask

    files = [path for path in node.folder.rglob("*") if path.name.endswith((".log", ".jsonl"))]
    said = {str(path.relative_to(node.folder)): path.read_text("utf-8", "replace") for path in files}
    assert {"orthanc.log", "worker.log", "nginx/nullsplat.log", "spool/audit.jsonl"} <= said.keys()
    said |= {
        path: str(node.get(path))
        for path in ("/nullsplat/status", "/nullsplat/metrics", "/nullsplat/overview")
    }
    said |= {f"story of {one}": str(node.get(f"/nullsplat/story/{one}")) for one in (series, refused)}
    said |= {
        path: engine_says(node, path)
        for path in ("/metrics", "/v1/jobs", "/v1/engine", "/readyz", "/workitems?includefield=all")
    }
    for where, text in said.items():
        for mark in (*MARKS, *SECRETS, "PRIVATE KEY"):
            assert mark.lower() not in text.lower(), (where, mark)
    for where in ("orthanc.log", "worker.log", "spool/audit.jsonl", "/nullsplat/overview", "/v1/jobs"):
        assert (series if where.startswith("/nullsplat") else job) in said[where], (
            where
        )  # it was about this very job

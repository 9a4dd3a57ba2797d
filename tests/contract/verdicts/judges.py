"""The two sides that judge a series: the engine reads files, the plugin what a real Orthanc shows of them."""

import json
from pathlib import Path
from typing import Any

import httpx
from pydicom import dcmwrite
from pydicom.dataset import Dataset
from tests.contract.verdicts.table import TAKEN

from nullsplat.core.errors import NullSplatError
from nullsplat.dicom.headers import quiet_pydicom
from nullsplat.dicom.read.series import read_folder
from nullsplat_node.archive.archive import Archive
from nullsplat_node.rules.eligibility import Candidate, Criteria, check_eligibility
from nullsplat_node.series.refusal import Refused

NOT_STORED = "not-stored"
"""Orthanc would not have the file."""


class OrthancOverHttp:
    """The few calls of the `orthanc` module that examining a series needs, answered by a real Orthanc."""

    OrthancException = LookupError

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def RestApiGet(self, path: str) -> bytes:  # noqa: N802
        """Orthanc's own answer."""
        answer = self._client.get(path)
        if answer.is_error:
            raise LookupError(17, answer.text)
        return answer.content


def written(series: list[Dataset], folder: Path) -> Path:
    """Write the series as files, whose names sort in another order than the slices."""
    folder.mkdir()
    with quiet_pydicom():
        for index, dataset in enumerate(series):
            dataset.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID") or "1.2"
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID") or "1.2"
            path = folder / f"IM{(index * 5) % len(series):02d}_{index}"
            dcmwrite(path, dataset, enforce_file_format=True, little_endian=True, implicit_vr=False)
    return folder


def engine_verdict(folder: Path) -> tuple[str, str]:
    """The engine's code, and what it says."""
    try:
        read_folder(folder)
    except NullSplatError as error:
        return error.code, str(error)
    return TAKEN, ""


def plugin_verdict(folder: Path, client: httpx.Client) -> tuple[str, str]:
    """The plugin's code and what it says, of the series that Orthanc makes of the files; several are joined by +."""
    found: dict[str, str] = {}
    series = {_stored(path, client) for path in sorted(folder.iterdir())}
    for identifier in sorted(series - {None}):
        code, message = _judged(identifier or "", client)
        found[code] = message
    return "+".join(sorted(found)) or NOT_STORED, "; ".join(found.values())


def _stored(path: Path, client: httpx.Client) -> str | None:
    answer = client.post("/instances", content=path.read_bytes())
    return None if answer.is_error else str(answer.json()["ParentSeries"])


def _judged(series: str, client: httpx.Client) -> tuple[str, str]:
    archive = Archive(OrthancOverHttp(client))
    here = archive.look(series)
    try:
        check_eligibility(Candidate(archive.tags(here)), Criteria(min_slices=3), forced=True)
    except Refused as refusal:
        return refusal.code, refusal.message
    return TAKEN, ""


def quick_orthanc(folder: Path, port: int) -> Path:
    """The configuration of an Orthanc with no plugins, that need not survive a power cut."""
    configuration: dict[str, Any] = {
        "StorageDirectory": str(folder),
        "HttpPort": port,
        "DicomServerEnabled": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "OverwriteInstances": False,
        "SyncStorageArea": False,
        "HttpCompressionEnabled": False,
        "Plugins": [],
    }
    path = folder / "orthanc.json"
    path.write_text(json.dumps(configuration))
    return path

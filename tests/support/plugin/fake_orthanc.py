"""The little of the `orthanc` module that the archive needs, over series in memory."""

import hashlib
import json
import time
from io import BytesIO
from typing import Any

from pydicom.dataset import Dataset
from tests.support.plugin.series import simplified_tags

UNKNOWN_RESOURCE, FULL_STORAGE = 17, 5


class OrthancException(Exception):
    """As Orthanc raises it: code and words."""


class FakeOrthanc:
    """Series in memory.

    Attributes:
        calls: every call in order: method and path.
        sent: series and destination of every store job, whose name is its number.
        jobs: the state of all store jobs; they succeed at once unless a test says otherwise.
        full: nothing can be written while it is set.
        unreachable: no store job can be begun while it is set.
    """

    OrthancException = OrthancException

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.sent: list[tuple[str, str]] = []
        self.jobs = "Success"
        self.full = False
        self.unreachable = False
        self._series: dict[str, dict[str, Any]] = {}
        self._instances: dict[str, Any] = {}
        self._datasets: dict[str, list[Dataset]] = {}

    def add(self, datasets: list[Dataset], age: float = 3600.0) -> str:
        """Store the data sets, the last of which came `age` seconds ago, and return the series' identifier.

        A series that is there already becomes these data sets, and keeps what is remembered about it.
        """
        series = _identifier(datasets[0], "SeriesInstanceUID")
        self._datasets[str(datasets[0].SeriesInstanceUID)] = datasets
        instances = []
        for dataset in datasets:
            instances.append(_identifier(dataset, "SeriesInstanceUID", "SOPInstanceUID"))
            self._instances[instances[-1]] = simplified_tags(dataset)
        arrived = time.strftime("%Y%m%dT%H%M%S", time.gmtime(time.time() - age))
        # The same dictionary: the plugin may be writing into it.
        metadata = self._series.get(series, {}).get("metadata", {})
        metadata["LastUpdate"] = arrived
        self._series[series] = {
            "Instances": instances,
            "MainDicomTags": {
                "Modality": datasets[0].Modality,
                "SeriesInstanceUID": datasets[0].SeriesInstanceUID,
            },
            "metadata": metadata,
        }
        return series

    def datasets(self, series_uid: str) -> list[Dataset]:
        """The data sets of a series."""
        return self._datasets[series_uid]

    def delete(self, series: str) -> None:
        """Delete a series with everything that is remembered about it."""
        del self._series[series]

    def remembered(self, series: str) -> dict[str, Any]:
        """What the plugin wrote about the series."""
        state: dict[str, Any] = json.loads(self._series[series]["metadata"]["NullSplat"])
        return state

    def modalities(self) -> dict[str, str]:
        """The modality of every series."""
        return {key: one["MainDicomTags"]["Modality"] for key, one in list(self._series.items())}

    def RestApiGet(self, path: str) -> bytes:  # noqa: N802
        self.calls.append(("GET", path))
        parts = path.partition("?")[0].strip("/").split("/")
        if parts[0] == "instances" and parts[2:] == ["file"]:
            return self._file(parts[1])
        return json.dumps(self._get(parts)).encode()

    def RestApiPut(self, path: str, body: bytes) -> bytes:  # noqa: N802
        self.calls.append(("PUT", path))
        if self.full:
            raise OrthancException(FULL_STORAGE, "The file storage is full")
        _, series, _, name = path.strip("/").split("/")
        self._known(series)["metadata"][name] = body.decode()
        return b""

    def RestApiPost(self, path: str, body: bytes) -> bytes:  # noqa: N802
        self.calls.append(("POST", path))
        if path.startswith("/modalities/"):
            if self.unreachable:
                raise OrthancException(UNKNOWN_RESOURCE, "Unknown resource")
            for series in json.loads(body)["Resources"]:
                self._known(series)
                self.sent.append((series, path.split("/")[2]))
            return json.dumps({"ID": f"store-job-{len(self.sent)}"}).encode()
        if path.startswith("/jobs/"):
            return b"{}"
        if path != "/tools/lookup":
            raise OrthancException(UNKNOWN_RESOURCE, "Unknown resource")
        wanted = [
            key
            for key, one in list(self._series.items())
            if one["MainDicomTags"]["SeriesInstanceUID"] == body.decode()
        ]
        return json.dumps([{"ID": key, "Type": "Series"} for key in wanted]).encode()

    def _get(self, parts: list[str]) -> Any:
        if parts == ["series"]:
            return list(self._series)
        if parts[0] == "series":
            return self._of_series(self._known(parts[1]), parts[2:])
        if parts == ["modalities"]:
            return {}
        if parts[0] == "jobs":
            return {"State": self.jobs}
        if parts[0] == "instances" and parts[2:] == ["simplified-tags"]:
            return self._instances[parts[1]]
        if parts[0] == "instances" and parts[2:] == ["metadata"]:
            syntax = "1.2.840.10008.1.2.1"
            return {"CalledAET": "NULLSPLAT", "RemoteAET": "SCANNER", "TransferSyntax": syntax}
        raise OrthancException(UNKNOWN_RESOURCE, "Unknown resource")

    def _of_series(self, series: dict[str, Any], parts: list[str]) -> Any:
        if not parts:
            return series
        if parts == ["metadata"]:
            return series["metadata"]
        if parts == ["instances"]:
            return [self._instance(one) for one in series["Instances"]]
        raise OrthancException(UNKNOWN_RESOURCE, "Unknown resource")

    def _instance(self, identifier: str) -> dict[str, Any]:
        uid = self._instances[identifier]["SOPInstanceUID"]
        size = len(self._file(identifier))
        return {"ID": identifier, "MainDicomTags": {"SOPInstanceUID": uid}, "FileSize": size}

    def _file(self, identifier: str) -> bytes:
        every = (one for datasets in list(self._datasets.values()) for one in datasets)
        wanted = self._instances[identifier]["SOPInstanceUID"]
        buffer = BytesIO()
        next(one for one in every if one.SOPInstanceUID == wanted).save_as(buffer, enforce_file_format=True)
        return buffer.getvalue()

    def _known(self, series: str) -> dict[str, Any]:
        if series not in self._series:
            raise OrthancException(UNKNOWN_RESOURCE, "Unknown resource")
        return self._series[series]


def _identifier(dataset: Dataset, *levels: str) -> str:
    parts = [str(dataset[keyword].value) for keyword in ("PatientID", "StudyInstanceUID", *levels)]
    digest = hashlib.sha1("|".join(parts).encode(), usedforsecurity=False).hexdigest()
    return "-".join(digest[start : start + 8] for start in range(0, 40, 8))

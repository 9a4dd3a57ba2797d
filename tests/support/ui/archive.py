"""Series in memory, as the plugin asks for them through `orthanc` and as a browser does over HTTP."""

import hashlib
import json
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from tests.support.plugin.fake_orthanc import FakeOrthanc
from tests.support.plugin.series import simplified_tags

PLUGINS = ["explorer.js", "dicom-web", "python", "serve-folders", "web-viewer"]
METADATA = "4701"
Content = tuple[str, bytes]


class BrowserArchive(FakeOrthanc):
    """Answers what the page asks of Orthanc, in the forms that Orthanc 1.10 was seen to answer.

    Attributes:
        datasets: by Orthanc's identifier of the instance.
        members: identifiers of a series' instances.
    """

    def __init__(self) -> None:
        super().__init__()
        self.datasets: dict[str, Dataset] = {}
        self.members: dict[str, list[str]] = {}

    def add(self, datasets: list[Dataset], age: float = 3600.0) -> str:
        series = super().add(datasets, age)
        self.members[series] = list(self._known(series)["Instances"])
        self.datasets.update(zip(self.members[series], datasets, strict=True))
        return series

    def remember(self, series: str, stored_state: str) -> None:
        """Put a state into the metadata, as if the plugin had written it earlier."""
        self._known(series)["metadata"]["NullSplat"] = stored_state

    def RestApiPost(self, path: str, body: bytes) -> bytes:  # noqa: N802
        if path.endswith("/store"):
            return json.dumps({"ID": "store-job"}).encode()
        return super().RestApiPost(path, body)

    def _get(self, parts: list[str]) -> Any:
        if parts == ["plugins"]:
            return PLUGINS
        if parts[0] == "jobs":
            return {"State": "Running"}
        return super()._get(parts)

    def browse(self, path: str, query: dict[str, str]) -> Content:
        """MIME type and body for a GET of the browser.

        Raises:
            KeyError: there is no such thing.
        """
        parts = path.strip("/").split("/")
        if parts == ["statistics"]:
            return _json(
                {
                    "CountSeries": len(self.members),
                    "CountInstances": len(self.datasets),
                    "TotalDiskSize": "48318382080",
                }
            )
        if parts[0] == "series":
            return self._browse_series(parts[1], parts[2:])
        if parts[0] == "instances":
            return _browse_instance(self.datasets[parts[1]], parts[2:], query)
        raise KeyError(path)

    def bulk_content(self, wanted: dict[str, Any]) -> list[dict[str, Any]]:
        """Answer to /tools/bulk-content."""
        present = [series for series in wanted["Resources"] if series in self.members]
        if wanted["Level"] == "Series":
            return [self._series_shown(series) for series in present]
        studies = {self._study_of(series): series for series in present}
        return [self._study_shown(study, series) for study, series in studies.items()]

    def _browse_series(self, series: str, rest: list[str]) -> Content:
        if not rest:
            return _json(self._series_shown(series))
        if rest == ["instances-tags"]:
            return _json(
                {one: simplified_tags(_without_pixels(self.datasets[one])) for one in self.members[series]}
            )
        assert rest == ["instances"]
        return _json(
            [{"ID": one, "MainDicomTags": _placing(self.datasets[one])} for one in self.members[series]]
        )

    def _series_shown(self, series: str) -> dict[str, Any]:
        tags = simplified_tags(_without_pixels(self._first(series)))
        names = ("Modality", "SeriesDescription", "SeriesNumber", "SeriesInstanceUID", "ProtocolName")
        return {
            "ID": series,
            "Instances": self.members[series],
            "ParentStudy": self._study_of(series),
            "MainDicomTags": {name: tags[name] for name in names if name in tags},
        }

    def _study_shown(self, study: str, series: str) -> dict[str, Any]:
        first = self._first(series)
        return {
            "ID": study,
            "Series": [one for one in self.members if self._study_of(one) == study],
            "MainDicomTags": {
                "StudyInstanceUID": first.StudyInstanceUID,
                "StudyDate": first.StudyDate,
                "StudyDescription": first.get("StudyDescription", ""),
            },
            "PatientMainDicomTags": {"PatientName": str(first.PatientName), "PatientID": first.PatientID},
        }

    def _first(self, series: str) -> Dataset:
        return self.datasets[self.members[series][0]]

    def _study_of(self, series: str) -> str:
        return hashlib.sha1(self._first(series).StudyInstanceUID.encode(), usedforsecurity=False).hexdigest()


def _browse_instance(dataset: Dataset, rest: list[str], query: dict[str, str]) -> Content:
    if rest == ["simplified-tags"]:
        return _json(simplified_tags(_without_pixels(dataset)))
    if rest == ["metadata", "SopClassUid"]:
        return "text/plain", str(dataset.SOPClassUID).encode()
    if rest == ["content", "7fe0-0008"]:
        return "application/octet-stream", bytes(dataset.FloatPixelData)
    if rest == ["content", "7fe0-0010", "0"]:
        return "application/octet-stream", bytes(dataset.PixelData)
    if rest in (["image-int16"], ["image-uint16"]):
        return "image/x-portable-arbitrarymap", pam(dataset)
    if rest in (["rendered"], ["preview"]):
        return "image/png", _rendered(dataset, query) if query else _png(dataset.pixel_array)
    raise KeyError(rest)


def pam(dataset: Dataset) -> bytes:
    """The stored values as Orthanc 1.10 writes them: most significant byte first, no rescaling."""
    stored = np.frombuffer(dataset.PixelData, "<i2" if dataset.PixelRepresentation else "<u2")
    header = f"P7\nWIDTH {dataset.Columns}\nHEIGHT {dataset.Rows}\nDEPTH 1\nMAXVAL 65535\nTUPLTYPE GRAYSCALE\nENDHDR\n"
    return header.encode() + stored.astype(stored.dtype.newbyteorder(">")).tobytes()


def _rendered(dataset: Dataset, query: dict[str, str]) -> bytes:
    stored = np.frombuffer(dataset.PixelData, "<i2").reshape(dataset.Rows, dataset.Columns)
    hu = stored * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
    low = float(query["window-center"]) - float(query["window-width"]) / 2
    grey = np.clip((hu - low) / float(query["window-width"]), 0, 1) * 255
    picture = Image.fromarray(grey.astype(np.uint8)).resize((int(query["width"]), int(query["height"])))
    return _png(np.asarray(picture))


def _png(pixels: Any) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _placing(dataset: Dataset) -> dict[str, str]:
    tags = simplified_tags(_without_pixels(dataset))
    names = ("ImagePositionPatient", "ImageOrientationPatient", "InstanceNumber", "SOPInstanceUID")
    return {name: tags[name] for name in names if name in tags}


def _without_pixels(dataset: Dataset) -> Dataset:
    """The data set without its pixels, which Orthanc does not show among the tags."""
    return Dataset(
        {
            element.tag: element
            for element in dataset
            if element.keyword not in ("PixelData", "FloatPixelData")
        }
    )


def _json(content: Any) -> Content:
    return "application/json", json.dumps(content).encode()

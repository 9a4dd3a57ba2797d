"""A DICOMweb archive in memory that holds radiographs: studies, series and instances are searched and sent one by one."""

import io
import json
import re
import threading
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from tests.support.service.archive_double import ArchiveDouble, _Handler, _QuietServer

PATH = re.compile(
    r"^/dicom-web/studies(/(?P<study>[\d.]+)/series(/(?P<series>[\d.]+)/instances(/(?P<uid>[\d.]+))?)?)?$"
)
TAGS = {
    "StudyInstanceUID": "0020000D",
    "SeriesInstanceUID": "0020000E",
    "SOPInstanceUID": "00080018",
    "SOPClassUID": "00080016",
    "PatientID": "00100020",
    "NumberOfFrames": "00280008",
    "Modality": "00080060",
}
LEVELS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


def ramp(rows: int = 24, columns: int = 20) -> np.ndarray:
    return np.arange(rows * columns, dtype=np.uint16).reshape(rows, columns)


@dataclass
class Image:
    """One image; `attributes` go over the ones of an ordinary CR image."""

    patient: str
    number: int = 0
    study: int = 0
    attributes: dict[str, Any] = field(default_factory=dict)
    content: bytes | None = None

    @cached_property
    def dataset(self) -> Dataset:
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        base = f"1.2.{int.from_bytes(self.patient.encode()[:8], 'big')}.{self.study + 1}"
        dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = base, f"{base}.1"
        dataset.SOPInstanceUID = f"{base}.1.{self.number + 1}"
        dataset.Modality, dataset.PatientID, dataset.PatientName = (
            "CR",
            self.patient,
            f"Name^Of{self.patient}",
        )
        dataset.PhotometricInterpretation, dataset.SamplesPerPixel, dataset.PixelRepresentation = (
            "MONOCHROME2",
            1,
            0,
        )
        dataset.Rows, dataset.Columns = ramp().shape
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
        dataset.PixelData = ramp().tobytes()
        for keyword, value in self.attributes.items():
            setattr(dataset, keyword, value)
        return dataset

    def file(self) -> bytes:
        if self.content is not None:
            return self.content
        buffer = io.BytesIO()
        self.dataset.save_as(buffer, enforce_file_format=True)
        return buffer.getvalue()


class RadiographDouble(ArchiveDouble):
    """See `ArchiveDouble`; `images` may be changed at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.images: list[Image] = []
        self.knows_limit = True
        self.knows_filters = True
        self.delivered: list[str] = []
        """SOP Instance UIDs in the order in which they were sent."""
        self.away_after: int | None = None
        """Answer everything with 503 once so many images were sent."""
        self.broken: dict[str, int] = {}
        """Status to answer when the image with this UID is asked for."""
        self.requests = 0

    def start(self) -> None:
        handler = type("Handler", (_RadiographHandler,), {"double": self})
        self._server = _QuietServer(("127.0.0.1", self._port), handler)
        self._server.daemon_threads = True
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()


class _RadiographHandler(_Handler):
    double: RadiographDouble
    disable_nagle_algorithm = True  # head and body go out apart: the second would wait for 40 ms each time

    def do_GET(self) -> None:  # noqa: N802 - the base class names it
        double = self.double
        double.requests += 1
        double.away = double.away or len(double.delivered) == double.away_after
        if self._refused():
            return
        url = urlsplit(self.path)
        found = PATH.match(url.path)
        if found is None:
            self._answer(404)
        elif found["uid"]:
            self._send(found["uid"])
        else:
            above = (found["study"], found["series"])
            self._list(above, {key: values[-1] for key, values in parse_qs(url.query).items()})

    def _list(self, above: tuple[str | None, str | None], query: dict[str, str]) -> None:
        level = LEVELS[sum(uid is not None for uid in above)]
        found: dict[str, dict[str, Any]] = {}
        for image in self.double.images:
            dataset = image.dataset
            inside = all(uid in (None, dataset[key].value) for key, uid in zip(LEVELS, above, strict=False))
            wanted = query.get("ModalitiesInStudy", dataset.Modality)
            if inside and (wanted == dataset.Modality or not self.double.knows_filters):
                found.setdefault(str(dataset[level].value), _described(dataset))
        offset = int(query.get("offset", 0)) if self.double.knows_pages else 0
        limit = int(query.get("limit", 1000)) if self.double.knows_limit else 10**6
        page = list(found.values())[offset : offset + min(limit, self.double.page_size)]
        self._answer(200, json.dumps(page).encode(), "application/dicom+json")

    def _send(self, uid: str) -> None:
        if uid in self.double.broken:
            self._answer(self.double.broken[uid])
            return
        (image,) = (one for one in self.double.images if one.dataset.SOPInstanceUID == uid)
        self.double.delivered.append(uid)
        body = (
            b"\r\n--frontier\r\nContent-Type: application/dicom\r\n\r\n" + image.file() + b"\r\n--frontier--"
        )
        self._answer(200, body, 'multipart/related; type="application/dicom"; boundary=frontier')


def _described(dataset: Dataset) -> dict[str, Any]:
    values = {tag: dataset.get(keyword) for keyword, tag in TAGS.items()}
    values["00080061"] = dataset.Modality
    return {tag: {"vr": "UN", "Value": [str(value)]} for tag, value in values.items() if value is not None}

"""What is fuzzed: everything that reads what others wrote. Each target takes bytes and lets through errors on purpose."""

import atexit
import functools
import json
import tempfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from nullsplat.core.errors import InputError
from nullsplat.core.volume import Volume
from nullsplat.dicom.read.series import read_folder
from nullsplat.service.contract.messages import fault, job_key
from nullsplat_node.access.gate import Gate
from nullsplat_node.access.roles import ENGINE, VIEWER, Roles
from nullsplat_node.checks import SettingsError
from nullsplat_node.engine.contract import ContractError, read_error, read_job_status
from nullsplat_node.lifecycle.state import StateUnreadable, decode, encode
from nullsplat_node.rules.file import rules_from
from nullsplat_node.rules.rules import ProcessingOptions

EXAMPLES = Path(__file__).resolve().parents[1] / "contract" / "examples"
RULES = Path(__file__).resolve().parents[2] / "orthanc-config" / "rules.example.toml"
KEY = "0" * 32


@functools.cache
def ct_slice(index: int) -> bytes:
    """A file of an ordinary CT of 4 x 5 pixels."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, f"2.25.1{index}"
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = (
        "2.25.2",
        "2.25.3",
        "2.25.4",
    )
    dataset.Modality, dataset.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.InstanceNumber, dataset.SliceThickness = index + 1, 5.0
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [0, 0, 5.0 * index], [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.Rows, dataset.Columns = [0.7, 0.7], 4, 5
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 1
    dataset.RescaleIntercept, dataset.RescaleSlope = -1024, 1
    dataset.PixelData = np.arange(20, dtype="<i2").tobytes()
    buffer = BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def dicom_file(content: bytes) -> None:
    """One file of a series: the series is a volume of finite values, or refused by name."""
    folder = sound_series()
    (folder / "1.dcm").write_bytes(content)
    try:
        volume: Volume = read_folder(folder).volume
    except InputError:
        return
    assert np.isfinite(volume.hu).all()


@functools.cache
def sound_series() -> Path:
    """A folder with the first and the last of three slices; goes with the process."""
    made = tempfile.TemporaryDirectory(prefix="nullsplat-fuzz-")
    atexit.register(made.cleanup)
    for index in (0, 2):
        (Path(made.name) / f"{index}.dcm").write_bytes(ct_slice(index))
    return Path(made.name)


def job_request(content: bytes) -> None:
    """The body of a request to the engine: faulty, or it has a key."""
    request = parsed(content)
    if fault("job_request", request) is None:
        assert len(job_key(request)) == 32


def engine_answer(content: bytes) -> None:
    """What an engine, or who stands in its place, answers the plugin."""
    answer = parsed(content)
    for read in (lambda: read_job_status(answer, KEY), lambda: read_error(answer)):
        try:
            read()
        except ContractError:
            continue


def stored_state(content: bytes) -> None:
    """The plugin's memory in Orthanc's metadata, which whoever may write there can change: what is read can be kept."""
    try:
        state = decode(content.decode("utf-8", "replace"))
    except StateUnreadable:
        return
    assert decode(encode(state)) == state


def rules_text(content: bytes) -> None:
    """A rules file: rules, or a reason with its place."""
    base = ProcessingOptions(None, 1.25, "standard", 1, "normal", ())
    try:
        rules_from(content.decode("utf-8", "replace"), "rules.toml", base)
    except SettingsError:
        return


def authorization(content: bytes) -> None:
    """Orthanc's own check has let the request in; ours must not let the engine's user go further by a trick."""
    header = content.decode("latin-1")
    gate = Gate(Roles({"engine": ENGINE}, VIEWER), frozenset())
    for name in ("authorization", "origin", "referer", "x-forwarded-host"):
        gate.refusal("POST", "/instances", {"host": "node", name: header})
    assert gate.refusal("GET", "/system", {"authorization": "Basic ZW5naW5lOng=", "origin": header})


def parsed(content: bytes) -> Any:
    """JSON as both sides read it, None when it is none."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def examples(kind: str) -> list[bytes]:
    """Messages of the contract to begin with."""
    return [path.read_bytes() for path in sorted(EXAMPLES.glob(f"{kind}.*.json"))]


TARGETS: dict[str, tuple[Callable[[bytes], None], list[bytes]]] = {
    "dicom": (dicom_file, [ct_slice(1)]),
    "request": (job_request, examples("job_request")),
    "answer": (engine_answer, examples("job_status") + examples("error")),
    "state": (stored_state, [b'{"format": 1, "phase": "pending"}']),
    "rules": (rules_text, [RULES.read_bytes()]),
    "access": (authorization, [b"Basic ZW5naW5lOng=", b"bearer x"]),
}
"""By name: what is called with bytes, and what the fuzzer begins with."""

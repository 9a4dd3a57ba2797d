"""An archive in the middle of a working day: people, series and states that never were, worded by the plugin itself."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from tests.support.plugin.series import ct_series
from tests.support.ui.archive import BrowserArchive
from tests.support.ui.engine import PacedEngine
from tests.support.ui.phantom import AIR, blurred, chest, series, thick_slice, thin_slice, uncertainty

from nullsplat_node.archive.archive import Archive
from nullsplat_node.engine.contract import Failure, JobResult, job_key
from nullsplat_node.lifecycle import transitions
from nullsplat_node.lifecycle.routing import Route
from nullsplat_node.lifecycle.state import RESULT, Result, SeriesState, encode
from nullsplat_node.lifecycle.transitions import Job, RetryPolicy

DECISION = "low dose because CTDIvol 1.1 mGy <= 3 mGy; {} slices 5 mm apart, scale 4 x 1 x 1 (z, y, x)"
REPORT = {
    "lr_consistency_rmse_hu": 3.2,
    "lr_consistency_max_hu": 14.0,
    "noise_hu": 15.1,
    "null_space_rms_hu": 11.7,
    "slice_profile": {
        "profile": "box",
        "fwhm_mm": 5.0,
        "why": "Scan Options: sequential",
        "check": {"verdict": "contradicted", "why": "it would fit bell*1"},
    },
    "source_remarks": "the gantry was tilted by 15.0 degrees; the source was compressed with loss",
}
THICK = [10.0 + 5.0 * index for index in range(8)]
THIN = [8.125 + 1.25 * index for index in range(32)]
RUN = {"ContentDate": "20261124", "ContentTime": "091502.000000"}


@dataclass
class Scene:
    """Identifiers of the series that tests and pictures look at.

    Attributes:
        finished, result, report: a source, its derived series and that run's report.
        earlier: what an earlier run made of the same source.
    """

    finished: str
    result: str
    report: str
    earlier: str
    running: str
    failed: str


def fill(archive: BrowserArchive, engine: PacedEngine) -> Scene:
    """Put everything into the archive."""
    engine.workers = [
        {
            "id": "worker-1",
            "device": "CPU",
            "job": "c4f1" * 8,
            "seen_at": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    ]
    finished, result, report, earlier = _finished(archive)
    _routing(archive)
    failed = _failed(archive)
    _refused(archive)
    running = _running(
        archive, engine, "Lungs screening 5.0 Br49", {"PatientName": "Okafor^Daniel", "PatientID": "P-20433"}, 0.46
    )  # fmt: skip
    _running(
        archive,
        engine,
        "Thorax LDCT 5.0 B30f",
        {"PatientName": "Marchetti^Elena", "PatientID": "P-20431"},
        0.08,
    )
    return Scene(finished, result, report, earlier, running, failed)


def job(uid: str, attempt: int, slices: int) -> Job:
    """A job as the plugin hands one over."""
    request = {
        "study_instance_uid": "1.2.3",
        "series_instance_uid": uid,
        "fingerprint": "5" * 64,
        "attempt": attempt,
        "parameters": {"preset": "standard", "scale": [4, 1, 1], "seed": 0, "samples": 4},
        "priority": "normal",
    }
    return Job(request, job_key(request), "", DECISION.format(slices))


def keep(archive: BrowserArchive, identifier: str, state: SeriesState) -> None:
    """Write a state that is settled for the instances that are there."""
    digest = Archive(archive).look(identifier).digest
    archive.remember(identifier, encode(SeriesState(**{**vars(state), "digest": digest})))


def done(
    archive: BrowserArchive,
    source: str,
    uid: str,
    derived: tuple[str, int],
    history_from: float,
    further: Mapping[str, str] | None = None,
) -> SeriesState:
    """A source whose first attempt failed, and whose second was delivered."""
    now = history_from
    out_of_memory = Failure(
        "out-of-memory", "stage 2 needed 9.1 GB of GPU memory, 7.8 GB were free; end other programs on this GPU", True
    )  # fmt: skip
    state = transitions.taken(None, job(uid, 1, 8), now)
    state = transitions.accepted(state, now + 2)
    state = transitions.failed(state, out_of_memory, now + 95, RetryPolicy())
    state = transitions.taken(state, job(uid, 2, 8), now + 100, retries=1)
    state = transitions.accepted(state, now + 102)
    state = transitions.finished(state, JobResult("2.25.1", ("2.25.2",), REPORT), now + 290)
    state = transitions.verified(
        state,
        Result("2.25.1", derived[0], derived[1], further=further or {}),
        ("PACS", "TEACHING"),
        now + 295,
    )
    delivered = tuple(Route(name, "delivered", tries=0) for name in ("PACS", "TEACHING"))
    state = transitions.rerouted(state, (delivered[0], state.routes[1]), now + 310)
    state = transitions.rerouted(state, delivered, now + 325)
    keep(archive, source, state)
    return state


def _finished(archive: BrowserArchive) -> tuple[str, str, str, str]:
    about = {
        "PatientName": "Lindqvist^Marta", "PatientID": "P-20417", "StudyDate": "20261124", "StudyInstanceUID": "2.25.1001",
        "StudyDescription": "CT thorax low dose",
    }  # fmt: skip
    source = series(
        [thick_slice(z) for z in THICK],
        THICK,
        {**about, "SeriesDescription": "Thorax 5.0 Br40", "SliceThickness": 5},
    )
    thin = series([thin_slice(z) for z in THIN], THIN, {
        **about, **RUN, "SeriesDescription": "[SuperRes 4x RESEARCH] Thorax 5.0 Br40", "SliceThickness": 1.25, "SeriesNumber": 1002,
        "ImageType": ["DERIVED", "SECONDARY", "AXIAL"],
    })  # fmt: skip
    spread = uncertainty([_spread(z) for z in THIN], thin)
    report = _further(about, "SR", "[SuperRes 4x QA RESEARCH] Thorax 5.0 Br40")
    earlier = _further(about, "CT", "[SuperRes 4x RESEARCH] Thorax 5.0 Br40")
    source_id, result_id, map_id, report_id, earlier_id = (
        archive.add(one, age=5400) for one in (source, thin, spread, report, earlier)
    )
    further = {"2.25.3": map_id, "2.25.4": report_id}
    done(
        archive, source_id, str(source[0].SeriesInstanceUID), (result_id, len(thin)), time.time() - 2500, further
    )  # fmt: skip
    for derived in (result_id, map_id, report_id, earlier_id):
        keep(archive, derived, SeriesState(RESULT, time.time() - 2200, source=source_id))
    return source_id, result_id, report_id, earlier_id


def _further(about: dict[str, Any], modality: str, description: str) -> list[Dataset]:
    """One object of the study, without a place in the patient."""
    made = ct_series(1, change=_described(description, {**about, "Modality": modality}))
    del made[0].ImagePositionPatient
    return made


def _spread(z: float) -> Any:
    """Uncertain where slices 5 mm apart differ."""
    change = blurred(blurred(np.abs(chest(z + 2.5) - chest(z - 2.5)) / 22))
    return np.where(chest(z) == AIR, 1.5, 8 + change).astype(np.float32)


def _described(description: str, about: dict[str, Any]) -> Callable[[int, Dataset], None]:
    def change(_: int, dataset: Dataset) -> None:
        dataset.SeriesDescription, dataset.StudyDate = description, RUN["ContentDate"]
        for name, value in about.items():
            setattr(dataset, name, value)

    return change


def _running(
    archive: BrowserArchive, engine: PacedEngine, description: str, about: dict[str, Any], pace: float
) -> str:
    made = ct_series(12, change=_described(description, about))
    engine.pace[str(made[0].SeriesInstanceUID)] = pace
    return archive.add(made, age=90)


def _routing(archive: BrowserArchive) -> None:
    made = ct_series(
        12, change=_described("Chest 5.0 I50f", {"PatientName": "Ferreira^Ana", "PatientID": "P-20429"})
    )
    source = archive.add(made, age=1900)
    now = time.time() - 900
    state = transitions.accepted(
        transitions.taken(None, job(str(made[0].SeriesInstanceUID), 1, 12), now), now + 1
    )
    state = transitions.finished(state, JobResult("2.25.9", ("2.25.10",), REPORT), now + 300)
    state = transitions.verified(state, Result("2.25.9", "", 48), ("PACS",), now + 303)
    waiting = Route("PACS", "waiting", tries=3, next_try=time.time() + 240, error="the peer does not answer")
    keep(archive, source, transitions.rerouted(state, (waiting,), now + 400))


def _failed(archive: BrowserArchive) -> str:
    made = ct_series(
        12, change=_described("Low dose chest 5mm", {"PatientName": "Novak^Petr", "PatientID": "P-20411"})
    )
    source = archive.add(made, age=9000)
    now = time.time() - 7600
    state = transitions.accepted(
        transitions.taken(None, job(str(made[0].SeriesInstanceUID), 1, 12), now), now + 1
    )
    reason = Failure(
        "source-changed",
        "the 12 instances named in the request were needed, the archive holds 13; send the series again", False,
    )  # fmt: skip
    keep(archive, source, transitions.failed(state, reason, now + 20, RetryPolicy()))
    return source


def _refused(archive: BrowserArchive) -> None:
    gap = ct_series(
        13, change=_described("Chest 5.0 lung", {"PatientName": "Haddad^Samira", "PatientID": "P-20402"})
    )
    archive.add(gap[:6] + gap[7:], age=20000)
    archive.add(
        ct_series(12, change=_described("Abdomen 5.0 portal", {"PatientName": "Weiss^Jonas", "PatientID": "P-20398", "CTDIvol": 9.4})),
        age=30000,
    )  # fmt: skip
    archive.add(
        ct_series(20, 1.0, _described("Chest 1.0 Br60", {"PatientName": "Lindqvist^Marta", "PatientID": "P-20417"})), age=26000
    )  # fmt: skip

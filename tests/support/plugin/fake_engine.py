"""An engine that keeps strictly to the contract and, instead of super-resolving, stores repeated slices."""

import hashlib
import json
import threading
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any
from urllib.request import Request, urlopen

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import EnhancedSRStorage, ExplicitVRLittleEndian
from tests.support.plugin.series import ct_slice

from nullsplat.service.contract.messages import fault, job_key

STAGES = ("fetch", "stage1", "stage2", "consistency", "derive", "store")
NOW = "2026-11-22T13:00:00Z"


@dataclass
class FakeEngine:
    """A contract-abiding engine on loopback.

    Attributes:
        secret: what it asks for.
        archive: DICOMweb root and the engine user's password there.
        hold: jobs stay running while it is set.
        outcome: what becomes of a job: "succeeded", or a failure of the contract.
        store_results: false makes it claim results that it did not store.
        reports: it stores a quality report beside each result.
        maps: makes of a result the map that it stores beside it.
        figures: its report on each run.
        requests: every job request that was accepted, by key.
        cancelled: keys of jobs that were asked to be cancelled.
        positions: place in the queue of held jobs that are not begun, by the Series Instance UID of their source.
        paused, workers: what it says about its queue.
        calls: method and path of every request about a job.
        checks: what it answers about its health.
        problems: messages that broke the contract; a test must find none.
    """

    secret: str
    archive: tuple[str, str] = ("", "")
    port: int = 0
    hold: bool = False
    outcome: Any = "succeeded"
    store_results: bool = True
    reports: bool = False
    maps: Callable[[list[Dataset]], Dataset] | None = None
    figures: dict[str, Any] = field(default_factory=lambda: {"lr_consistency_rmse_hu": 3.2})
    requests: dict[str, dict[str, Any]] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)
    positions: dict[str, int] = field(default_factory=dict)
    paused: bool = False
    workers: list[dict[str, Any]] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    checks: dict[str, str] = field(default_factory=lambda: {"weights": "ok", "archive": "ok", "worker": "ok"})
    problems: list[str] = field(default_factory=list)
    _jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    _server: ThreadingHTTPServer | None = None

    def __enter__(self) -> "FakeEngine":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def _well(self) -> bool:
        return set(self.checks.values()) <= {"ok"}

    def start(self) -> None:
        server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        server.daemon_threads = True
        self.port = server.server_address[1]
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def jobs_of(self, series_uid: str) -> list[dict[str, Any]]:
        """The requests for one series, in the order of their arrival."""
        return [request for request in self.requests.values() if request["series_instance_uid"] == series_uid]

    def order(self, request: dict[str, Any]) -> str:
        """Take a job from another client than the node; its key."""
        key = job_key(request)
        assert self._put(key, json.dumps(request).encode())[0] == 201
        return key

    def forget(self) -> None:
        """Lose all jobs, as with a new database."""
        self._jobs.clear()

    def answer(self, method: str, path: str, body: bytes, token: str) -> tuple[int, dict[str, Any]]:
        """HTTP status and message for a request."""
        if token != f"Bearer {self.secret}":
            return 401, _error(
                "unauthorized", "the Authorization header must carry the engine's shared secret"
            )
        if path in ("/v1/queue/pause", "/v1/queue/resume"):
            self.paused = path.endswith("pause")
        if path == "/v1/engine" or path.startswith("/v1/queue/"):
            return 200, {
                **_engine_info(),
                "paused_since": NOW if self.paused else None,
                "workers": self.workers,
            }
        if path.startswith("/v1/jobs?state="):
            wanted = path.partition("=")[2].partition("&")[0]
            listed = [self._status(key) for key in self._jobs]
            return 200, {"jobs": [one for one in listed if one["state"] == wanted]}
        if path == "/readyz":
            return (200 if self._well else 503), {"ok": self._well, "checks": dict(self.checks)}
        return self._answer_about_job(method, path, body)

    def _answer_about_job(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        self.calls.append((f"engine {method}", path))
        key, control = path.split("/")[3], path.split("/")[4:]
        if method == "PUT":
            return self._put(key, body)
        if key not in self._jobs:
            return 404, _error("no-such-job", "there is no such job")
        if control:
            return self._steer(key, control[0], body)
        if method == "DELETE":
            self.cancelled.append(key)
            self._jobs[key]["state"] = "cancelled"
        return 200, self._status(key)

    def _steer(self, key: str, control: str, body: bytes) -> tuple[int, dict[str, Any]]:
        job = self._jobs[key]
        if control == "release":
            if job["state"] != "failed":
                return 409, _error(
                    "not-failed", f"only a failed job can be released; this one is {job['state']}"
                )
            self._jobs[key] = {"key": key, "state": "running", "request": job["request"]}
            return 200, self._status(key)
        if problem := fault("priority_request", json.loads(body)):
            self.problems.append(problem)
        if self._status(key)["state"] != "queued":
            return 409, _error("not-queued", f"only a queued job can be moved; this one is {job['state']}")
        job["request"] = {**job["request"], **json.loads(body)}
        return 200, self._status(key)

    def _put(self, key: str, body: bytes) -> tuple[int, dict[str, Any]]:
        request = json.loads(body)
        problem = fault("job_request", request)
        if problem or key != job_key(request):
            self.problems.append(problem or f"key {key} does not belong to the request")
            return 422, _error("bad-request", problem or "wrong key")
        if key in self._jobs:
            return 200, self._status(key)
        self.requests[key] = request
        self._jobs[key] = {"key": key, "state": "running", "request": request}
        return 201, self._status(key)

    def _status(self, key: str) -> dict[str, Any]:
        job = self._jobs[key]
        if job["state"] == "running" and not self.hold:
            self._finish(job)
        place = self.positions.get(job["request"]["series_instance_uid"])
        if place and job["state"] == "running":
            waiting = {"position": place, "priority": job["request"].get("priority", "normal")}
            stages = [{"name": name, "state": "waiting", "progress": 0.0} for name in STAGES]
            queued = {"state": "queued", "stages": stages, "progress": 0.0, "waiting": waiting}
            return {**job, **queued, "created_at": NOW, "updated_at": NOW}
        done = job["state"] == "succeeded"
        stages = [
            {"name": name, "state": "done" if done else "waiting", "progress": float(done)} for name in STAGES
        ]
        if job["state"] == "running":
            stages[0].update(state="running", progress=0.5, note="slice 6 of 12")
        progress = 1.0 if done else 0.25
        return {
            **job,
            "stages": stages,
            "progress": progress,
            "eta_seconds": 60.0,
            "created_at": NOW,
            "updated_at": NOW,
        }

    def _finish(self, job: dict[str, Any]) -> None:
        if self.outcome != "succeeded":
            job.update(state="failed", failure=self.outcome)
            return
        request = job["request"]
        derived = derive(job["key"], request, self._fetch(request))
        if self.store_results:
            self._store(request["study_instance_uid"], derived)
        result = {
            "study_instance_uid": request["study_instance_uid"],
            "series_instance_uid": str(derived[0].SeriesInstanceUID),
            "sop_instance_uids": [str(one.SOPInstanceUID) for one in derived],
            "report": dict(self.figures),
        }
        makers = [report_on] * self.reports + ([self.maps] if self.maps else [])
        if further := [make(derived) for make in makers]:
            self._store(request["study_instance_uid"], further)
            result["further_series"] = [
                {"series_instance_uid": one.SeriesInstanceUID, "sop_instance_uids": [one.SOPInstanceUID]}
                for one in further
            ]
        job.update(state="succeeded", result=result)

    def _fetch(self, request: dict[str, Any]) -> list[Dataset]:
        path = f"/studies/{request['study_instance_uid']}/series/{request['series_instance_uid']}/metadata"
        headers = [
            Dataset.from_json(one)
            for one in json.loads(self._archive("GET", path), object_hook=_without_bulk_data)
        ]
        joined = "\n".join(
            [request["series_instance_uid"], *sorted(str(one.SOPInstanceUID) for one in headers)]
        )
        if hashlib.sha256(joined.encode()).hexdigest() != request["fingerprint"]:
            self.problems.append("the fingerprint does not belong to the instances in the archive")
        return headers

    def _store(self, study: str, derived: list[Dataset]) -> None:
        parts = []
        for dataset in derived:
            buffer = BytesIO()
            dataset.save_as(buffer, enforce_file_format=True)
            parts.append(b"--xyz\r\nContent-Type: application/dicom\r\n\r\n" + buffer.getvalue() + b"\r\n")
        kind = 'multipart/related; type="application/dicom"; boundary=xyz'
        self._archive("POST", f"/studies/{study}", b"".join(parts) + b"--xyz--", kind)

    def _archive(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> bytes:
        root, password = self.archive
        token = b64encode(f"engine:{password}".encode()).decode()
        headers = {"Authorization": f"Basic {token}", "Accept": "application/dicom+json"}
        if kind:
            headers["Content-Type"] = kind
        with urlopen(Request(root + path, body, headers, method=method), timeout=30) as answer:  # noqa: S310
            content: bytes = answer.read()
        return content


def derive(key: str, request: dict[str, Any], source: list[Dataset]) -> list[Dataset]:
    """A derived series of as many slices as the scale asks for, with UIDs that depend on the job alone."""
    count = round(len(source) * request["parameters"]["scale"][0])
    made = []
    for index in range(count):
        dataset = ct_slice(index, 1.25, seed=1)
        for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "FrameOfReferenceUID"):
            setattr(dataset, keyword, source[0].get(keyword, ""))
        dataset.SeriesInstanceUID = _uid(key, "series")
        dataset.SOPInstanceUID = _uid(key, str(index))
        dataset.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
        dataset.SeriesDescription = (
            f"[SuperRes 2x RESEARCH] {source[0].get('SeriesDescription', '')}".rstrip()
        )
        equipment = Dataset()
        equipment.Manufacturer = "NullSplat"
        dataset.ContributingEquipmentSequence = [equipment]
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        made.append(dataset)
    return made


def report_on(derived: list[Dataset]) -> Dataset:
    """A structured report beside a derived series, empty but for its identifiers."""
    report = Dataset()
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "ContributingEquipmentSequence"):
        setattr(report, keyword, derived[0].get(keyword))
    report.file_meta = FileMetaDataset()
    report.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    report.SOPClassUID, report.Modality = EnhancedSRStorage, "SR"
    report.SeriesInstanceUID = _uid(str(derived[0].SeriesInstanceUID), "report series")
    report.SOPInstanceUID = _uid(str(derived[0].SeriesInstanceUID), "report")
    report.file_meta.MediaStorageSOPClassUID = report.SOPClassUID
    report.file_meta.MediaStorageSOPInstanceUID = report.SOPInstanceUID
    return report


def _without_bulk_data(node: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in node.items()
        if not (isinstance(value, dict) and "BulkDataURI" in value)
    }


def _uid(*parts: str) -> str:
    return f"2.25.{int(hashlib.sha256('/'.join(parts).encode()).hexdigest()[:30], 16)}"


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "retryable": False}}


def _engine_info() -> dict[str, Any]:
    return {
        "version": "0.0-fake",
        "contract": 1,
        "model": {"name": "none", "sha256": "0" * 64},
        "presets": ["preview", "standard", "sharp", "paper"],
        "queue": {"queued": 0, "running": 0},
    }


def _kind_of(path: str, status: int) -> str:
    if path == "/readyz":
        return "health"
    if status >= 400:
        return "error"
    if path.startswith("/v1/jobs?"):
        return "job_list"
    return "engine_info" if path == "/v1/engine" or path.startswith("/v1/queue/") else "job_status"


def _handler(engine: FakeEngine) -> type[BaseHTTPRequestHandler]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def _exchange(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with lock:
                status, message = engine.answer(
                    self.command, self.path, body, self.headers.get("Authorization", "")
                )
            problem = fault(_kind_of(self.path, status), message)
            if problem:
                engine.problems.append(problem)
            content = json.dumps(message).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = _exchange  # noqa: N815 - the names are http.server's

        def log_message(self, format: str, *args: Callable[..., object]) -> None:  # noqa: A002
            """Stay silent."""

    return Handler

"""Runs one stage of one job; every outcome is recorded in the job's row and folder."""

import contextlib
import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from nullsplat.core.errors import Cancelled, StorageError, TimedOut, UnreadableFile
from nullsplat.core.measure import Stopwatch
from nullsplat.core.progress import Progress
from nullsplat.dicomweb.archive import Archive
from nullsplat.service.audit.entry import Event
from nullsplat.service.audit.log import AuditLog
from nullsplat.service.contract.messages import STAGES
from nullsplat.service.folders import JobFolder
from nullsplat.service.logs import working_on
from nullsplat.service.processing.protocol import Derived, Parameters, Processing
from nullsplat.service.queue.jobs import OPEN, Failure, Job, JobStore
from nullsplat.service.settings import Settings
from nullsplat.service.tracebacks import traceback_text
from nullsplat.service.worker.eta import learn_weights
from nullsplat.service.worker.failures import as_failure
from nullsplat.service.worker.fetch import Fetch, expected_bytes, fetched_source, has_fetched
from nullsplat.service.worker.progress import SHORT_STAGES, StageReporter, StopSignal
from nullsplat.service.worker.store import (
    Store,
    has_derived,
    refuse_if_storing_began,
    remember_derived,
    remembered_derived,
)
from nullsplat.service.worker.turns import clear, drop_if_taken, images_of, latest, take_over
from nullsplat.service.worker.watchdog import Watchdog

CANCELLED = "cancelled"
REPORT = "report.json"
FIGURES = "figures.json"
DATABASE_PATIENCE = 300.0
"""Seconds."""
CHANCES = 2
"""How often a stage is repeated whose files were lost while it was running."""
TURN_POLL = 0.1
"""Seconds between two checks, by a job that waits for its turn, of whether the worker is stopping."""

T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Oversight:
    """Who may end a stage from outside.

    Attributes:
        stop: asks it to suspend when the worker stops.
        watchdog: ends it when it exceeds its time limit.
    """

    stop: StopSignal
    watchdog: Watchdog


class StageRunner:
    """The steps of the workflow. Each is idempotent: called again after a kill, it resumes or returns at once."""

    def __init__(
        self,
        settings: Settings,
        store: JobStore,
        processing: Processing,
        oversight: Oversight,
        audit: AuditLog,
    ) -> None:
        self._settings = settings
        self._audit = audit
        self._store = store
        self._processing = processing
        self._stop = oversight.stop
        self._watchdog = oversight.watchdog
        self._one_job = threading.Lock()
        self._turn: dict[str, JobFolder] = {}
        self._starts_no_more = threading.Event()
        self._archive = Archive(settings.archive)
        self._fetch = Fetch(settings, self._archive, processing)
        self._save = Store(self._archive, store, settings.archive_patience_seconds)

    @contextlib.contextmanager
    def turn(self, key: str) -> Iterator[None]:
        """Hold a job back while another is running.

        The queue admits one job at a time, but counts those whose thread has started: on a busy machine a thread may
        start so late that a second job was admitted, and there is memory for one.
        """
        with self._stop.busy(key):
            while not self._has_its_turn():
                self._stop.suspend_if_requested(key)
        try:
            yield
        finally:
            if (mine := self._turn.pop(key, None)) is not None:
                drop_if_taken(mine)
            self._one_job.release()

    def start_no_more(self) -> None:
        """Hold back every job but the running one, until the worker stops and hands them back."""
        self._starts_no_more.set()

    @property
    def is_working(self) -> bool:
        """Whether a job is running."""
        return self._one_job.locked()

    def run(self, key: str, stage: str) -> Failure | None:
        """Run a stage; None when it is done, else the failure."""
        with self._stop.busy(key), working_on(key, stage):
            self._stop.suspend_if_requested(key)
            job = _persistently(lambda: self._store.get(key) if self._store.begin(key) else None)
            if job is None:
                return _cancellation()
            with self._watchdog.watching(key, stage, self._settings.stage_limit(stage)):
                return self._attempt(job, stage)

    def finish(self, key: str, failure: Failure | None) -> str:
        """Close the job: set its terminal state, delete its images, keep its figures. Returns that state."""
        with working_on(key):
            return self._finish(key, failure)

    def _finish(self, key: str, failure: Failure | None) -> str:
        own = self._own_folder(key)
        images = images_of(own)
        failure = failure or self._succeed(key, self.folder(key))
        if failure is not None and failure["code"] != CANCELLED:
            said = failure
            _persistently(lambda: self._store.fail(key, said))
        job = _persistently(lambda: self._store.get(key))
        if job is not None and job.state in OPEN:
            # Taken over while this worker had no contact with the database.
            logger.warning("another worker has taken the job over, its files are left as they are")
            return job.state
        clear(own, images)
        state = CANCELLED if job is None else job.state
        logger.info("job is over", extra={"state": state, "code": (failure or {}).get("code")})
        if job is not None:
            self._audit.over(job, own)
            with contextlib.suppress(StorageError):  # the job's row holds the same; the file is for people
                own.write(FIGURES, job.status())
        return state

    def folder(self, key: str) -> JobFolder:
        """The files of this worker's turn at a job; before it began, those of the one before."""
        return self._turn.get(key) or latest(self._own_folder(key))

    def _own_folder(self, key: str) -> JobFolder:
        return JobFolder(self._settings.job_spool / "jobs" / key)

    def _begin_turn(self, key: str) -> None:
        """Have a folder of this worker's own, with what was finished before.

        Raises:
            Cancelled: the job is another worker's by now.
            StorageError: the spool cannot be written.
        """
        if key not in self._turn:
            number = self._store.take(key)
            if number is None:
                raise Cancelled("the job was cancelled or taken over")
            self._turn[key] = take_over(self._own_folder(key), number)

    def _has_its_turn(self) -> bool:
        """Wait a moment for the running job to end."""
        if self._starts_no_more.is_set():
            time.sleep(TURN_POLL)
            return False
        return self._one_job.acquire(timeout=TURN_POLL)

    def _attempt(self, job: Job, stage: str) -> Failure | None:
        reporter = self._reporter(job, stage)
        try:
            with Stopwatch() as cost:
                reporter.start(cost)
                self._begin_turn(job.key)
                self._work(job, stage, self._parking(stage, reporter))
                reporter.finish()
        except Cancelled:
            return _cancellation()
        except Exception as error:  # noqa: BLE001 - the job's boundary: every error must reach its row
            return self._failed(job, stage, reporter, error)
        logger.info("stage is done", extra={"seconds": round(cost.seconds, 2)})
        return None

    def _reporter(self, job: Job, stage: str) -> StageReporter:
        weights = learn_weights(self._store.recent_stages(job.request["parameters"]["preset"]))
        return StageReporter(
            self._store, job.key, stage, job.stages, weights, self._settings.stage_limit(stage)
        )

    def _parking(self, stage: str, reporter: StageReporter) -> Progress:
        """Progress that also lets a stopping worker interrupt a long stage."""
        if stage in SHORT_STAGES:
            return reporter

        def report(fraction: float, note: str = "") -> None:
            self._stop.suspend_if_requested(reporter.key)
            reporter(fraction, note)

        return report

    def _failed(self, job: Job, stage: str, reporter: StageReporter, error: Exception) -> Failure:
        failure = as_failure(error, self._settings.job_spool, expected_bytes(self.folder(job.key)))
        code = failure["code"]
        if code == "internal":
            logger.error(
                "stage failed unexpectedly", extra={"code": code, "traceback": traceback_text(error)}
            )
        else:
            logger.warning("stage failed: %s", failure["message"], extra={"code": code})
        if failure["code"] == StorageError.code:
            self.folder(
                job.key
            ).discard_images()  # at once: the database may need the space to say what happened
        reporter.fail()
        return failure

    def _work(self, job: Job, stage: str, progress: Progress) -> None:
        """Run a stage, after repeating earlier ones whose output is missing.

        Files go missing when a worker with another spool takes a job over, and when the spool is cleared while the job is
        running. Damaged ones are re-created as well, as long as none of them is in the archive.
        """
        for chance in range(CHANCES, -1, -1):
            try:
                self._redo(job, stage, progress)
                self._do(job, stage, progress)
            except Exception as error:
                if not chance or not self._is_lost(job, stage, error):
                    raise
                if not _persistently(lambda: self._store.begin(job.key)):
                    raise Cancelled("the job was cancelled, or taken over with its files") from error
                logger.warning("files of the job were lost while it was running, re-creating them")
                self._stop.suspend_if_requested(job.key)
            else:
                return

    def _redo(self, job: Job, stage: str, progress: Progress) -> None:
        """Run the earlier stages whose output is missing, or came from another prior."""
        if stage == "store" and self._is_there("derive", job):  # unless its result is finished
            return
        for earlier in STAGES[: STAGES.index(stage)]:
            if not self._is_there(earlier, job):
                logger.warning(
                    "the output of %s is missing or of another configuration, repeating it", earlier
                )
                self._do(job, earlier, lambda _fraction, note="": progress(0.0, note))

    def _is_lost(self, job: Job, stage: str, error: Exception) -> bool:
        """Whether a stage failed because files disappeared, or are damaged and were discarded."""
        if isinstance(error, Cancelled | TimedOut):
            return False
        folder = self.folder(job.key)
        if stage not in ("fetch", "store") and isinstance(error, UnreadableFile):
            folder.discard_images()  # it could be read before, so it is damaged now
            return True
        needed = ("derive",) if stage == "store" else STAGES[: STAGES.index(stage)]
        return isinstance(error, FileNotFoundError) or not all(self._is_there(one, job) for one in needed)

    def _is_there(self, stage: str, job: Job) -> bool:
        folder = self.folder(job.key)
        if stage == "derive":
            return folder.derived.exists() and has_derived(folder) and folder.read(REPORT) is not None
        if stage == "fetch" or not has_fetched(folder):
            return folder.source.exists() and has_fetched(folder)
        return self._processing.is_done(
            stage, folder.work, Parameters.of(job.request), fetched_source(folder)
        )

    def _do(self, job: Job, stage: str, progress: Progress) -> None:
        folder = self.folder(job.key)
        if stage == "fetch":
            self._audit.note(Event.STARTED, job)
            self._fetch(job.request, folder, progress)
            self._audit.fetched(job, folder)
        elif stage == "derive":
            self._derive(job.request, folder)
        elif stage == "store":
            derived, report = remembered_derived(folder), folder.read(REPORT)
            self._save(job.key, job.request, folder, progress)
            self._store.keep_result(job.key, _result(job.request, derived, report))
            self._audit.stored(job, folder, derived, report)
        else:
            parameters = Parameters.of(job.request)
            self._processing.run(stage, folder.work, parameters, fetched_source(folder), progress)

    def _derive(self, request: dict[str, Any], folder: JobFolder) -> None:
        refuse_if_storing_began(folder)
        target = folder.partial(folder.derived)
        parameters, source = Parameters.of(request), fetched_source(folder)
        derived = self._processing.derive(folder.source, folder.work, parameters, source, target)
        shutil.rmtree(folder.derived, ignore_errors=True)
        target.replace(folder.derived)
        remember_derived(folder, derived)
        folder.write(REPORT, self._processing.report(folder.work))

    def _succeed(self, key: str, folder: JobFolder) -> Failure | None:
        """Mark the job as done; the failure if its result was lost."""
        job = _persistently(lambda: self._store.get(key))
        if job is None:
            raise LookupError(f"job {key} vanished from the database")
        try:
            result = job.result or _result(job.request, remembered_derived(folder), folder.read(REPORT))
        except StorageError as error:
            return as_failure(error, self._settings.job_spool)
        _persistently(lambda: self._store.succeed(key, result))
        return None


def _result(request: dict[str, Any], derived: Derived, report: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "study_instance_uid": request["study_instance_uid"],
        "series_instance_uid": derived.series_instance_uid,
        "sop_instance_uids": list(derived.files),
        "further_series": [
            {"series_instance_uid": series, "sop_instance_uids": list(files), **_class_of(series, derived)}
            for series, files in derived.further.items()
        ],
        "report": report or {},
    }


def _class_of(series: str, derived: Derived) -> dict[str, str]:
    return {"sop_class_uid": derived.classes[series]} if series in derived.classes else {}


def _persistently(action: Callable[[], T]) -> T:
    """Retry what needs the database for a while: the end of a job must not get lost."""
    deadline = time.monotonic() + DATABASE_PATIENCE
    while True:
        try:
            return action()
        except StorageError as error:
            if time.monotonic() > deadline:
                raise
            logger.warning("%s; trying again", error)
            time.sleep(1.0)


def _cancellation() -> Failure:
    return {"code": CANCELLED, "message": "the job was cancelled on request", "retryable": False}

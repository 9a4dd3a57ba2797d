"""Does one stage of one job, and whatever happens ends in the job's row and folder."""

import logging
import shutil
from typing import Any

from nullsplat.core.errors import Cancelled
from nullsplat.core.measure import Stopwatch
from nullsplat.core.progress import Progress
from nullsplat.service.archive import Archive
from nullsplat.service.eta import learn_weights
from nullsplat.service.failures import as_failure, traceback_text
from nullsplat.service.fetching import Fetch, expected_bytes, fetched_source
from nullsplat.service.folders import JobFolder
from nullsplat.service.jobs import Failure, Job, JobStore
from nullsplat.service.processing import Parameters, Processing
from nullsplat.service.progress import SHORT_STAGES, StageReporter, StopSignal
from nullsplat.service.settings import Settings
from nullsplat.service.storing import Store, remember_derived, remembered_derived

CANCELLED = "cancelled"
REPORT = "report.json"
FIGURES = "figures.json"

logger = logging.getLogger(__name__)


class StageRunner:
    """The steps of the workflow. Each may be called again after a kill and then goes on or finds itself done."""

    def __init__(self, settings: Settings, store: JobStore, processing: Processing, stop: StopSignal) -> None:
        self._settings = settings
        self._store = store
        self._processing = processing
        self._stop = stop
        self._archive = Archive(settings)
        self._fetch = Fetch(settings, self._archive, processing)
        self._save = Store(self._archive, store, settings.archive_patience_seconds)

    def run(self, key: str, stage: str) -> Failure | None:
        """Do a stage; None when it is done, else why the job cannot go on."""
        self._stop.enter()
        try:
            self._stop.park_if_requested()
            job = self._store.get(key)
            if job is None or not self._store.begin(key):
                return _cancellation()
            return self._attempt(job, stage)
        finally:
            self._stop.leave()

    def finish(self, key: str, failure: Failure | None) -> str:
        """Close the job: keep its figures, delete its images, set its last state. Returns that state."""
        folder = self.folder(key)
        if failure is None:
            self._store.succeed(key, self._result(key, folder))
        elif failure["code"] != CANCELLED:
            self._store.fail(key, failure)
        job = self._store.get(key)
        folder.discard_images()
        if job is None:
            return CANCELLED
        folder.write(FIGURES, job.status())
        logger.info(
            "job is over", extra={"job": key, "state": job.state, "code": (failure or {}).get("code")}
        )
        return job.state

    def folder(self, key: str) -> JobFolder:
        """The files of a job."""
        return JobFolder(self._settings.spool / "jobs" / key)

    def _attempt(self, job: Job, stage: str) -> Failure | None:
        reporter = self._reporter(job, stage)
        try:
            with Stopwatch() as cost:
                reporter.start(cost)
                self._work(job, stage, self._parking(stage, reporter))
                reporter.finish()
        except Cancelled:
            return _cancellation()
        except Exception as error:  # noqa: BLE001 - the job's boundary: whatever happens must reach its row
            return self._failed(job, stage, reporter, error)
        logger.info(
            "stage is done", extra={"job": job.key, "stage": stage, "seconds": round(cost.seconds, 2)}
        )
        return None

    def _reporter(self, job: Job, stage: str) -> StageReporter:
        weights = learn_weights(self._store.recent_stages(job.request["parameters"]["preset"]))
        return StageReporter(
            self._store, job.key, stage, job.stages, weights, self._settings.stage_limit(stage)
        )

    def _parking(self, stage: str, reporter: StageReporter) -> Progress:
        """Progress that also lets a stopping worker leave a long stage."""
        if stage in SHORT_STAGES:
            return reporter

        def report(fraction: float, note: str = "") -> None:
            self._stop.park_if_requested()
            reporter(fraction, note)

        return report

    def _failed(self, job: Job, stage: str, reporter: StageReporter, error: Exception) -> Failure:
        failure = as_failure(error, self._settings.spool, expected_bytes(self.folder(job.key)))
        where = {"job": job.key, "stage": stage, "code": failure["code"]}
        if failure["code"] == "internal":
            logger.error("stage failed unexpectedly", extra={**where, "traceback": traceback_text(error)})
        else:
            logger.warning("stage failed: %s", failure["message"], extra=where)
        reporter.fail()
        return failure

    def _work(self, job: Job, stage: str, progress: Progress) -> None:
        folder = self.folder(job.key)
        if stage == "fetch":
            self._fetch(job.request, folder, progress)
        elif stage == "derive":
            self._derive(job.request, folder)
        elif stage == "store":
            self._save(job.key, job.request, folder, progress)
        else:
            parameters = Parameters.of(job.request)
            self._processing.run(stage, folder.work, parameters, fetched_source(folder), progress)

    def _derive(self, request: dict[str, Any], folder: JobFolder) -> None:
        target = folder.partial(folder.derived)
        parameters, source = Parameters.of(request), fetched_source(folder)
        derived = self._processing.derive(folder.source, folder.work, parameters, source, target)
        shutil.rmtree(folder.derived, ignore_errors=True)
        target.replace(folder.derived)
        remember_derived(folder, derived)
        folder.write(REPORT, self._processing.report(folder.work))

    def _result(self, key: str, folder: JobFolder) -> dict[str, Any]:
        job = self._store.get(key)
        if job is None:
            raise LookupError(f"job {key} vanished from the database")
        derived = remembered_derived(folder)
        return {
            "study_instance_uid": job.request["study_instance_uid"],
            "series_instance_uid": derived.series_instance_uid,
            "sop_instance_uids": list(derived.files),
            "report": folder.read(REPORT),
        }


def _cancellation() -> Failure:
    return {"code": CANCELLED, "message": "the job was cancelled on request", "retryable": False}

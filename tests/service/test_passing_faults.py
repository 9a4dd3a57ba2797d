"""What an archive answers for a moment, and files that are lost meanwhile, cost a job nothing but time."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
import sqlalchemy as sa
from tests.support.service.archive_double import ArchiveDouble
from tests.support.service.dicom_samples import SERIES, STUDY, ct_series
from tests.support.service.fast_processing import FastProcessing

from nullsplat.core.errors import ArchiveError, NotDicomweb, StoreRefused, UnreadableFile
from nullsplat.dicomweb.archive import Archive
from nullsplat.dicomweb.retry import retry_until_deadline
from nullsplat.service.audit.log import AuditLog
from nullsplat.service.contract.messages import STAGES, fault
from nullsplat.service.database.schema import open_database
from nullsplat.service.database.tables import transaction
from nullsplat.service.folders import JobFolder
from nullsplat.service.queue.jobs import JobStore, insert_job
from nullsplat.service.settings import Settings
from nullsplat.service.worker.progress import StopSignal
from nullsplat.service.worker.steps import Oversight, StageRunner
from nullsplat.service.worker.watchdog import Watchdog, restart_process

KEY = "0" * 32
ODD = [42, None, "text", {"error": "busy"}, [1, 2], [None], [{"00080018": "DOE^JANE"}], [{}], [{"00080018": {"Value": "x"}}, 3]]  # fmt: skip


@pytest.fixture
def client(settings: Settings) -> Iterator[Archive]:
    client = Archive(settings.archive)
    yield client
    client.close()


@pytest.mark.parametrize("answer", ODD, ids=str)
def test_a_search_that_is_answered_by_something_else_is_no_surprise_and_worth_patience(
    client: Archive, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    good, asked = client._reader.search_for_instances, []

    def search(*given: Any, **named: Any) -> Any:
        asked.append(given)
        return answer if len(asked) == 1 else good(*given, **named)

    monkeypatch.setattr(client._reader, "search_for_instances", search)
    with pytest.raises(NotDicomweb) as caught:
        client.holding(STUDY, SERIES)
    assert "DOE" not in str(caught.value)
    asked.clear()
    holding = retry_until_deadline(lambda: client.holding(STUDY, SERIES), 60.0, lambda why: None)
    assert holding.sop_instance_uids == frozenset(ct_series())


@pytest.mark.parametrize("answer", [None, [], 42, pydicom.Dataset.from_json('{"00081199": {"vr": "LO"}}')])
def test_a_confirmation_that_is_something_else_is_no_surprise(
    client: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    (tmp_path / "1.dcm").write_bytes(next(iter(ct_series().values())))
    monkeypatch.setattr(client._writer, "store_instances", lambda *_, **__: answer)
    with pytest.raises(ArchiveError):
        client.store(STUDY, [tmp_path / "1.dcm"])


@pytest.mark.parametrize(
    ("reason", "final"), [(0x0122, True), (0x0124, True), (0xA901, True), (0xA700, False), (0x0110, False)]
)
def test_a_refusal_to_store_is_final_only_where_repeating_changes_nothing(
    client: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: int, *, final: bool
) -> None:
    (tmp_path / "1.dcm").write_bytes(next(iter(ct_series().values())))
    item, answer = pydicom.Dataset(), pydicom.Dataset()
    item.FailureReason = reason
    answer.FailedSOPSequence = [item]
    monkeypatch.setattr(client._writer, "store_instances", lambda *_, **__: answer)
    with pytest.raises(ArchiveError) as caught:
        client.store(STUDY, [tmp_path / "1.dcm"])
    assert isinstance(caught.value, StoreRefused) == final
    if final:
        assert not caught.value.retryable
        assert "refuses CT Image Storage permanently" in str(caught.value)


def test_a_finished_file_that_is_damaged_is_said(client: Archive, tmp_path: Path) -> None:
    (tmp_path / "1.dcm").write_bytes(b"not DICOM")
    with pytest.raises(UnreadableFile, match="ask for the run again"):
        client.store(STUDY, [tmp_path / "1.dcm"])


@pytest.mark.parametrize("content", ["", "{", '"\\', "\x00" * 40])
def test_a_damaged_document_is_one_that_has_to_be_made_again(tmp_path: Path, content: str) -> None:
    folder = JobFolder(tmp_path / KEY)
    folder.write("x.json", {"a": 1})
    assert folder.read("x.json") == {"a": 1}
    (folder.path / "x.json").write_text(content)
    assert (folder.read("x.json"), folder.has("x.json")) == (None, True)
    assert (folder.read("y.json"), folder.has("y.json")) == (None, False)


# ---- A whole job, without processes ----

Fault = Callable[[JobFolder], None]


class Disturbed(FastProcessing):
    """Somebody does something to the job's folder at the beginning of a stage, some times."""

    def __init__(self, control: Path) -> None:
        super().__init__(control)
        self.at, self.times, self.fault = "", 1, lambda folder: None

    def disturb(self, stage: str, work: Path) -> None:
        if stage == self.at and self.times:
            self.times -= 1
            self.fault(JobFolder(work.parent))

    def run(self, stage: str, work: Path, *rest: Any) -> None:
        self.disturb(stage, work)
        super().run(stage, work, *rest)

    def derive(self, dicom: Path, work: Path, *rest: Any) -> Any:
        self.disturb("derive", work)
        return super().derive(dicom, work, *rest)


@pytest.fixture
def processing(tmp_path: Path) -> Disturbed:
    return Disturbed(tmp_path / "control")


@pytest.fixture
def database(empty_database: Path, settings: Settings) -> Iterator[sa.Engine]:
    settings.prepare_spool()
    path = settings.spool / "nullsplat.sqlite"
    path.write_bytes(empty_database.read_bytes())
    engine = open_database(f"sqlite:///{path}")
    yield engine
    engine.dispose()


@pytest.fixture
def runner(database: sa.Engine, settings: Settings, processing: Disturbed, request_for: Any) -> StageRunner:
    with transaction(database) as connection:
        insert_job(connection, KEY, request_for())
    store = JobStore(database)
    oversight = Oversight(StopSignal(), Watchdog(store, 60.0, restart_process))
    return StageRunner(settings, store, processing, oversight, AuditLog(settings.spool, "worker"))


def outcome(
    runner: StageRunner, database: sa.Engine, before: dict[str, Fault] | None = None
) -> dict[str, Any]:
    """Do all stages, as the workflow does, and return the job's status."""
    failure = None
    for stage in STAGES:
        (before or {}).get(stage, lambda folder: None)(runner.folder(KEY))
        failure = runner.run(KEY, stage)
        if failure is not None:
            break
    (before or {}).get("finish", lambda folder: None)(runner.folder(KEY))
    runner.finish(KEY, failure)
    job = JobStore(database).get(KEY)
    assert job is not None
    status = job.status()
    assert fault("job_status", status) is None
    return status


def delete(folder: JobFolder) -> None:
    shutil.rmtree(folder.path)


def damage_documents(folder: JobFolder) -> None:
    for path in folder.path.glob("*.json"):
        path.write_bytes(b"\0" * 20)


@pytest.mark.parametrize("stage", ["stage1", "derive"])
def test_a_folder_that_is_deleted_during_a_stage_is_made_again(
    runner: StageRunner, database: sa.Engine, archive: ArchiveDouble, processing: Disturbed, stage: str
) -> None:
    processing.at, processing.fault = stage, delete
    status = outcome(runner, database)
    assert status["state"] == "succeeded", status
    derived = archive.derived(SERIES)
    assert set(derived) == {status["result"]["series_instance_uid"]}


@pytest.mark.parametrize("fault", [delete, damage_documents])
@pytest.mark.parametrize("stage", ["stage2", "store", "finish"])
def test_files_that_are_lost_or_damaged_between_stages_cost_no_result(
    runner: StageRunner, database: sa.Engine, stage: str, fault: Fault
) -> None:
    status = outcome(runner, database, {stage: fault})
    assert status["state"] == "succeeded", status
    assert status["result"]["sop_instance_uids"]


def test_a_folder_that_is_deleted_again_and_again_fails_in_words(
    runner: StageRunner, database: sa.Engine, processing: Disturbed
) -> None:
    processing.at, processing.fault, processing.times = "stage2", delete, 100
    failure = outcome(runner, database)["failure"]
    assert (failure["code"], failure["retryable"]) == ("storage", True)
    assert (
        "let nothing else write or delete below the folder that NULLSPLAT_SPOOL names" in failure["message"]
    )
    assert processing.times == 97  # once, and twice more


def test_a_series_that_an_archive_shows_after_a_moment_is_fetched(
    runner: StageRunner, database: sa.Engine, archive: ArchiveDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nullsplat.service.worker.fetch.SECOND_LOOKS", (0.1, 0.1))
    whole, looks = dict(archive.instances[SERIES]), []
    holding = Archive.holding

    def look(self: Archive, study: str, series: str) -> Any:
        looks.append(series)
        shown = {1: {}, 2: dict(list(whole.items())[:3])}.get(len(looks), whole)
        archive.instances[SERIES] = shown
        return holding(self, study, series)

    monkeypatch.setattr(Archive, "holding", look)
    assert runner.run(KEY, "fetch") is None
    assert len(looks) == 3


@pytest.mark.parametrize(
    ("left", "code", "words"),
    [
        (0, "archive", "the archive shows no instance of the series"),
        (3, "source-changed", "another set of instances"),
    ],
)
def test_a_series_that_stays_gone_or_changed_fails_in_words(
    runner: StageRunner,
    archive: ArchiveDouble,
    monkeypatch: pytest.MonkeyPatch,
    left: int,
    code: str,
    words: str,
) -> None:
    monkeypatch.setattr("nullsplat.service.worker.fetch.SECOND_LOOKS", (0.1, 0.1))
    runner._fetch._settings = runner._settings.model_copy(update={"archive_patience_seconds": 0.5})
    archive.instances[SERIES] = dict(list(archive.instances[SERIES].items())[:left])
    failure = runner.run(KEY, "fetch")
    assert failure is not None
    assert (failure["code"], failure["retryable"]) == (code, code == "archive")
    assert words in failure["message"]

"""A result and its maps are stored all or not at all, whatever series an instance belongs to."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.service.archive_double import ArchiveDouble
from tests.support.service.dicom_samples import STUDY, ct_series

from nullsplat.core.errors import ArchiveError, Cancelled, MixedRuns
from nullsplat.core.progress import silent
from nullsplat.dicomweb.archive import Archive
from nullsplat.service.folders import JobFolder
from nullsplat.service.processing.protocol import Derived
from nullsplat.service.queue.jobs import JobStore
from nullsplat.service.settings import Settings
from nullsplat.service.worker.store import Store, remember_derived, remembered_derived

RESULT, MAP = "2.25.7", "2.25.8"
REQUEST = {"study_instance_uid": STUDY}
FILES = {RESULT: ct_series(5, series=RESULT), MAP: ct_series(1, series=MAP)}


class Jobs(JobStore):
    """The one thing that storing asks of the jobs' table."""

    def __init__(self, cancelled: bool = False) -> None:
        self._cancelled = cancelled

    def begin_storing(self, key: str) -> bool:
        return not self._cancelled


@pytest.fixture
def client(settings: Settings) -> Iterator[Archive]:
    client = Archive(settings.archive)
    yield client
    client.close()


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    """A job whose files are finished."""
    folder = JobFolder(tmp_path / "job")
    folder.derived.mkdir(parents=True)
    for files in FILES.values():
        for uid, content in files.items():
            (folder.derived / f"{uid}.dcm").write_bytes(content)
    names = {series: {uid: f"{uid}.dcm" for uid in files} for series, files in FILES.items()}
    remember_derived(folder, Derived(RESULT, names[RESULT], {MAP: names[MAP]}))
    return folder


def store(client: Archive, folder: JobFolder, **jobs: Any) -> None:
    Store(client, Jobs(**jobs), timeout=0.0)("key", REQUEST, folder, silent)


def held(archive: ArchiveDouble) -> dict[str, set[str]]:
    return {series: set(archive.instances.get(series, {})) for series in FILES}


EVERYTHING = {series: set(files) for series, files in FILES.items()}


def test_the_map_is_stored_with_the_result(
    client: Archive, archive: ArchiveDouble, folder: JobFolder
) -> None:
    store(client, folder)
    assert held(archive) == EVERYTHING
    assert len(archive.stored) == 6


def test_an_interrupted_storing_goes_on_with_what_is_missing(
    client: Archive, archive: ArchiveDouble, folder: JobFolder
) -> None:
    archive.fail_store_after = 0
    with pytest.raises(ArchiveError):
        store(client, folder)
    archive.fail_store_after = None
    archive.add(MAP, FILES[MAP])
    store(client, folder)
    assert held(archive) == EVERYTHING
    assert not set(archive.stored) & set(FILES[MAP])


def test_a_lost_map_is_as_bad_as_a_lost_slice(
    client: Archive, archive: ArchiveDouble, folder: JobFolder
) -> None:
    archive.forget_next_store = True  # the first to go out is the map
    with pytest.raises(ArchiveError, match="1 of 6 instances are missing"):
        store(client, folder)
    assert held(archive) == {RESULT: set(FILES[RESULT]), MAP: set()}
    store(client, folder)
    assert held(archive) == EVERYTHING


def test_a_map_of_another_run_is_not_mixed_with_this_one(
    client: Archive, archive: ArchiveDouble, folder: JobFolder
) -> None:
    archive.add(MAP, FILES[MAP])
    with pytest.raises(MixedRuns, match="1 of the 6 instances"):
        store(client, folder)
    assert archive.stored == []


def test_a_cancelled_job_stores_nothing(client: Archive, archive: ArchiveDouble, folder: JobFolder) -> None:
    with pytest.raises(Cancelled):
        store(client, folder, cancelled=True)
    assert archive.stored == []


def test_what_earlier_versions_remembered_is_understood(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path / "job")
    result = {"series_instance_uid": RESULT, "files": {"2.25.1": "00001.dcm"}}
    folder.write("derived.json", result)
    assert remembered_derived(folder).all_series == {RESULT: {"2.25.1": "00001.dcm"}}
    folder.write("derived.json", {**result, "maps": {MAP: {"2.25.2": "uncertainty.dcm"}}})
    assert remembered_derived(folder).all_series == {
        MAP: {"2.25.2": "uncertainty.dcm"},
        RESULT: {"2.25.1": "00001.dcm"},
    }

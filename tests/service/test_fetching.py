"""What the fetch stage makes sure of once it has read the series."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.service.dicom_samples import SERIES, STUDY, ct_series
from tests.support.service.fast_processing import FastProcessing

from nullsplat.core.errors import StorageError
from nullsplat.dicom.read.series import fingerprint
from nullsplat.dicomweb.archive import Archive
from nullsplat.service.folders import JobFolder
from nullsplat.service.processing.protocol import Parameters, Source
from nullsplat.service.settings import Settings
from nullsplat.service.worker.fetch import Fetch, expected_bytes, fetched_source

REQUEST = {
    "study_instance_uid": STUDY,
    "series_instance_uid": SERIES,
    "fingerprint": fingerprint(SERIES, ct_series()),
    "attempt": 1,
    "parameters": {"preset": "preview", "scale": [2.0, 1.0, 1.0], "seed": 0, "samples": 1},
}
READ = 6 * 16 * 16


class Growing(FastProcessing):
    """Reads a volume of another size than its slices, as of a tilted stack."""

    def __init__(self, control: Path, voxels: int) -> None:
        super().__init__(control)
        self._voxels = voxels

    def prepare(self, dicom: Path, work: Path, parameters: Parameters) -> Source:
        return replace(super().prepare(dicom, work, parameters), voxels=self._voxels)


@pytest.fixture
def client(settings: Settings) -> Iterator[Archive]:
    settings.spool.mkdir()
    client = Archive(settings.archive)
    yield client
    client.close()


def fetched(settings: Settings, client: Archive, voxels: int) -> JobFolder:
    folder = JobFolder(settings.spool / "jobs" / "k")
    control = settings.spool / "control"
    Fetch(settings, client, Growing(control, voxels))(REQUEST, folder, lambda *_: None)
    return folder


def test_a_volume_that_grew_when_it_was_set_straight_needs_room_for_its_size(
    settings: Settings, client: Archive
) -> None:
    with pytest.raises(StorageError, match="the job needs"):
        fetched(settings, client, 2**45)
    folder = JobFolder(settings.spool / "jobs" / "k")
    assert (expected_bytes(folder) or 0) > 2**45
    assert not folder.has("source.json")


def test_a_volume_as_large_as_its_slices_needs_what_was_expected(settings: Settings, client: Archive) -> None:
    small, grown = (expected_bytes(fetched(settings, client, voxels)) for voxels in (READ, 2 * READ))
    assert grown == 2 * (small or 0)
    assert fetched_source(JobFolder(settings.spool / "jobs" / "k")).voxels == 2 * READ

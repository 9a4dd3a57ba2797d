"""The fetch stage: from the archive into the job's folder, checked to be the series that was requested."""

from dataclasses import asdict
from typing import Any

from nullsplat.core.errors import ArchiveUnavailable, SourceChanged
from nullsplat.core.progress import Progress
from nullsplat.dicom.read.series import fingerprint
from nullsplat.dicomweb.archive import Archive, Holding
from nullsplat.dicomweb.retry import LastContact, retry_until_deadline, retry_with_pauses
from nullsplat.service.folders import SOURCE_BYTES_PER_VOXEL, JobFolder, bytes_needed, require_space
from nullsplat.service.processing.protocol import Parameters, Processing, Source
from nullsplat.service.settings import Settings

SOURCE = "source.json"
NEED = "need.json"
SECOND_LOOKS = (1.0, 3.0)
"""Seconds between looks at a series that seems to have changed: an archive that is writing may show a part of it."""
RETRIEVED = 0.9
"""Part of the stage's progress that retrieving is worth; reading takes the rest."""


EMPTY = (
    "the archive shows no instance of the series: it was deleted, or the archive is just starting, or the engine's user "
    "may not see it"
)
CHANGED = (
    "the archive holds another set of instances than the job was made for: slices were added or deleted since; the job "
    "for the series as it is now has another key"
)


class Fetch:
    """Retrieves a series and reads it into the workspace."""

    def __init__(self, settings: Settings, archive: Archive, processing: Processing) -> None:
        self._settings = settings
        self._archive = archive
        self._processing = processing

    def __call__(self, request: dict[str, Any], folder: JobFolder, progress: Progress) -> None:
        """Do the stage; what is there already is not fetched again.

        Raises:
            SourceChanged: the archive holds other instances than the request was made for.
            ConfigurationError: the parameters cannot be met.
            IneligibleSeries, UnreadableFile: the series is refused.
            StorageError: there is no room for the job.
            ArchiveError: the archive refuses or stays unreachable.
        """
        parameters = Parameters.of(request)
        self._processing.check(parameters)
        if not folder.source.exists():
            timeout, contact = self._settings.archive_patience_seconds, LastContact()

            def retrieve() -> None:
                self._retrieve(request, folder, progress, contact)

            retry_until_deadline(retrieve, timeout, lambda why: progress(0.0, why), contact)
        progress(RETRIEVED, "reading the series")
        source = self._processing.prepare(folder.source, folder.work, parameters)
        _require_same(request["fingerprint"], source.fingerprint)
        self._require_rest(source, parameters, folder)
        folder.write(SOURCE, asdict(source))

    def _require_rest(self, source: Source, parameters: Parameters, folder: JobFolder) -> None:
        """Refuse a volume for whose results there is no room: sheared slices make a larger one than was fetched."""
        needed = bytes_needed(source.voxels, parameters.scale, parameters.samples)
        if needed <= (expected_bytes(folder) or 0):
            return
        folder.write(NEED, needed)
        rest = needed - source.voxels * SOURCE_BYTES_PER_VOXEL
        require_space(self._settings.job_spool, rest, self._settings.spool_reserve_mib)

    def _retrieve(
        self, request: dict[str, Any], folder: JobFolder, progress: Progress, contact: LastContact
    ) -> None:
        study, series = request["study_instance_uid"], request["series_instance_uid"]
        holding = self._held(request, progress)
        expected = holding.sop_instance_uids
        parameters = Parameters.of(request)
        needed = bytes_needed(holding.voxels, parameters.scale, parameters.samples)
        folder.write(NEED, needed)
        require_space(self._settings.job_spool, needed, self._settings.spool_reserve_mib)
        target = folder.partial(folder.source)
        got = set()
        for uid in self._archive.retrieve(study, series, target):
            got.add(uid)
            contact.note()
            progress(RETRIEVED * len(got) / len(expected), f"{len(got)} of {len(expected)} instances")
        if missing := len(expected - got):
            raise ArchiveUnavailable(
                f"the archive sent {len(expected) - missing} of {len(expected)} instances"
            )
        target.replace(folder.source)

    def _held(self, request: dict[str, Any], progress: Progress) -> Holding:
        """What the archive holds of the series, once that is what the job was made for.

        Raises:
            ArchiveUnavailable: it shows nothing at all, as archives do that are just starting or being indexed.
            SourceChanged: it keeps showing something else.
        """

        def look() -> Holding:
            series = request["series_instance_uid"]
            holding = self._archive.holding(request["study_instance_uid"], series)
            if not holding.sop_instance_uids:
                raise ArchiveUnavailable(EMPTY)
            if fingerprint(series, holding.sop_instance_uids) != request["fingerprint"]:
                raise _Unlike("the archive shows another set of instances")
            return holding

        try:
            return retry_with_pauses(look, SECOND_LOOKS, lambda why: progress(0.0, why))
        except _Unlike:
            raise SourceChanged(CHANGED) from None


class _Unlike(ArchiveUnavailable):
    """Another set of instances, perhaps only for a moment."""


def fetched_source(folder: JobFolder) -> Source:
    """What the fetch stage learned of the series."""
    return Source(**folder.read(SOURCE))


def has_fetched(folder: JobFolder) -> bool:
    """Whether the fetch stage was done in this folder."""
    return folder.read(SOURCE) is not None


def expected_bytes(folder: JobFolder) -> int | None:
    """The disk space that the job is expected to need, once known."""
    need: int | None = folder.read(NEED)
    return need


def _require_same(wanted: str, got: str) -> None:
    if wanted != got:
        raise SourceChanged(CHANGED)

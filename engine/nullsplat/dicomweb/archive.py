"""The DICOMweb archive: what a series holds, getting it, storing another, being sure that it is there."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.errors import InvalidDicomError

from nullsplat.core.errors import ArchiveUnavailable, StoreRefused, UnreadableFile
from nullsplat.dicomweb.access import Access
from nullsplat.dicomweb.connection import ANY_TRANSFER_SYNTAX, Connection, first_value

PROBE_TIMEOUT = 3.0
WHOLE_REQUEST = 2**31
"""Larger than any request: not every archive takes the chunked encoding that the client would use otherwise."""
SOP_INSTANCE_UID, ROWS, COLUMNS, FRAMES = "00080018", "00280010", "00280011", "00280008"
UNDEFINED_LENGTH = 0xFFFFFFFF


FINAL_REASONS = frozenset({0x0122, 0x0124, *range(0xA900, 0xAA00)})
"""SOP Class not supported, not authorised, data set does not match SOP Class: repeating changes nothing."""


@dataclass(frozen=True)
class Holding:
    """What the archive holds of a series.

    Attributes:
        sop_instance_uids: one per instance.
        voxels: of all instances together, 512 x 512 each where the archive does not tell.
    """

    sop_instance_uids: frozenset[str]
    voxels: int


class Archive:
    """A DICOMweb server, seen from one worker.

    Every method raises:
        ArchiveUnavailable: worth another try soon.
        NotDicomweb: it answers something else, perhaps only while it is being serviced.
        ArchiveError: the archive refuses.
    """

    def __init__(self, access: Access) -> None:
        self._connection = Connection(access)
        self._reader = self._connection.client(access.timeout)
        self._writer = self._connection.client(access.timeout, chunk_size=WHOLE_REQUEST)
        self._probe = self._connection.client(PROBE_TIMEOUT)

    def probe(self) -> None:
        """Ask for as little as possible, to see whether the archive answers and lets us in."""
        with self._connection.plain_errors():
            self._probe.search_for_studies(limit=1)

    def holding(self, study_instance_uid: str, series_instance_uid: str) -> Holding:
        """What the archive holds of a series; empty if it does not know it."""
        found: dict[str, int] = {}
        while True:
            page = self._search(study_instance_uid, series_instance_uid, offset=len(found))
            news = {uid: voxels for uid, voxels in page if uid not in found}
            found |= news
            if not news:  # the last page, or an archive that knows no pages and repeats the first
                return Holding(frozenset(found), sum(found.values()))

    def retrieve(self, study_instance_uid: str, series_instance_uid: str, target: Path) -> Iterator[str]:
        """Write the instances of a series into a folder one by one, yielding each SOP Instance UID."""
        with self._connection.plain_errors():
            instances = self._reader.iter_series(
                study_instance_uid, series_instance_uid, media_types=ANY_TRANSFER_SYNTAX
            )
            for number, instance in enumerate(instances):
                _require_whole(instance)
                pydicom.dcmwrite(target / f"{number:05d}.dcm", instance)
                yield str(instance.SOPInstanceUID)

    def store(self, study_instance_uid: str, files: Sequence[Path]) -> None:
        """Store finished DICOM files; refuses to believe an answer that does not name each of them.

        Raises:
            StoreRefused: as long as the archive is set up as it is, it never takes them.
            UnreadableFile: one of them is damaged.
        """
        instances = [_finished(file) for file in files]
        with self._connection.plain_errors():
            answer = self._writer.store_instances(instances, study_instance_uid=study_instance_uid)
            failed = [int(item.get("FailureReason") or 0) for item in answer.get("FailedSOPSequence") or []]
            named = [
                item.get("ReferencedSOPInstanceUID") for item in answer.get("ReferencedSOPSequence") or []
            ]
        stored = {str(uid) for uid in named if uid}
        missing = {str(instance.SOPInstanceUID) for instance in instances} - stored
        if final := sorted({reason for reason in failed if reason in FINAL_REASONS}):
            raise _refused(final, {str(instance.SOPClassUID.name) for instance in instances})
        if failed:
            reasons = ", ".join(f"{reason:#06x}" for reason in sorted(set(failed)))
            raise ArchiveUnavailable(
                f"the archive did not store {len(failed)} of {len(files)} instances (reason {reasons})"
            )
        if missing:
            raise ArchiveUnavailable(f"the archive did not confirm {len(missing)} of {len(files)} instances")

    def close(self) -> None:
        """Close idle connections."""
        self._connection.close()

    def _search(self, study: str, series: str, offset: int) -> list[tuple[str, int]]:
        with self._connection.plain_errors():
            answers = self._reader.search_for_instances(
                study,
                series,
                fields=["SOPInstanceUID", "Rows", "Columns", "NumberOfFrames"],
                offset=offset or None,
            )
            return [(_uid(attributes), _voxels(attributes)) for attributes in _list(answers)]


def _require_whole(instance: pydicom.Dataset) -> None:
    """Refuse an instance that ends within a value: the answer around it may be intact, and pydicom takes what is there."""
    for element in map(instance.get_item, instance.keys()):
        if isinstance(element, RawDataElement) and len(element.value or b"") < _announced(element):
            raise ArchiveUnavailable(
                "the archive sent an instance that ends in the middle of a value; if it keeps doing so, look at the archive's "
                "disk and have the series sent again"
            )


def _announced(element: RawDataElement) -> int:
    """Bytes of the value; 0 where its end is marked instead."""
    return 0 if element.length == UNDEFINED_LENGTH else element.length


def _finished(file: Path) -> pydicom.Dataset:
    try:
        return pydicom.dcmread(file)
    except (InvalidDicomError, EOFError, ValueError) as error:
        raise UnreadableFile(
            "a finished file in the spool is damaged, and cannot be recreated with certainly identical pixels; check "
            "the spool's disk, and ask for the run again, which makes a new series"
        ) from error


def _list(answers: Any) -> list[dict[str, Any]]:
    if not isinstance(answers, list):
        raise TypeError("a search must be answered by a list")
    return answers


def _uid(attributes: dict[str, Any]) -> str:
    uid = str(first_value(attributes, SOP_INSTANCE_UID, ""))
    if not uid:
        raise ValueError("a search for instances must be answered with SOP Instance UIDs")
    return uid


def _voxels(attributes: dict[str, Any]) -> int:
    return _count(attributes, ROWS, 512) * _count(attributes, COLUMNS, 512) * _count(attributes, FRAMES, 1)


def _count(attributes: dict[str, Any], tag: str, default: int) -> int:
    """A whole number, or `default` where the archive tells none: it is only for estimating space."""
    try:
        return int(first_value(attributes, tag, default))
    except (TypeError, ValueError):
        return default


def _refused(reasons: list[int], kinds: set[str]) -> StoreRefused:
    """What is refused, with which Failure Reasons, and what helps."""
    words = ", ".join(f"{reason:#06x}" for reason in reasons)
    return StoreRefused(
        f"the archive refuses {', '.join(sorted(kinds))} permanently (reason {words}); have it accept these SOP Classes "
        "from the engine's user, or switch reports and maps off (NULLSPLAT_QUALITY_REPORT=false, "
        "NULLSPLAT_PARAMETRIC_MAPS=never), then run again"
    )

# SPDX-License-Identifier: AGPL-3.0-or-later
"""Access to Orthanc: the only module that uses the `orthanc` module.

With plugin 4.0 every call holds Python's lock while it lasts, so each requests little: tags one instance at a
time, never a whole series at once. Calls to own routes would deadlock; none is made.
"""

from __future__ import annotations

import calendar
import contextlib
import hashlib
import json
import time
from dataclasses import dataclass
from typing import Any, Dict, FrozenSet, List, Optional, Tuple

from nullsplat_node.outgoing.stow import Instance
from nullsplat_node.rules.conditions import Origin
from nullsplat_node.series.tags import Tags
from nullsplat_node.settings import METADATA
from nullsplat_node.shallow_json import loads

SYNTAX = "TransferSyntaxUID"
UNKNOWN_RESOURCE, INEXISTENT_ITEM = 17, 7
"""Orthanc's error codes for unknown resources."""
LONGEST_ERROR = 500
"""Characters of an error that are kept in a series' state and history."""


class NotInArchive(LookupError):
    """The series is not, or no longer, in the archive."""


class ArchiveError(RuntimeError):
    """Orthanc could not do what was asked, most often because its disk is full; may be retried."""


class StoreRefused(RuntimeError):
    """Orthanc refused to start sending."""


@dataclass(frozen=True)
class SeriesHere:
    """A series in the archive.

    Attributes:
        instances: Orthanc's identifiers, sorted. They are hashes of the UIDs, so equal identifiers
            (and equal digests of them) mean equal UIDs.
        changed_at: when the last instance came, seconds since the epoch, whole seconds.
        stored_state: the plugin's state for it, empty when there is none.
    """

    series: str
    instances: Tuple[str, ...]
    changed_at: float
    stored_state: str
    modality: str = ""

    @property
    def digest(self) -> str:
        """Return the digest of the set of instances."""
        return hashlib.sha256("\n".join(self.instances).encode("ascii")).hexdigest()


@dataclass(frozen=True)
class StoreJob:
    """A C-STORE job of Orthanc: its state, and what went wrong: Orthanc's code (0 for nothing) and words.

    Attributes:
        transaction: under which the destination was asked whether it keeps all of it; empty where it was not.
    """

    state: str
    error: str
    code: int = 0
    transaction: str = ""


@dataclass(frozen=True)
class Commitment:
    """What a destination reported of a storage commitment (PS3.4 annex J).

    Attributes:
        reported: whether it has.
        kept: SOP Instance UIDs that it vouches for.
        reasons: why it does not vouch for others, as Failure Reasons.
    """

    reported: bool
    kept: FrozenSet[str] = frozenset()
    reasons: Tuple[int, ...] = ()


class Archive:
    """The functions of Orthanc that the plugin uses.

    Args:
        orthanc: the module that Orthanc gives to its Python plugin.
    """

    def __init__(self, orthanc: Any) -> None:
        self._orthanc = orthanc

    def series(self) -> List[str]:
        """Return the identifiers of all series."""
        found: List[str] = self._get("/series")
        return found

    def look(self, series: str) -> SeriesHere:
        """Return the series as it is now.

        Raises:
            NotInArchive: it is not here.
        """
        shown = self._get(f"/series/{series}")
        metadata = self._get(f"/series/{series}/metadata?expand")
        return SeriesHere(
            series,
            tuple(sorted(shown["Instances"])),
            _epoch(metadata["LastUpdate"]),
            metadata.get(METADATA, ""),
            shown["MainDicomTags"].get("Modality", "").strip(),
        )

    def remember(self, series: str, stored_state: str) -> None:
        """Write the state into the series metadata.

        Raises:
            NotInArchive: the series is not here.
        """
        self._call(
            self._orthanc.RestApiPut, f"/series/{series}/metadata/{METADATA}", stored_state.encode("utf-8")
        )

    def tags(self, here: SeriesHere) -> List[Tags]:
        """Return the simplified tags of every instance, and its Transfer Syntax UID where Orthanc tells.

        Raises:
            NotInArchive: an instance is no longer here.
            TooDeep: its sequences are nested deeper than any that makes sense.
        """
        return [
            {**self._get(f"/instances/{instance}/simplified-tags"), SYNTAX: self._transfer_syntax(instance)}
            for instance in here.instances
        ]

    def _transfer_syntax(self, instance: str) -> str:
        metadata = self._get(f"/instances/{instance}/metadata?expand")
        if "TransferSyntax" in metadata:
            return str(metadata["TransferSyntax"])
        header = self._get(f"/instances/{instance}/header?simplify")  # Orthanc notes no private ones
        return str(header.get(SYNTAX, ""))

    def origin(self, here: SeriesHere) -> Origin:
        """Return the AE titles by which the series came, empty when it did not come by DICOM."""
        metadata = self._get(f"/instances/{here.instances[0]}/metadata?expand")
        return Origin(str(metadata.get("CalledAET", "")), str(metadata.get("RemoteAET", "")))

    def sop_uids(self, series: str) -> List[str]:
        """Return the SOP Instance UIDs of the series.

        Raises:
            NotInArchive: it is not here.
        """
        return [one["MainDicomTags"]["SOPInstanceUID"] for one in self._get(f"/series/{series}/instances")]

    def instances(self, series: str) -> List[Instance]:
        """Return the instances of the series, with the sizes of their files.

        Raises:
            NotInArchive: it is not here.
        """
        return [
            Instance(one["ID"], one["MainDicomTags"]["SOPInstanceUID"], int(one["FileSize"]))
            for one in self._get(f"/series/{series}/instances")
        ]

    def file(self, instance: str) -> bytes:
        """Return the DICOM file of an instance.

        Raises:
            NotInArchive: it is not here.
        """
        content: bytes = self._call(self._orthanc.RestApiGet, f"/instances/{instance}/file")
        return content

    def find_series(self, series_uid: str) -> Tuple[str, ...]:
        """Return the identifiers of all series with this Series Instance UID."""
        raw = self._call(self._orthanc.RestApiPost, "/tools/lookup", series_uid.encode("ascii"))
        return tuple(one["ID"] for one in loads(raw) if one["Type"] == "Series")

    def plugins(self) -> List[str]:
        """Return the names of Orthanc's plugins."""
        found: List[str] = self._get("/plugins")
        return found

    def modalities(self) -> Dict[str, Any]:
        """Return all that Orthanc knows of other DICOM nodes, by their names."""
        found: Dict[str, Any] = self._get("/modalities?expand")
        return found

    def begin_store(self, series: str, destination: str, commits: bool = False) -> str:
        """Start sending the series by C-STORE and return the job's identifier; does not wait.

        Args:
            commits: the job ends with the request to the destination to say whether it keeps all of it.
        Raises:
            StoreRefused: Orthanc does not know the destination or the series.
        """
        asked = {
            "Resources": [series],
            "Synchronous": False,
            **({"StorageCommitment": True} if commits else {}),
        }
        body = json.dumps(asked).encode("utf-8")
        try:
            raw = self._call(self._orthanc.RestApiPost, f"/modalities/{destination}/store", body)
        except (NotInArchive, ArchiveError) as error:
            raise StoreRefused(
                f"Orthanc must know {destination!r} as one of DicomModalities, but would not send to it: {error}"
            ) from error
        return str(loads(raw)["ID"])

    def store_job(self, job: str) -> Optional[StoreJob]:
        """Return the status of the store job, None when Orthanc no longer knows it."""
        try:
            raw = self._get(f"/jobs/{job}")
        except NotInArchive:
            return None
        return StoreJob(
            raw["State"],
            str(raw.get("ErrorDetails") or raw.get("ErrorDescription") or "")[:LONGEST_ERROR],
            int(raw.get("ErrorCode") or 0),
            str(raw.get("Content", {}).get("StorageCommitmentTransactionUID", "")),
        )

    def cancel_store(self, job: str) -> None:
        """Cancel a store job; one that has ended counts as cancelled."""
        with contextlib.suppress(NotInArchive, ArchiveError):
            self._call(self._orthanc.RestApiPost, f"/jobs/{job}/cancel", b"")

    def commitment(self, transaction: str) -> Optional[Commitment]:
        """Return the outcome of a request for storage commitment, None when Orthanc no longer knows it, for example after a restart."""
        try:
            raw = self._get(f"/storage-commitment/{transaction}")
        except NotInArchive:
            return None
        kept = frozenset(str(one["SOPInstanceUID"]) for one in raw.get("Success", ()))
        reasons = tuple(int(one["FailureReason"]) for one in raw.get("Failures", ()))
        return Commitment(raw["Status"] != "Pending", kept, reasons)

    def _get(self, path: str) -> Any:
        return loads(self._call(self._orthanc.RestApiGet, path))

    def _call(self, function: Any, path: str, *body: bytes) -> Any:
        try:
            return function(path, *body)
        except self._orthanc.OrthancException as error:
            if error.args and error.args[0] in (UNKNOWN_RESOURCE, INEXISTENT_ITEM):
                raise NotInArchive(f"Orthanc does not know {path}") from error
            raise ArchiveError(f"Orthanc failed at {path}: {error}") from error


def _epoch(last_update: str) -> float:
    """Return seconds since the epoch for Orthanc's time stamps, which are UTC."""
    return float(calendar.timegm(time.strptime(last_update, "%Y%m%dT%H%M%S")))

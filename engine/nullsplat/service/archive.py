"""The DICOMweb archive: what a series holds, getting it, storing another, being sure that it is there."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
import requests
from dicomweb_client.web import DICOMwebClient
from pydicom.errors import InvalidDicomError

from nullsplat.core.errors import ArchiveError
from nullsplat.service.settings import Settings

CONNECT_TIMEOUT = 5.0
PROBE_TIMEOUT = 3.0
ANY_TRANSFER_SYNTAX = (("application/dicom", "*"),)
"""Send what is stored as it is: transcoding takes longer, and the reader can decode it."""
WHOLE_REQUEST = 2**31
"""Larger than any request: not every archive takes the chunked encoding that the client would use otherwise."""
SOP_INSTANCE_UID, ROWS, COLUMNS = "00080018", "00280010", "00280011"


class ArchiveAway(ArchiveError):
    """The archive cannot be reached, is overloaded or broke off: the same request may well succeed soon."""


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
        ArchiveAway: worth another try soon.
        ArchiveError: the archive refuses, or answers what is not DICOMweb.
    """

    def __init__(self, settings: Settings) -> None:
        self._url = settings.archive_url
        self._session = requests.Session()
        # Proxies and passwords from the surroundings have no say in where patients' images go.
        self._session.trust_env = False
        if settings.archive_username is not None and settings.archive_password is not None:
            self._session.auth = (settings.archive_username, settings.archive_password.get_secret_value())
        if settings.archive_ca_file is not None:
            self._session.verify = str(settings.archive_ca_file)
        self._latest: requests.Response | None = None
        self._session.hooks["response"].append(self._remember)
        self._reader = self._client(settings.archive_timeout_seconds)
        self._writer = self._client(settings.archive_timeout_seconds, chunk_size=WHOLE_REQUEST)
        self._probe = self._client(PROBE_TIMEOUT)

    def probe(self) -> None:
        """Ask for as little as possible, to see whether the archive answers and lets us in."""
        with self._plain_errors():
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
        with self._plain_errors():
            instances = self._reader.iter_series(
                study_instance_uid, series_instance_uid, media_types=ANY_TRANSFER_SYNTAX
            )
            for number, instance in enumerate(instances):
                pydicom.dcmwrite(target / f"{number:05d}.dcm", instance)
                yield str(instance.SOPInstanceUID)

    def store(self, study_instance_uid: str, files: Sequence[Path]) -> None:
        """Store finished DICOM files; refuses to believe an answer that does not name each of them."""
        instances = [pydicom.dcmread(file) for file in files]
        with self._plain_errors():
            answer = self._writer.store_instances(instances, study_instance_uid=study_instance_uid)
        failed = [int(item.FailureReason) for item in answer.get("FailedSOPSequence", [])]
        stored = {str(item.ReferencedSOPInstanceUID) for item in answer.get("ReferencedSOPSequence", [])}
        missing = {str(instance.SOPInstanceUID) for instance in instances} - stored
        if failed:
            reasons = ", ".join(f"{reason:#06x}" for reason in sorted(set(failed)))
            raise ArchiveAway(
                f"the archive did not store {len(failed)} of {len(files)} instances (reason {reasons})"
            )
        if missing:
            raise ArchiveAway(f"the archive did not confirm {len(missing)} of {len(files)} instances")

    def close(self) -> None:
        """Close idle connections."""
        self._session.close()

    def _client(self, timeout: float, chunk_size: int = 2**20) -> DICOMwebClient:
        client = DICOMwebClient(
            self._url,
            session=self._session,
            timeout=(min(CONNECT_TIMEOUT, timeout), timeout),
            chunk_size=chunk_size,
        )
        # One place decides on patience (see `patience.py`), with progress and cancellation in between.
        client.set_http_retry_params(retry=False)
        return client

    def _search(self, study: str, series: str, offset: int) -> list[tuple[str, int]]:
        with self._plain_errors():
            answers = self._reader.search_for_instances(
                study, series, fields=["SOPInstanceUID", "Rows", "Columns"], offset=offset or None
            )
        return [(str(_first(a, SOP_INSTANCE_UID, "")), _voxels(a)) for a in answers]

    @contextlib.contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            with self._released_on_error():
                yield
        except requests.HTTPError as error:
            raise self._refusal(0 if error.response is None else error.response.status_code) from error
        except requests.exceptions.SSLError as error:
            raise ArchiveError(
                f"{self._url} shows a certificate that is not trusted; let NULLSPLAT_ARCHIVE_CA_FILE name its issuer's"
            ) from error
        except requests.ConnectionError as error:
            raise ArchiveAway(f"{self._url} cannot be reached: {_root_cause(error)}") from error
        except requests.RequestException as error:
            raise ArchiveAway(f"{self._url} did not answer properly: {type(error).__name__}") from error
        except EOFError as error:
            raise ArchiveAway(f"{self._url} broke off in the middle of an instance") from error
        except (ValueError, InvalidDicomError) as error:
            raise ArchiveError(
                f"{self._url} answered what is not DICOMweb ({type(error).__name__}); does NULLSPLAT_ARCHIVE_URL name "
                "the DICOMweb root?"
            ) from error

    @contextlib.contextmanager
    def _released_on_error(self) -> Iterator[None]:
        """Close the connection of an answer that was not read to its end; the client library leaves it open."""
        try:
            yield
        except BaseException:
            if self._latest is not None:
                self._latest.close()
            raise

    def _remember(self, response: requests.Response, **_options: object) -> None:
        self._latest = response

    def _refusal(self, status: int) -> ArchiveError:
        if status in (401, 403):
            return ArchiveError(
                f"{self._url} refuses the engine's credentials (HTTP {status}); set NULLSPLAT_ARCHIVE_USERNAME and "
                "NULLSPLAT_ARCHIVE_PASSWORD to a user who may search, retrieve and store"
            )
        if status == 404:
            return ArchiveError(
                f"{self._url} does not know what was asked for (HTTP 404); is it the DICOMweb root?"
            )
        if status in (408, 409, 425, 429) or status >= 500:
            return ArchiveAway(f"{self._url} cannot do it now (HTTP {status})")
        return ArchiveError(f"{self._url} refuses the request (HTTP {status})")


def _first(attributes: dict[str, Any], tag: str, default: object) -> Any:
    values = attributes.get(tag, {}).get("Value") or [default]
    return values[0]


def _voxels(attributes: dict[str, Any]) -> int:
    return int(_first(attributes, ROWS, 512)) * int(_first(attributes, COLUMNS, 512))


def _root_cause(error: BaseException) -> str:
    """The innermost reason, without the addresses and object names that the libraries wrap around it."""
    reason: Any = error
    while True:
        inner = getattr(reason, "reason", None) or (
            reason.args[-1] if getattr(reason, "args", None) else None
        )
        if not isinstance(inner, BaseException):
            break
        reason = inner
    return re.sub(r"^\[errno \d+\] ", "", str(reason).split(": ")[-1].lower())

"""HTTP to a DICOMweb archive: sessions with credentials, and errors that say what to do."""

import contextlib
import re
import ssl
import struct
from collections.abc import Iterator
from typing import Any

import requests
from dicomweb_client.web import DICOMwebClient
from pydicom.errors import InvalidDicomError
from requests.auth import HTTPBasicAuth

from nullsplat.core.errors import ArchiveError, ArchiveUnavailable, NotDicomweb, NotInArchive
from nullsplat.dicomweb.access import Access

CONNECT_TIMEOUT = 5.0
ANY_TRANSFER_SYNTAX = (("application/dicom", "*"),)
"""Send what is stored as it is: transcoding takes longer, and the reader can decode it."""


PASSING = (ArchiveUnavailable, NotInArchive, NotDicomweb)
"""What may be over soon: it is worth patience."""
GARBLED = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, NotImplementedError, OverflowError, SyntaxError,
    struct.error, InvalidDicomError, RecursionError,
)  # fmt: skip
"""What the client library, which believes what it is sent, raises over answers that are something else."""


class Connection:
    """One session with an archive, from which clients with timeouts of their own are made."""

    def __init__(self, access: Access) -> None:
        self._url, self._names = access.url, access.names
        self._session = requests.Session()
        # Proxies and passwords from the surroundings have no say in where patients' images go.
        self._session.trust_env = False
        if access.credentials is not None:
            # In UTF-8, as Orthanc has them; requests takes Latin-1 for text.
            self._session.auth = HTTPBasicAuth(*(part.encode() for part in access.credentials))
        if access.ca_file is not None:
            self._session.verify = str(access.ca_file)
        self._latest: requests.Response | None = None
        self._session.hooks["response"].append(self._remember)

    def close(self) -> None:
        """Close idle connections."""
        self._session.close()

    def client(
        self, timeout: float, chunk_size: int = 2**20, *, permissive_uid: bool = False
    ) -> DICOMwebClient:
        """A client whose answers may be silent for `timeout` seconds.

        Args:
            timeout: seconds.
            chunk_size: bytes of a request that are sent at a time.
            permissive_uid: ask also for UIDs that break the rules, such as components with leading zeros.
        """
        client = DICOMwebClient(
            self._url,
            session=self._session,
            timeout=(min(CONNECT_TIMEOUT, timeout), timeout),
            chunk_size=chunk_size,
            permissive_uid=permissive_uid,
        )
        # One place decides on patience (see `retry.py`), with progress and cancellation in between.
        client.set_http_retry_params(retry=False)
        return client

    @contextlib.contextmanager
    def plain_errors(self) -> Iterator[None]:
        """Turn what the client raises into ArchiveUnavailable, NotInArchive, NotDicomweb or another ArchiveError."""
        try:
            with self._released_on_error():
                yield
        except requests.HTTPError as error:
            raise self._refusal(0 if error.response is None else error.response.status_code) from error
        except requests.ConnectionError as error:
            reason = _innermost(error)
            if isinstance(reason, ssl.SSLCertVerificationError):
                raise ArchiveError(
                    f"{self._url} presents a certificate that is not trusted ({reason.verify_message}); let "
                    f"{self._names.ca_file} name its issuer's, or have the archive's certificate replaced"
                ) from error
            raise ArchiveUnavailable(f"{self._url} cannot be reached: {_root_cause(error)}") from error
        except requests.RequestException as error:
            raise ArchiveUnavailable(
                f"{self._url} did not answer properly: {type(error).__name__}"
            ) from error
        except EOFError as error:
            raise ArchiveUnavailable(f"{self._url} disconnected in the middle of an instance") from error
        except GARBLED as error:
            raise NotDicomweb(
                f"{self._url} answered with something that is not DICOMweb ({type(error).__name__}); "
                f"does {self._names.url} name the DICOMweb root?"
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
        if 300 <= response.status_code < 400:
            raise ArchiveError(  # here requests has not yet followed it
                f"{self._url} redirects the engine (HTTP {response.status_code}), and patients' images must not "
                f"follow unasked; let {self._names.url} name the DICOMweb root's new address"
            )

    def _refusal(self, status: int) -> ArchiveError:
        if status in (401, 403):
            return ArchiveError(
                f"{self._url} refuses the engine's credentials (HTTP {status}); set {self._names.credentials} "
                f"to a user who may {self._names.rights}"
            )
        if status == 404:
            return NotInArchive(
                f"{self._url} does not know what was asked for (HTTP 404); is it the DICOMweb root?"
            )
        if status in (408, 409, 425, 429) or status >= 500:
            return ArchiveUnavailable(f"{self._url} cannot answer now (HTTP {status})")
        return ArchiveError(f"{self._url} refuses the request (HTTP {status})")


def first_value(attributes: dict[str, Any], tag: str, default: object) -> Any:
    """The first value of an attribute in the DICOM JSON model, or `default`."""
    values = attributes.get(tag, {}).get("Value") or [default]
    return values[0]


def _root_cause(error: BaseException) -> str:
    """The innermost reason, without the addresses and object names that the libraries wrap around it."""
    return re.sub(r"^\[errno \d+\] ", "", str(_innermost(error)).split(": ")[-1].lower())


def _innermost(error: BaseException) -> BaseException:
    reason = error
    while True:
        inner = getattr(reason, "reason", None) or (reason.args[-1] if reason.args else None)
        if not isinstance(inner, BaseException):
            return reason
        reason = inner

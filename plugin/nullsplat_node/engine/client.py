# SPDX-License-Identifier: AGPL-3.0-or-later
"""The engine over HTTP, with the standard library alone.

Not `orthanc.HttpPost`: with plugin 4.0 that stops all Python in Orthanc for as long as the engine takes.
Every request of the contract is idempotent, so a broken connection is retried once.
"""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.request
from typing import Any, Dict, Mapping, Optional, Tuple

from nullsplat_node.engine.contract import (
    OPEN,
    VERSION,
    ContractError,
    Failure,
    JobStatus,
    OpenJob,
    read_error,
    read_job_status,
    read_open_jobs,
)
from nullsplat_node.shallow_json import loads

OPEN_JOBS = 50
"""Jobs of a state in one list."""
LARGEST_ANSWER = 16 * 1024 * 1024
BROKEN = (http.client.RemoteDisconnected, http.client.BadStatusLine, ConnectionResetError, BrokenPipeError)


class EngineUnavailable(Exception):
    """The engine cannot be reached or does not answer properly; may be retried later."""


class EngineUnreachable(EngineUnavailable):
    """There is no connection to the engine; every job would fail alike."""


class EngineRefused(Exception):
    """The engine refused the request.

    Attributes:
        status: HTTP status.
        failure: the engine's reason.
    """

    def __init__(self, status: int, failure: Failure) -> None:
        super().__init__(failure.message)
        self.status = status
        self.failure = failure


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would send the secret to another server."""

    def redirect_request(self, *_: Any) -> None:
        return None


class EngineClient:
    """The engine's job API.

    Args:
        url: like http://host:port.
        secret: sent as bearer token.
        timeout: seconds for each network operation.
        ca_file: certificates that the engine's is checked against; empty for the system's.
    """

    def __init__(self, url: str, secret: str, timeout: float, ca_file: str = "") -> None:
        self._url = url
        self._secret = secret
        self._timeout = timeout
        # No proxy: the engine is near, and a proxy would see the secret.
        context = ssl.create_default_context(cafile=ca_file or None)
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context), _NoRedirect()
        )

    def submit(self, key: str, request: Mapping[str, Any]) -> JobStatus:
        """Put the job; the same job may be put again.

        Raises:
            EngineUnavailable, EngineRefused: see there.
        """
        return self._job("PUT", key, request)

    def job(self, key: str) -> Optional[JobStatus]:
        """Return the job's status, None when the engine does not know it.

        Raises:
            EngineUnavailable, EngineRefused: see there.
        """
        return self._known("GET", key)

    def cancel(self, key: str) -> Optional[JobStatus]:
        """Cancel the job and return its status, None when the engine does not know it.

        Raises:
            EngineUnavailable, EngineRefused: see there.
        """
        return self._known("DELETE", key)

    def move(self, key: str, priority: str) -> JobStatus:
        """Give a queued job another priority.

        Raises:
            EngineUnavailable, EngineRefused: see there.
        """
        return self._job("POST", key, {"priority": priority}, "/priority")

    def release(self, key: str) -> JobStatus:
        """Run a failed job again.

        Raises:
            EngineUnavailable, EngineRefused: see there.
        """
        return self._job("POST", key, {}, "/release")

    def open_jobs(self) -> Tuple[OpenJob, ...]:
        """Return the newest jobs that run, and then those that wait, up to `OPEN_JOBS` each, whoever ordered them.

        Raises:
            EngineUnavailable, EngineRefused: see there.
        """
        answers = [self._exchange("GET", f"/v1/jobs?state={state}&limit={OPEN_JOBS}") for state in OPEN]
        try:
            return tuple(job for answer in answers for job in read_open_jobs(answer))
        except ContractError as error:
            raise EngineUnavailable(str(error)) from error

    def switch(self, how: str) -> Dict[str, Any]:
        """Pause the whole queue or resume it (`how` is one of these words), and return `engine_info` of after it.

        Raises:
            EngineUnavailable, EngineRefused: see there.
        """
        return _checked_info(self._exchange("POST", f"/v1/queue/{how}", {}))

    def info(self) -> Dict[str, Any]:
        """Return `engine_info` of the contract.

        Raises:
            EngineUnavailable: it cannot be reached, or speaks another version of the contract.
            EngineRefused: it refused.
        """
        return _checked_info(self._exchange("GET", "/v1/engine"))

    def version(self) -> str:
        """Return the engine's version.

        Raises:
            EngineUnavailable, EngineRefused: as `info`.
        """
        return str(self.info().get("version", ""))

    def checks(self) -> Dict[str, str]:
        """Return the engine's own checks, by name: `ok`, or what is wrong.

        Raises:
            EngineUnavailable: it cannot be reached, or does not report them.
        """
        status, raw = self._reach("GET", "/readyz")  # 503 when one of them is not ok, with the same body
        try:
            checks = loads(raw)["checks"]
            return {str(name): str(outcome) for name, outcome in checks.items()}
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise EngineUnavailable(
                f"the engine must report its checks at /readyz, it answered HTTP {status} without them"
            ) from error

    def _known(self, method: str, key: str) -> Optional[JobStatus]:
        try:
            return self._job(method, key)
        except EngineRefused as refusal:
            if refusal.status == http.client.NOT_FOUND:
                return None
            raise

    def _job(
        self, method: str, key: str, body: Optional[Mapping[str, Any]] = None, control: str = ""
    ) -> JobStatus:
        answer = self._exchange(method, f"/v1/jobs/{key}{control}", body)
        try:
            return read_job_status(answer, key)
        except ContractError as error:
            raise EngineUnavailable(str(error)) from error

    def _exchange(self, method: str, path: str, body: Optional[Mapping[str, Any]] = None) -> Any:
        status, raw = self._reach(method, path, body)
        if status >= 300:
            raise _refusal(status, raw)
        try:
            return loads(raw)
        except ValueError as error:
            raise EngineUnavailable(
                f"the engine at {self._url} must answer with JSON, got {raw[:40]!r}"
            ) from error

    def _reach(self, method: str, path: str, body: Optional[Mapping[str, Any]] = None) -> Tuple[int, bytes]:
        try:
            return self._send_again_when_broken(self._request(method, path, body))
        except (OSError, http.client.HTTPException) as error:
            raise EngineUnreachable(
                f"the engine cannot be reached at {self._url}: {_reason(error)}"
            ) from error

    def _request(self, method: str, path: str, body: Optional[Mapping[str, Any]]) -> urllib.request.Request:
        headers = {"Authorization": f"Bearer {self._secret}", "Accept": "application/json"}
        data = None
        if body is not None:
            data = json.dumps(body).encode("utf-8")
            headers["Content-Type"] = "application/json"
        return urllib.request.Request(self._url + path, data, headers, method=method)  # noqa: S310 - http(s) only, see settings

    def _send_again_when_broken(self, request: urllib.request.Request) -> Tuple[int, bytes]:
        try:
            return self._send(request)
        except (urllib.error.URLError, *BROKEN) as error:
            if not isinstance(getattr(error, "reason", error), BROKEN):
                raise
        return self._send(request)

    def _send(self, request: urllib.request.Request) -> Tuple[int, bytes]:
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                return answer.status, answer.read(LARGEST_ANSWER)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(LARGEST_ANSWER)


def _checked_info(info: Any) -> Dict[str, Any]:
    if not isinstance(info, dict) or info.get("contract") != VERSION:
        spoken = info.get("contract") if isinstance(info, dict) else info
        raise EngineUnavailable(
            f"the engine must speak contract version {VERSION}, it speaks {str(spoken)[:40]!r}"
        )
    return info


def _refusal(status: int, raw: bytes) -> Exception:
    """Return the exception for an error response: the engine's own failure, or that this is no engine."""
    try:
        failure = read_error(loads(raw))
    except ValueError:
        return EngineUnavailable(
            f"the engine answered HTTP {status} without a reason; check that EngineUrl names a NullSplat engine"
        )
    if (
        status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN, http.client.TOO_MANY_REQUESTS)
        or status >= http.client.INTERNAL_SERVER_ERROR
    ):
        return EngineUnavailable(f"the engine answered HTTP {status}: {failure.message}")
    return EngineRefused(status, failure)


def _reason(error: Exception) -> str:
    inner = getattr(error, "reason", error)
    if isinstance(inner, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted ({inner.verify_message}); let NullSplat.EngineCaFile name its issuer's, "
            "and EngineUrl the host that it is made for"
        )
    if isinstance(inner, ssl.SSLError):
        return f"no TLS version in common ({inner.reason or inner}); does it serve https?"
    return str(inner) or type(inner).__name__

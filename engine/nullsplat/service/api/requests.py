"""Reads and validates requests."""

import json
import re
from typing import Any

from fastapi import Request
from starlette.requests import ClientDisconnect

from nullsplat.service.api.errors import Refusal
from nullsplat.service.api.limits import LINGERING, too_large
from nullsplat.service.contract.messages import fault
from nullsplat.service.queue.jobs import Job


async def json_body(request: Request) -> Any:
    """The request's body.

    Raises:
        Refusal: it is too large, or not JSON.
    """
    body = await _whole(request)
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise Refusal(
            422, "bad-request", "the body must be JSON in UTF-8 as the contract says; it is not JSON"
        ) from None


async def _whole(request: Request) -> bytes:
    body, read, limit = bytearray(), 0, request.app.state.limits.bytes_at(request.url.path)
    try:
        async for chunk in request.stream():
            read += len(chunk)
            if read <= limit:
                body += chunk
            elif read > LINGERING * limit:
                break
    except ClientDisconnect:  # the answer reaches no client
        raise Refusal(
            400, "bad-request", "the request must be complete, its client disconnected before its end"
        ) from None
    if read > limit:
        raise too_large(limit)
    return bytes(body)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def validate(kind: str, message: Any) -> None:
    """Raise Refusal unless `message` is a `kind` of the contract."""
    try:
        problem = fault(kind, message)
    except RecursionError:  # shallow enough to be parsed, too deep to be validated
        problem = f"the body is nested too deeply to be a {kind}"
    if problem:
        raise Refusal(422, "bad-request", problem)


def validated_key(key: str) -> str:
    """The key, if it is well formed: not every text may be sent to every database."""
    if not re.fullmatch(r"[0-9a-f]{32}", key):
        raise Refusal(404, "not-found", "there is no such job: a key is 32 hexadecimal digits")
    return key


def job_or_404(key: str, job: Job | None) -> Job:
    """The job; raises Refusal with HTTP status 404 if there is none."""
    if job is None:
        raise Refusal(404, "not-found", f"there is no job {key[:32]}")
    return job

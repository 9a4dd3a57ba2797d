"""What UPS-RS says in headers and media types, beside the contract's errors (PS3.18, 11.4 to 11.13)."""

import contextlib
import re
from collections.abc import Iterator, Sequence

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from pydicom.dataset import Dataset

from nullsplat.core.errors import InputError, NotNow
from nullsplat.service.api.errors import Refusal

DICOM_JSON = "application/dicom+json"
JSON_TYPES = (DICOM_JSON, "application/json")

INCONSISTENT = "The submitted request is inconsistent with the state of the UPS Instance."
NO_TRANSACTION_UID = "The Transaction UID is missing."
WRONG_TRANSACTION_UID = "The Transaction UID is incorrect."
EXISTS = "The Workitem already exists."
ALREADY = "The UPS is already in the requested state of {}."
CREATED_OTHERWISE = "The Workitem was created with modifications."
UPDATED_OTHERWISE = "The Workitem was updated with modifications."
MORE = "There are additional results that can be requested."
NOT_LOCKED = "Deletion Lock not granted."
NOT_FUZZY = "The fuzzymatching parameter is not supported. Only literal matching has been performed."


def data_sets(shown: Sequence[Dataset], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """An answer in the DICOM JSON model."""
    body = [dataset.to_json_dict() for dataset in shown]
    return JSONResponse(body, status, headers, media_type=DICOM_JSON)


def address(request: Request, uid: str) -> str:
    """The URL of a workitem."""
    return f"{request.base_url}workitems/{uid}"


def warning(request: Request, *phrases: str) -> dict[str, str]:
    """The header that says something in the standard's words; none where there is nothing to say."""
    service = f"{request.base_url}workitems"
    words = ", ".join(f"299 {service}: {phrase}" for phrase in phrases)
    return {"Warning": words} if words else {}


def refused(request: Request, status: int, phrase: str, why: str) -> Refusal:
    """A refusal, in the standard's words and in ours."""
    codes = {400: "bad-request", 403: "forbidden", 404: "not-found", 409: "conflict"}
    return Refusal(status, codes[status], why, warning(request, phrase))


@contextlib.contextmanager
def refusing_in_words(request: Request, conflict: str = INCONSISTENT) -> Iterator[None]:
    """What is wrong with what was sent is 400; what comes too late or twice is 409, with the standard's words for it."""
    try:
        yield
    except InputError as error:
        raise refused(request, 400, str(error), str(error)) from error
    except NotNow as error:
        raise refused(request, 409, conflict, str(error)) from error


def require_acceptable(request: Request) -> None:
    """Refuse whoever does not take JSON."""
    ranges = request.headers.get("accept", "*/*").lower()
    if not any(one in ranges for one in (*JSON_TYPES, "*/*", "application/*")):
        raise Refusal(406, "not-acceptable", f"the Accept header must allow {DICOM_JSON}")


def require_json(request: Request) -> None:
    """Refuse a body of another media type."""
    given = re.split(r"[;\s]", request.headers.get("content-type", "").lower(), maxsplit=1)[0]
    if given not in JSON_TYPES:
        raise Refusal(415, "unsupported-media-type", f"the Content-Type must be {DICOM_JSON}")

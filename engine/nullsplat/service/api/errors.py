"""Error responses: each is an `error` message of the contract."""

import http
import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from nullsplat.core.errors import InputError, NullSplatError
from nullsplat.service.tracebacks import traceback_text

logger = logging.getLogger(__name__)


class Refusal(Exception):
    """A request that is refused, with its HTTP status, the failure of the contract and headers of the response."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers or {}


def refusal_response(status: int, code: str, message: str, *, retryable: bool = False) -> JSONResponse:
    """The HTTP response of a refusal."""
    headers = {"WWW-Authenticate": "Bearer"} if status == http.HTTPStatus.UNAUTHORIZED else None
    body = {"error": {"code": code, "message": message, "retryable": retryable}}
    return JSONResponse(body, status, headers)


def answer_errors(app: FastAPI) -> None:
    """Make the application answer every error with an `error` message of the contract."""

    @app.exception_handler(Refusal)
    def refused(_request: Request, error: Refusal) -> JSONResponse:
        response = refusal_response(error.status, error.code, str(error))
        response.headers.update(error.headers)
        return response

    @app.exception_handler(HTTPException)
    def not_routed(_request: Request, error: HTTPException) -> JSONResponse:
        phrase = http.HTTPStatus(error.status_code).phrase
        code = phrase.lower().replace(" ", "-")
        message = f"{phrase.lower()}: see the contract for the available paths and methods"
        response = refusal_response(error.status_code, code, message)
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(RequestValidationError)
    def malformed(_request: Request, error: RequestValidationError) -> JSONResponse:
        return refusal_response(422, "bad-request", "; ".join(_complaint(fault) for fault in error.errors()))

    @app.exception_handler(NullSplatError)
    def failed(_request: Request, error: NullSplatError) -> JSONResponse:
        status = 422 if isinstance(error, InputError) else 503
        return refusal_response(status, error.code, str(error), retryable=error.retryable)

    @app.exception_handler(Exception)
    def unforeseen(_request: Request, error: Exception) -> JSONResponse:
        logger.error("a request failed unexpectedly", extra={"traceback": traceback_text(error)})
        message = (
            f"an unexpected {type(error).__name__} stopped the request; the engine's log has the details"
        )
        return refusal_response(500, "internal", message)


def _complaint(fault: dict[str, Any]) -> str:
    where = " ".join(str(part) for part in fault["loc"])
    return f"{where}: {fault['msg']}"

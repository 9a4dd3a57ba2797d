"""Validates messages against the contract's schema, and derives job keys."""

import functools
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.validators import extend

STAGES = ("fetch", "stage1", "stage2", "consistency", "derive", "store")
STATES = ("queued", "running", "succeeded", "failed", "cancelled")


def schema() -> dict[str, Any]:
    """The JSON Schema that plugin and engine share."""
    text = files("nullsplat.service.contract").joinpath("v1.schema.json").read_text()
    document: dict[str, Any] = json.loads(text)
    return document


def fault(kind: str, message: object) -> str | None:
    """Say why `message` is not a `kind` of the schema, without repeating any value of it; None if it is one.

    Values stay out because a mistaken sender could put a patient's name anywhere.
    """
    error = best_match(_validator(kind).iter_errors(message))
    if error is None:
        return None
    where = error.json_path.replace("$", kind, 1)
    if error.validator == "required":
        missing = sorted(set(error.validator_value) - set(error.instance))
        return f"{where} must have {', '.join(missing)}"
    if error.validator == "additionalProperties":
        return f"{where} may only have {', '.join(sorted(error.schema['properties']))}"
    return f"{where} must satisfy {error.validator} {json.dumps(error.validator_value)}"


def _pattern(_validator: Any, pattern: str, instance: object, _schema: object) -> Iterator[ValidationError]:
    # In JSON Schema `$` matches the end only; in Python also before a final line break.
    if isinstance(instance, str) and not re.search(pattern.replace("$", r"\Z"), instance):
        yield ValidationError("the value does not match the pattern")


_Validator = extend(Draft202012Validator, {"pattern": _pattern})


@functools.cache
def _validator(kind: str) -> Any:
    return _Validator({**schema(), "$ref": f"#/$defs/{kind}"})


def job_key(request: Mapping[str, Any]) -> str:
    """The key of a job: 32 hexadecimal digits that depend on everything but its priority."""
    work = {name: value for name, value in request.items() if name != "priority"}
    canonical = json.dumps(work, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]

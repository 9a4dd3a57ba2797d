# SPDX-License-Identifier: AGPL-3.0-or-later
"""The protocol between plugin and engine, contract version 1: the plugin's side.

The JSON Schema of the contract is part of the engine (nullsplat/service/contract/v1.schema.json); the tests of
both sides check against it. This module holds what the plugin writes, and the part that it reads.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Dict, Iterable, Mapping, Optional, Tuple

VERSION = 1
JOB_STATES = frozenset({"queued", "running", "succeeded", "failed", "cancelled"})
OPEN = ("running", "queued")
KEY_DIGITS = 32
LONGEST_MESSAGE = 1000
"""Characters of a failure's message that are kept: a series' state holds up to twenty of them."""


class ContractError(ValueError):
    """The engine answered something that is not contract version 1."""


@dataclass(frozen=True)
class Failure:
    """Why the engine refused or gave up."""

    code: str
    message: str
    retryable: bool


@dataclass(frozen=True)
class JobResult:
    """What the engine stored in the archive.

    Attributes:
        further: SOP Instance UIDs by Series Instance UID of what goes with the images: maps, the quality report.
    """

    series_uid: str
    sop_uids: Tuple[str, ...]
    report: Mapping[str, Any] = field(default_factory=dict)
    further: Mapping[str, Tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class JobStatus:
    """The status of a job.

    Attributes:
        progress: 0 to 1 over all stages.
        stage: the stage that runs, empty when none does.
        eta: seconds left, None when not known.
        position: in the engine's queue, 1 for the next; None when it does not wait there.
        priority: of the job at the engine, empty when it does not report it.
    """

    key: str
    state: str
    progress: float = 0.0
    stage: str = ""
    note: str = ""
    eta: Optional[float] = None
    position: Optional[int] = None
    priority: str = ""
    failure: Optional[Failure] = None
    result: Optional[JobResult] = None


@dataclass(frozen=True)
class OpenJob:
    """A job that is queued or running, whoever ordered it.

    Attributes:
        created_at: seconds since the epoch.
    """

    status: JobStatus
    request: Mapping[str, Any]
    created_at: float

    @property
    def series_uid(self) -> str:
        """The Series Instance UID of its source."""
        return str(self.request["series_instance_uid"])


def fingerprint(series_uid: str, sop_uids: Iterable[str]) -> str:
    """Return the SHA-256 that stands for exactly this set of instances."""
    return hashlib.sha256("\n".join([series_uid, *sorted(sop_uids)]).encode("ascii")).hexdigest()


def parameters(
    preset: str,
    scale: Iterable[float],
    seed: int,
    samples: int,
    slice_profile: str = "auto",
    allow_gaps: bool = False,
) -> Dict[str, Any]:
    """Return the job parameters; whole factors are written as integers, so that equal requests have equal keys.

    Values that equal the behaviour before the option existed are left out, so that keys stay the same.
    """
    factors = [int(factor) if float(factor).is_integer() else float(factor) for factor in scale]
    asked: Dict[str, Any] = {} if slice_profile == "auto" else {"slice_profile": slice_profile}
    if allow_gaps:
        asked["allow_gaps"] = True
    return {"preset": preset, "scale": factors, "seed": seed, "samples": samples, **asked}


def job_key(request: Mapping[str, Any]) -> str:
    """Return the key of a job request: the same work always has the same key, whatever its priority."""
    work = {name: value for name, value in request.items() if name != "priority"}
    canonical = json.dumps(work, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()[:KEY_DIGITS]


def read_job_status(answer: Any, key: str) -> JobStatus:
    """Return the job's status out of the engine's answer.

    Raises:
        ContractError: the answer is not a job_status of the job `key`.
    """
    _need(isinstance(answer, dict), "a JSON object", answer)
    _need(answer.get("key") == key, f"the job {key}", answer.get("key"))
    state = answer.get("state")
    _need(isinstance(state, str) and state in JOB_STATES, f"a state out of {sorted(JOB_STATES)}", state)
    stage, note = _running_stage(answer.get("stages"))
    return JobStatus(
        key=key,
        state=str(state),
        progress=_fraction(answer.get("progress")),
        stage=stage,
        note=note,
        eta=_seconds(answer.get("eta_seconds")),
        position=_position(answer.get("waiting")) if state == "queued" else None,
        priority=_priority(answer.get("request")),
        failure=read_failure(answer.get("failure")) if state == "failed" else None,
        result=_result(answer.get("result")) if state == "succeeded" else None,
    )


def read_error(answer: Any) -> Failure:
    """Return the failure out of the engine's error answer.

    Raises:
        ContractError: the answer is not an error.
    """
    _need(isinstance(answer, dict), "a JSON object", answer)
    return read_failure(answer.get("error"))


def read_failure(answer: Any) -> Failure:
    """Return a failure object.

    Raises:
        ContractError: it is not one.
    """
    _need(isinstance(answer, dict), "a failure with code, message and retryable", answer)
    code, message, retryable = answer.get("code"), answer.get("message"), answer.get("retryable")
    whole = isinstance(code, str) and isinstance(message, str) and isinstance(retryable, bool)
    _need(whole, "a failure with code, message and retryable", answer)
    return Failure(str(code), _shortened(str(message)), bool(retryable))


def _shortened(message: str) -> str:
    return message if len(message) <= LONGEST_MESSAGE else message[: LONGEST_MESSAGE - 3] + "..."


def read_open_jobs(answer: Any) -> Tuple[OpenJob, ...]:
    """Return the jobs of a list that are queued or running; a list that was asked for by state may hold some that went on.

    Raises:
        ContractError: the answer is no list of jobs.
    """
    listed = answer.get("jobs") if isinstance(answer, dict) else None
    whole = isinstance(listed, list) and all(isinstance(one, dict) for one in listed)
    _need(whole, "a list of jobs", answer)
    return tuple(_open_job(one) for one in listed or () if one.get("state") in OPEN)


def _open_job(answer: Mapping[str, Any]) -> OpenJob:
    request, created_at = answer.get("request"), answer.get("created_at")
    _need(isinstance(request, dict) and _is_uid(request.get("series_instance_uid")), "a request", request)
    try:
        moment = datetime.fromisoformat(str(created_at).replace("Z", "+00:00")).timestamp()
    except ValueError:
        moment = math.nan
    _need(not math.isnan(moment), "a time created_at", created_at)
    return OpenJob(read_job_status(answer, str(answer.get("key"))), dict(request or {}), moment)


def _running_stage(stages: Any) -> Tuple[str, str]:
    _need(
        isinstance(stages, list) and all(isinstance(stage, dict) for stage in stages),
        "a list of stages",
        stages,
    )
    for stage in stages:
        if stage.get("state") == "running":
            return str(stage.get("name", "")), str(stage.get("note", ""))
    return "", ""


def _result(answer: Any) -> JobResult:
    _need(isinstance(answer, dict), "a result", answer)
    report, further = answer.get("report"), answer.get("further_series", [])
    series_uid, sop_uids = _stored_series(answer)
    _need(isinstance(report, dict), "a report", report)
    whole = isinstance(further, list) and all(isinstance(one, dict) for one in further)
    _need(whole, "a list of further_series", further)
    return JobResult(series_uid, sop_uids, dict(report), dict(_stored_series(one) for one in further))


def _stored_series(answer: Mapping[str, Any]) -> Tuple[str, Tuple[str, ...]]:
    series_uid, sop_uids = answer.get("series_instance_uid"), answer.get("sop_instance_uids")
    _need(_is_uid(series_uid), "a series_instance_uid", series_uid)
    listed = isinstance(sop_uids, list) and bool(sop_uids) and all(_is_uid(uid) for uid in sop_uids)
    _need(listed, "a list of sop_instance_uids", sop_uids)
    return str(series_uid), tuple(sop_uids or ())


def _is_uid(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9.]{1,64}", value) is not None


def _priority(request: Any) -> str:
    priority = request.get("priority", "") if isinstance(request, dict) else ""
    return priority if isinstance(priority, str) else ""


def _fraction(value: Any) -> float:
    _need(_is_number(value) and 0 <= value <= 1, "a progress from 0 to 1", value)
    return float(value)


def _position(waiting: Any) -> Optional[int]:
    """Return the place in the queue; engines before version 0.2 do not report it."""
    if waiting is None:
        return None
    place = waiting.get("position") if isinstance(waiting, dict) else None
    _need(
        isinstance(place, int) and not isinstance(place, bool) and place >= 1,
        "a position of 1 or more",
        waiting,
    )
    return int(place or 1)


def _seconds(value: Any) -> Optional[float]:
    if value is None:
        return None
    _need(_is_number(value) and value >= 0, "eta_seconds of 0 or more", value)
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _need(holds: bool, needed: str, came: object) -> None:
    if not holds:
        raise ContractError(
            f"the engine must answer with {needed} (contract version {VERSION}), got {str(came)[:80]!r}; "
            "check that EngineUrl names a NullSplat engine of a matching version"
        )

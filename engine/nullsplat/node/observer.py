"""Watches what the node does with a series, through the same routes that people and programs use."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests

from nullsplat.core.errors import ArchiveError, Cancelled, NullSplatError
from nullsplat.node.loopback import ask

Json = dict[str, Any]
POLL_SECONDS = 1.0
STALLED_SECONDS = 900.0
"""Seconds without any change after which something must be wrong."""

_ENDED = {"done", "held", "undelivered", "failed", "cancelled"}


class SeriesRefusedError(NullSplatError):
    """The node did not take the series, or could not finish it."""

    code = "refused"


@dataclass(frozen=True)
class Node:
    """Addresses of the node's parts.

    Attributes:
        orthanc_url: Orthanc's REST API.
        username: a user of Orthanc.
        password: that user's password.
        engine_url: the engine's API.
        secret: the engine's shared secret.
    """

    orthanc_url: str
    username: str
    password: str
    engine_url: str
    secret: str


class Observer:
    """Asks the plugin for the state of a series, and the engine for the progress of its job."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def identifier(self, series_instance_uid: str) -> str:
        """Orthanc's own identifier of a series.

        Raises:
            ArchiveError: Orthanc does not have it.
        """
        entries = self._archived("POST", "/tools/lookup", data=series_instance_uid)
        found = [entry["ID"] for entry in entries if entry["Type"] == "Series"]
        if len(found) != 1:
            raise ArchiveError(
                f"Orthanc must have series {series_instance_uid} once, it has it {len(found)} times"
            )
        return str(found[0])

    def study_of(self, series: str) -> str:
        """Orthanc's identifier of the study that a series belongs to."""
        return str(self._archived("GET", f"/series/{series}")["ParentStudy"])

    def description(self, series_instance_uid: str) -> str:
        """Series Description, empty where there is none.

        Raises:
            ArchiveError: Orthanc does not have the series.
        """
        series = self._archived("GET", f"/series/{self.identifier(series_instance_uid)}")
        return str(series["MainDicomTags"].get("SeriesDescription", ""))

    def viewers(self) -> dict[str, bool]:
        """Which viewers Orthanc has, by the names of the node's overview."""
        found: dict[str, bool] = self._archived("GET", "/nullsplat/overview")["viewers"]
        return found

    def state(self, series: str) -> Json:
        """The plugin's state of a series, given by Orthanc's identifier."""
        state: Json = self._archived("GET", f"/nullsplat/series/{series}")
        return state

    def job(self, key: str) -> Json | None:
        """The engine's job_status, or None before the job was submitted."""
        bearer = {"Authorization": f"Bearer {self._node.secret}"}
        answer = ask("GET", f"{self._node.engine_url}/v1/jobs/{key}", headers=bearer, timeout=30)
        if answer.status_code == requests.codes.not_found:
            return None
        job: Json = _content(answer)
        return job

    def _archived(self, method: str, path: str, **options: Any) -> Any:
        user = (self._node.username, self._node.password)
        return _content(ask(method, self._node.orthanc_url + path, auth=user, timeout=30, **options))


def wait_for_decision(observer: Observer, series: str, check: Callable[[], None]) -> str:
    """Wait until the plugin has checked the series; returns its decision in words.

    Args:
        observer: queries the node.
        series: Orthanc's identifier.
        check: raises when a process of the node has ended.

    Raises:
        SeriesRefusedError: the plugin does not take the series.
        ArchiveError: nothing was decided for a long time.
    """
    started = time.monotonic()
    while True:
        check()
        state = observer.state(series)
        if state["state"] == "ineligible":
            raise SeriesRefusedError(
                f"the node must take the series, but says {state['title']!r}: {state['message']}"
            )
        if state.get("decision"):
            return str(state["decision"])
        if time.monotonic() - started > STALLED_SECONDS:
            raise ArchiveError(f"the plugin must decide on the series, but only says {state['title']!r}")
        time.sleep(POLL_SECONDS)


def follow(
    observer: Observer, series: str, show: Callable[[str, float, str], None], check: Callable[[], None]
) -> tuple[Json, Json]:
    """Show the progress of each stage until the result is in the archive and delivered.

    Args:
        observer: queries the node.
        series: Orthanc's identifier of the source series.
        show: called with stage, fraction and note.
        check: raises when a process of the node has ended.

    Returns:
        The plugin's final state of the series, and the engine's final job_status.

    Raises:
        SeriesRefusedError: the job failed.
        Cancelled: it was cancelled.
        ArchiveError: nothing happened for a long time.
    """
    news: object = None
    since = time.monotonic()
    while True:
        check()
        state = observer.state(series)
        job = observer.job(state["job"]["key"]) if "job" in state else None
        for stage in job["stages"] if job else []:
            _show(stage, job, show)
        if state["state"] in _ENDED:
            return _finished(state, job)
        latest = (state["state"], state["message"], job and job["progress"])
        if latest != news:
            news, since = latest, time.monotonic()
        if time.monotonic() - since > STALLED_SECONDS:
            raise ArchiveError(
                f"the series must make progress, but has been {state['title']!r} for {STALLED_SECONDS:.0f} s"
            )
        time.sleep(POLL_SECONDS)


def _show(stage: Json, job: Json | None, show: Callable[[str, float, str], None]) -> None:
    if stage["state"] == "done":
        show(stage["name"], 1.0, f"{stage.get('seconds', 0.0):.1f} s")
    elif stage["state"] == "running":
        left = job.get("eta_seconds") if job else None
        parts = [stage.get("note", ""), "" if left is None else f"about {_duration(left)} left in all"]
        show(stage["name"], stage["progress"], ", ".join(part for part in parts if part))


def _finished(state: Json, job: Json | None) -> tuple[Json, Json]:
    if state["state"] == "cancelled":
        raise Cancelled(
            "the job was cancelled elsewhere; press 'Run again' in Orthanc Explorer, or start the demo again"
        )
    if state["state"] == "failed" or job is None:
        raise SeriesRefusedError(f"the job must succeed, but failed: {state['message']}")
    if state["state"] in ("held", "undelivered"):
        raise ArchiveError(f"the result must be delivered, but is {state['state']}: {state['message']}")
    return state, job


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _content(answer: requests.Response) -> Any:
    if not answer.ok:
        raise ArchiveError(f"{answer.url} answered {answer.status_code}: {answer.text[:200]}")
    return answer.json()

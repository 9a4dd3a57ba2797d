"""People and programs at Orthanc's door during a run: each role does what it may, and asks for what it may not."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import cycle

import requests

ADMIN = "admin"
REGISTERED = ("monitor", "reader", "ward")
ROLES = {ADMIN: "administrator", "monitor": "metrics", "reader": "viewer", "ward": "operator"}
PAUSE = 0.5
"""Seconds between two questions."""
FORBIDDEN = 403
NOWHERE = "-".join(["0123abcd"] * 5)


@dataclass(frozen=True)
class Question:
    """A request, and the status that it must get whenever Orthanc answers at all."""

    user: str
    method: str
    path: str
    status: int
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """The request in words, for the report."""
        origin = f" from {self.headers['Origin']}" if "Origin" in self.headers else ""
        return f"{self.method} {self.path} as {self.user}{origin}"


_ELSEWHERE = {"Origin": "http://elsewhere.example", "Content-Type": "text/plain"}
QUESTIONS = (
    Question("monitor", "GET", "/nullsplat/metrics", 200),
    Question("monitor", "GET", "/studies", FORBIDDEN),
    Question("reader", "GET", "/nullsplat/status", 200),
    Question("reader", "DELETE", f"/series/{NOWHERE}", FORBIDDEN),
    Question("reader", "POST", f"/nullsplat/series/{NOWHERE}", FORBIDDEN),
    Question("ward", "POST", f"/nullsplat/series/{NOWHERE}", 400),
    Question("ward", "POST", "/tools/reset", FORBIDDEN),
    Question(ADMIN, "POST", "/tools/reset", FORBIDDEN),
    Question(ADMIN, "POST", "/tools/bulk-delete", FORBIDDEN, _ELSEWHERE),
    Question(ADMIN, "DELETE", f"/series/{NOWHERE}", FORBIDDEN, _ELSEWHERE),
)


class People:
    """Ask the questions in turn, from a thread, whatever becomes of Orthanc meanwhile.

    Attributes:
        answered: how many questions Orthanc answered as it must.
        troubles: answers that must not be, in words.
    """

    def __init__(self, ask: Callable[[Question], requests.Response | None]) -> None:
        self.answered = 0
        self.troubles: set[str] = set()
        self._ask = ask
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="people", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        for question in cycle(QUESTIONS):
            if self._ended.wait(PAUSE):
                return
            self.judge(question, self._ask(question))

    def judge(self, question: Question, answer: requests.Response | None) -> None:
        """Take note of an answer; of none where Orthanc is away."""
        if answer is None:
            return
        if answer.status_code == question.status:
            self.answered += 1
        else:
            self.troubles.add(f"{question} must be answered {question.status}, was {answer.status_code}")

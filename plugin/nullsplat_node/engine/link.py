# SPDX-License-Identifier: AGPL-3.0-or-later
"""A circuit breaker: after the engine could not be reached, requests fail at once for a while.

Without it, a hundred waiting series would each wait for the whole timeout of an unreachable engine.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, Optional, TypeVar

from nullsplat_node.engine.client import EngineClient, EngineUnavailable, EngineUnreachable

Answer = TypeVar("Answer")


class EngineLink:
    """Contact with the engine.

    Args:
        pause: seconds without contact after the engine could not be reached.
        clock: seconds since the epoch.

    Attributes:
        error: why the last contact failed, empty when it did not.
        version: of the engine, empty before the first contact.
        info: its latest `engine_info`, empty before the first contact.
        checks: the engine's own checks at the last ping, by name: `ok`, or what is wrong.
        answered_at: when it last answered, seconds since the epoch; None before the first time.
        unreachable_since: since when it has not answered; None while it answers.
    """

    def __init__(self, client: EngineClient, pause: float, clock: Callable[[], float]) -> None:
        self.error = ""
        self.version = ""
        self.info: Mapping[str, Any] = {}
        self.checks: Mapping[str, str] = {}
        self.answered_at: Optional[float] = None
        self.unreachable_since: Optional[float] = None
        self._client = client
        self._pause = pause
        self._clock = clock
        self._closed_until = 0.0

    def ask(self, question: Callable[[EngineClient], Answer]) -> Answer:
        """Return what the engine answers to `question`.

        Raises:
            EngineUnavailable, EngineRefused: as the client does; also at once while the pause lasts.
        """
        # Not longer than the pause, even if the clock is set back meanwhile.
        if 0 < self._closed_until - self._clock() <= self._pause:
            raise EngineUnreachable(self.error)
        try:
            answer = question(self._client)
        except EngineUnreachable as error:
            self._note_error(error)
            self._closed_until = self._clock() + self._pause
            raise
        self.error = ""
        self.answered_at, self.unreachable_since = self._clock(), None
        return answer

    def ping(self) -> None:
        """Fetch `engine_info` and the engine's checks.

        Raises:
            EngineUnavailable, EngineRefused: as `ask`.
        """
        known = self.info
        info = self._asked(lambda client: client.info())
        if self.info is known:  # else it was paused or resumed meanwhile, which this answer need not know of
            self.info = info
        self.checks = self._checks()

    def switch(self, how: str) -> None:
        """Pause the engine's queue or resume it.

        Raises:
            EngineUnavailable, EngineRefused: as `ask`.
        """
        self.info = self._asked(lambda client: client.switch(how))

    def _asked(self, question: Callable[[EngineClient], Dict[str, Any]]) -> Dict[str, Any]:
        try:
            info = self.ask(question)
        except Exception as error:
            self._note_error(error)
            raise
        self.version = str(info.get("version", ""))
        return info

    def _checks(self) -> Dict[str, str]:
        try:
            return self._client.checks()
        except EngineUnavailable as error:
            return {"readiness": str(error)}  # jobs can still be submitted, so the engine counts as reachable

    def _note_error(self, error: Exception) -> None:
        self.error = str(error)
        self.unreachable_since = self.unreachable_since or self._clock()

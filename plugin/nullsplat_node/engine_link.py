# SPDX-License-Identifier: AGPL-3.0-or-later
"""The engine with a memory: after it could not be reached, nobody waits for it again for a moment.

Without this, a hundred waiting series would each sit through the whole timeout of an engine that is away.
"""

from __future__ import annotations

from typing import Callable, TypeVar

from .engine_client import EngineClient, EngineUnreachable

Answer = TypeVar("Answer")


class EngineLink:
    """Contact with the engine.

    Args:
        pause: seconds without contact after the engine could not be reached.
        clock: seconds since the epoch.

    Attributes:
        trouble: why the last contact failed, empty when it did not.
        version: of the engine, empty before the first contact.
    """

    def __init__(self, client: EngineClient, pause: float, clock: Callable[[], float]) -> None:
        self.trouble = ""
        self.version = ""
        self._client = client
        self._pause = pause
        self._clock = clock
        self._closed_until = 0.0

    def ask(self, question: Callable[[EngineClient], Answer]) -> Answer:
        """Return what the engine answers to `question`.

        Raises:
            EngineAway, EngineRefused: as the client does; also at once while the pause lasts.
        """
        if self._clock() < self._closed_until:
            raise EngineUnreachable(self.trouble)
        try:
            answer = question(self._client)
        except EngineUnreachable as error:
            self.trouble = str(error)
            self._closed_until = self._clock() + self._pause
            raise
        self.trouble = ""
        return answer

    def greet(self) -> None:
        """Ask for the engine's version.

        Raises:
            EngineAway, EngineRefused: as `ask`.
        """
        try:
            self.version = self.ask(lambda client: client.version())
        except Exception as error:
            self.trouble = str(error)
            raise

# SPDX-License-Identifier: AGPL-3.0-or-later
"""The log of refused requests: Orthanc answers its own routes with a bare 403, so the reason stands there."""

from __future__ import annotations

from typing import Callable, Dict

from nullsplat_node.access.gate import Refusal

QUIET_SECONDS = 60.0
MOST = 100
"""Different reasons that are logged in a minute; more are probing."""


class RefusedRequests:
    """Logs each reason at most once a minute, so that requests cannot fill the disk."""

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._write = write
        self._clock = clock
        self._written: Dict[str, float] = {}

    def note(self, refusal: Refusal) -> None:
        """Log why a request was refused, unless that was logged within a minute."""
        now = self._clock()
        self._written = {why: since for why, since in self._written.items() if now - since < QUIET_SECONDS}
        if refusal.message in self._written or len(self._written) > MOST:
            return
        self._written[refusal.message] = now
        if len(self._written) > MOST:
            self._write(
                f"NullSplat: requests are refused for more than {MOST} reasons (403); they are not written for a minute"
            )
        else:
            self._write(f"NullSplat: a request was refused (403, {refusal.code}): {refusal.message}")

# SPDX-License-Identifier: AGPL-3.0-or-later
"""Background requests to other machines, one thread for each machine, so that a slow one delays no other.

Nothing is kept over a restart: an unknown errand is started again.
"""

from __future__ import annotations

import queue
import threading
import uuid
from collections import OrderedDict
from typing import Callable, Dict, Optional, Tuple

from nullsplat_node.lifecycle.routing import Outcome

Work = Callable[[], Outcome]
MOST = 10_000
"""Ended errands whose outcome is kept; each is queried once, within seconds."""


class Errands:
    """Threads that send.

    Args:
        ended: called with the name of each errand after its end, from its thread; must return at once.
    """

    def __init__(self, ended: Callable[[str], None]) -> None:
        self._ended = ended
        self._lock = threading.Lock()
        self._queues: "Dict[str, queue.Queue[Tuple[str, Work]]]" = {}
        self._outcomes: "OrderedDict[str, Outcome]" = OrderedDict()
        self.stopping = threading.Event()

    def begin(self, partner: str, work: Work) -> str:
        """Queue work for this partner, and return a name for it."""
        name = f"{partner}-{uuid.uuid4().hex}"
        with self._lock:
            self._outcomes[name] = Outcome()
            if partner not in self._queues:
                self._queues[partner] = queue.Queue()
                threading.Thread(target=self._run, args=(self._queues[partner],), daemon=True).start()
            self._queues[partner].put((name, work))
        return name

    def outcome(self, name: str) -> Optional[Outcome]:
        """Return the outcome, None for an unknown errand."""
        with self._lock:
            return self._outcomes.get(name)

    def withdraw(self, name: str) -> None:
        """Cancel it; one in progress ends after its current request."""
        with self._lock:
            self._outcomes.pop(name, None)

    def stop(self) -> None:
        """Start nothing more; what is in progress ends after its current request."""
        self.stopping.set()

    def _run(self, waiting: "queue.Queue[Tuple[str, Work]]") -> None:
        while not self.stopping.is_set():
            name, work = waiting.get()
            if self.stopping.is_set():
                return
            if self.outcome(name) is None:  # withdrawn meanwhile
                continue
            outcome = _guarded(work)
            with self._lock:
                self._outcomes[name] = outcome
                self._forget_old()
            self._ended(name)

    def _forget_old(self) -> None:
        settled = [name for name, outcome in self._outcomes.items() if outcome.settled]
        for name in settled[:-MOST]:
            del self._outcomes[name]


def _guarded(work: Work) -> Outcome:
    try:
        return work()
    except Exception as surprise:  # noqa: BLE001 - the thread must outlive it, and the route reports it
        return Outcome(error=f"unexpected {type(surprise).__name__}")

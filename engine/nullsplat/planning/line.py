"""The waiting series in the order of the node's own queue, with the node's own rule of ageing."""

import heapq

from nullsplat.service.queue.priorities import PRIORITIES, Waiting, promotions

RECOVERY_INTERVAL = 10.0
"""Seconds between two sweeps of a worker, as in service.worker.process."""
Entry = tuple[float, int]
"""Since when a series is queued, and its number."""
Kind = tuple[str, str]
"""The class that a series was put into, and the one that it waits in."""


class Line:
    """Series that wait, by the class that they were put into and the class that age brought them to.

    `promotions` moves the oldest that may move, so that it need only be shown the oldest of each kind.
    """

    def __init__(self, ageing_seconds: float) -> None:
        self._ageing = ageing_seconds
        self._heaps: dict[Kind, list[Entry]] = {}
        self._aged: dict[int, str] = {}
        self._swept = -RECOVERY_INTERVAL

    def __len__(self) -> int:
        """How many wait."""
        return sum(map(len, self._heaps.values()))

    def put(self, priority: str, since: float, number: int) -> None:
        """Queue a series."""
        self._push((priority, priority), (since, number))

    def take(self, moment: float) -> Entry | None:
        """The next series, which leaves the line and is worked on until `leave`; None when nobody waits."""
        if not self._heaps:
            return None
        if moment - self._swept >= RECOVERY_INTERVAL:
            self._sweep(moment)
        own, now = kind = min(self._heaps, key=lambda kind: (PRIORITIES[kind[1]], self._heaps[kind][0]))
        entry = self._pop(kind)
        if own != now:
            self._aged[entry[1]] = now
        return entry

    def leave(self, number: int, moment: float) -> None:
        """Nobody works on this series any more; while it was worked on, there were sweeps."""
        self._sweep(moment)
        self._aged.pop(number, None)

    def _sweep(self, moment: float) -> None:
        """What the workers' sweeps have done by now: in the time of a job there are several."""
        self._swept = moment
        while self._ageing and any(moment - heap[0][0] >= self._ageing for heap in self._heaps.values()):
            moved = promotions(self._oldest(moment), self._ageing, set(self._aged.values()))
            for name, target in moved.items():
                own, now = name.split()
                self._push((own, target), self._pop((own, now)))
            if not moved:
                return

    def _oldest(self, moment: float) -> list[Waiting]:
        kinds = sorted((heap[0], kind) for kind, heap in self._heaps.items())
        return [Waiting(f"{own} {now}", own, now, moment - since) for (since, _), (own, now) in kinds]

    def _push(self, kind: Kind, entry: Entry) -> None:
        heapq.heappush(self._heaps.setdefault(kind, []), entry)

    def _pop(self, kind: Kind) -> Entry:
        entry = heapq.heappop(self._heaps[kind])
        if not self._heaps[kind]:
            del self._heaps[kind]
        return entry

"""A scanner: sends each series when its time has come, and again until every slice was confirmed."""

import heapq
import threading
import time
from pathlib import Path

from nullsplat.core.errors import ArchiveError
from nullsplat.node.scanner import Peer, send
from soaking.scans import Scan

SCANNER = "CTSCANNER"
PAUSE = 2.0
"""Seconds until a transfer that failed is tried again, as a whole, which is what scanners do."""


class Scanner:
    """Sends from a thread of its own.

    Attributes:
        resent: how many transfers failed and were done again.
        trouble: what no scanner should meet; empty when all is well.
    """

    def __init__(self, scans: list[Scan], peer: Peer) -> None:
        self.resent = 0
        self.trouble = ""
        self._peer = peer
        self._due: list[tuple[float, int, list[Path]]] = []
        for scan in scans:
            self._add(scan.case.at, scan.first)
            if scan.second:
                self._add(scan.case.again_at, scan.second)
        self._left = len(self._due)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._guarded, name="scanner", daemon=True)

    def start(self) -> None:
        """Begin; the times of the cases count from now."""
        self._started = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """End, with whatever is left unsent."""
        self._ended.set()
        self._thread.join()

    @property
    def left(self) -> int:
        """Transfers that are not confirmed yet."""
        return self._left

    def _add(self, at: float, files: list[Path]) -> None:
        heapq.heappush(self._due, (at, len(self._due), files))

    def _guarded(self) -> None:
        try:
            self._run()
        except Exception as error:  # noqa: BLE001 - the thread's boundary: the run must hear of it
            self.trouble = f"{type(error).__name__}: {error}"

    def _run(self) -> None:
        while self._due and not self._ended.is_set():
            at, number, files = heapq.heappop(self._due)
            if self._ended.wait(max(0.0, self._started + at - time.monotonic())):
                return
            try:
                send(files, self._peer, SCANNER)
                self._left -= 1
            except (ArchiveError, OSError, RuntimeError):
                self.resent += 1
                heapq.heappush(self._due, (time.monotonic() - self._started + PAUSE, number, files))

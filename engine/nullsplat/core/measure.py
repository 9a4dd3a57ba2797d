"""Seconds and peak memory of a stretch of work."""

import resource
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

_STATM = Path("/proc/self/statm")


@dataclass
class Cost:
    """What a stretch of work took.

    Attributes:
        seconds: wall time.
        peak_memory_mib: highest resident set size seen meanwhile, in MiB.
        peak_gpu_memory_mib: highest memory allocated on the GPU, in MiB; 0 without a GPU.
    """

    seconds: float = 0.0
    peak_memory_mib: float = 0.0
    peak_gpu_memory_mib: float = 0.0


class Stopwatch:
    """Context manager that fills a `Cost`; memory is sampled every 50 ms from a thread of its own."""

    def __init__(self) -> None:
        self.cost = Cost()
        self._stop = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True, name="nullsplat-stopwatch")

    def __enter__(self) -> Cost:
        """Start the clock."""
        if gpu := _gpu():
            gpu.reset_peak_memory_stats()
        self._start = time.perf_counter()
        self._sampler.start()
        return self.cost

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the clock, also after an error."""
        self._stop.set()
        self._sampler.join()
        self.cost.seconds = time.perf_counter() - self._start
        if gpu := _gpu():
            self.cost.peak_gpu_memory_mib = gpu.max_memory_allocated() / 2**20

    def _sample(self) -> None:
        while True:
            self.cost.peak_memory_mib = max(self.cost.peak_memory_mib, _resident_mib())
            if self._stop.wait(0.05):
                return


def _gpu() -> Any:
    """torch's view of it, where something has imported torch: nobody else takes memory there."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch is not None and torch.cuda.is_available() else None


def _resident_mib() -> float:
    if not _STATM.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    pages = int(_STATM.read_text().split()[1])
    return pages * resource.getpagesize() / 2**20

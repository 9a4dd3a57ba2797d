"""How fast this machine's memory is, by the time that a copy takes.

Source: McCalpin's STREAM, kernel Copy: every byte counts twice, once read and once written.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from nullsplat.evaluation.bench.rows import Row
from nullsplat.evaluation.bench.workloads import Conditions

LABEL = "memory bandwidth"


@dataclass(frozen=True)
class Bandwidth:
    """Of the memory of the processor that computes.

    Attributes:
        bytes_per_second: read and written together.
        rows: what it was measured by.
    """

    bytes_per_second: float
    rows: tuple[Row, ...]

    def least_ms(self, moved: int) -> float:
        """Milliseconds in which that many bytes can be moved at best."""
        return 1e3 * moved / self.bytes_per_second


def measure_bandwidth(how: Conditions) -> Bandwidth:
    """Copy an array with torch and, on a CPU, with NumPy; the faster one counts."""
    count = how.workload.copied_mib * 2**20 // 4
    source = torch.ones(count, device=how.device)
    target = torch.empty_like(source)
    runs: dict[str, Callable[[], Any]] = {"torch": lambda: target.copy_(source)}
    if how.device.type == "cpu":
        array, other = source.numpy(), np.empty(count, np.float32)
        runs["NumPy"] = lambda: np.copyto(other, array)
    timings = how.time(runs)
    moved = 2 * 4 * count
    rows = tuple(
        Row("memory", f"copy by {name}", {"floats": count}, timing, note=_rate(moved, timing.median_ms))
        for name, timing in timings.items()
    )
    return Bandwidth(moved / min(timing.median_ms for timing in timings.values()) * 1e3, rows)


def bytes_of(*tensors: torch.Tensor) -> int:
    """Bytes that the tensors occupy together."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def memory_row(row: Row, moved: int, bandwidth: Bandwidth) -> Row:
    """The same timing against the time that its bytes need at least; the ratio is the share of the bandwidth used."""
    note = f"{moved / 2**20:.3g} MiB must be moved at {bandwidth.bytes_per_second / 1e9:.3g} GB/s"
    return Row(row.part, row.kernel, row.shapes, row.ours, LABEL, bandwidth.least_ms(moved), note)


def _rate(moved: int, milliseconds: float) -> str:
    return f"{moved / milliseconds / 1e6:.3g} GB/s read and written"

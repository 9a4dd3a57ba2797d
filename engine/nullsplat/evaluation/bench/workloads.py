"""What is timed at which size, and under which conditions."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from nullsplat.core.errors import ConfigurationError
from nullsplat.evaluation.bench.timing import Clock, Timing, time_in_turn, wait_for

Shape3 = tuple[int, int, int]


@dataclass(frozen=True)
class Workload:
    """Sizes of the inputs.

    Attributes:
        volume: voxels (z, y, x) of what is projected and of the grid that cubic interpolation fills.
        views: of the projector.
        gaussians: of the splatting kernels.
        detector: rows and columns that they are drawn on.
        grid: voxels (z, y, x) that they are put on.
        phantom: voxels (z, y, x) of the result of a whole run; z is a multiple of 4.
        copied_mib: size of the array whose copy measures the memory's bandwidth; more than the caches hold.
    """

    volume: Shape3
    views: int
    gaussians: int
    detector: tuple[int, int]
    grid: Shape3
    phantom: Shape3
    copied_mib: int


WORKLOADS: dict[str, Workload] = {
    "tiny": Workload((8, 48, 48), 12, 500, (64, 64), (16, 48, 48), (24, 40, 40), 32),
    "cpu": Workload((64, 256, 256), 40, 50_000, (512, 512), (64, 128, 128), (64, 128, 128), 256),
    "gpu": Workload((256, 512, 512), 100, 500_000, (512, 512), (128, 256, 256), (128, 512, 512), 1024),
}


@dataclass(frozen=True)
class Conditions:
    """Under which all rows of a run are timed.

    Attributes:
        size: name of the workload.
        repeats: timings per row.
        device: the processor that computes.
        clock: what is read before and after.
    """

    size: str
    repeats: int
    device: torch.device
    clock: Clock = time.perf_counter

    @property
    def workload(self) -> Workload:
        """Sizes of the inputs."""
        return WORKLOADS[self.size]

    def time(self, runs: Mapping[str, Callable[[], Any]]) -> dict[str, Timing]:
        """Wall times of each way to do the same work, see `timing.time_in_turn`."""
        return time_in_turn(runs, self.repeats, self.clock, wait_for(self.device))


def conditions(size: str, repeats: int) -> Conditions:
    """`gpu` runs on a GPU, the other sizes on the CPU.

    Raises:
        ConfigurationError: no such size, no repeats, or no GPU for `gpu`.
    """
    if size not in WORKLOADS:
        raise ConfigurationError(f"--size must be one of {', '.join(WORKLOADS)}, got {size!r}")
    if repeats < 1:
        raise ConfigurationError(f"--repeats must be at least 1, got {repeats}")
    if size == "gpu" and not torch.cuda.is_available():
        raise ConfigurationError("--size gpu needs a GPU and torch sees none; use --size cpu")
    return Conditions(size, repeats, torch.device("cuda" if size == "gpu" else "cpu"))

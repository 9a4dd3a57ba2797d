"""The parts of the benchmark by name, and a run of some or all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nullsplat.core.errors import ConfigurationError
from nullsplat.evaluation.bench.bandwidth import Bandwidth, measure_bandwidth
from nullsplat.evaluation.bench.interpolation import upsampling_rows
from nullsplat.evaluation.bench.projection import projector_rows
from nullsplat.evaluation.bench.rows import Row
from nullsplat.evaluation.bench.splatting import integrate_rows, project_rows, voxelise_rows
from nullsplat.evaluation.bench.whole_runs import stage_rows
from nullsplat.evaluation.bench.workloads import Conditions
from nullsplat.evaluation.machine import Machine, describe_machine

FORMAT = "nullsplat-bench-1"

SUITES: dict[str, Callable[[Conditions, Bandwidth], list[Row]]] = {
    "memory": lambda how, bandwidth: list(bandwidth.rows),
    "projector": projector_rows,
    "project": project_rows,
    "integrate": integrate_rows,
    "voxelise": voxelise_rows,
    "upsampling": upsampling_rows,
    "stages": stage_rows,
}


@dataclass(frozen=True)
class Result:
    """Everything that one run of the benchmark found.

    Attributes:
        machine: what the figures hold for.
        size: name of the workload.
        parts: which were run.
        rows: in the order of the parts.
        started: when the run began.
    """

    machine: Machine
    size: str
    parts: tuple[str, ...]
    rows: tuple[Row, ...]
    started: datetime

    @property
    def is_whole(self) -> bool:
        """Whether all parts were run."""
        return set(self.parts) == set(SUITES)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as `result.schema.json` describes them; every row names machine and commit."""
        where = {"machine": self.machine.name, "commit": self.machine.commit}
        return {
            "format": FORMAT,
            "started": self.started.isoformat(timespec="seconds"),
            "size": self.size,
            "parts": list(self.parts),
            "machine": self.machine.as_dict(),
            "rows": [{**row.as_dict(), **where} for row in self.rows],
        }


def chosen_parts(only: str) -> tuple[str, ...]:
    """The parts in a list separated by commas, in the order in which they are run; all for an empty one.

    Raises:
        ConfigurationError: no such part.
    """
    asked = [name.strip() for name in only.split(",") if name.strip()]
    unknown = [name for name in asked if name not in SUITES]
    if unknown:
        raise ConfigurationError(
            f"--only must name some of {', '.join(SUITES)}, got {', '.join(unknown)}; separate them by commas"
        )
    return tuple(name for name in SUITES if name in asked or not asked)


def run_suites(
    how: Conditions, parts: Sequence[str], progress: Callable[[str], None] = lambda _: None
) -> Result:
    """Time the parts one after the other; the memory's bandwidth is always measured first.

    Args:
        how: size, repeats, processor.
        parts: names of `SUITES`.
        progress: told the name of each part before it begins.
    """
    started, machine = datetime.now(UTC), describe_machine(how.device)
    bandwidth = measure_bandwidth(how)
    rows: list[Row] = []
    for part in parts:
        progress(part)
        rows += SUITES[part](how, bandwidth)
    return Result(machine, how.size, tuple(parts), tuple(rows), started)

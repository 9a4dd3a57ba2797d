"""The stages of the `preview` preset on a synthetic phantom."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nullsplat.core.volume import Geometry, Volume
from nullsplat.evaluation.bench.bandwidth import Bandwidth
from nullsplat.evaluation.bench.rows import Row
from nullsplat.evaluation.bench.timing import Timing
from nullsplat.evaluation.bench.workloads import Conditions, Shape3
from nullsplat.evaluation.data.degrade import Protocol, degrade
from nullsplat.pipeline.config import configure
from nullsplat.pipeline.run import super_resolve

PRESET = "preview"
MOST_REPEATS = 3
"""A whole run takes as long as many repeats of a kernel, and varies less."""

_HOW = Protocol("thick", 4, 15.0)


def stage_rows(how: Conditions, bandwidth: Bandwidth) -> list[Row]:
    """Seconds of each stage as the pipeline's own report tells them, after one run that nobody times."""
    shape = how.workload.phantom
    truth = phantom(shape)
    low = Volume(degrade(truth, _HOW), Geometry((shape[0] // _HOW.factor, *shape[1:]), (8.0, 1.5, 1.5)))
    runs = [_stages(low, how) for _ in range(1 + min(how.repeats, MOST_REPEATS))][1:]
    shapes = {"from": low.geometry.shape, "to": shape}
    rows = []
    for stage in runs[0]:
        memory = max(run[stage]["peak_memory_mib"] for run in runs)
        timing = Timing(tuple(run[stage]["seconds"] for run in runs))
        note = f"preset {PRESET}; nothing else does this work; the process held {memory:.0f} MiB at most"
        rows.append(Row("stages", stage, shapes, timing, note=note))
    return rows


def _stages(low: Volume, how: Conditions) -> dict[str, dict[str, float]]:
    config = configure(_HOW.scale, PRESET)
    outcome = super_resolve(low, config, device=how.device, progress=lambda *_: None)
    stages: dict[str, dict[str, float]] = outcome.report["stages"]
    return stages


def phantom(shape: Shape3) -> Float[ndarray, "z y x"]:
    """A body of water with a lung, a vessel that slants through it, and ribs; in HU."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    radius = np.hypot(y, x)
    hu = np.full(shape, -1000.0, np.float32)
    hu[radius < 0.9] = 40
    hu[np.hypot(y, x - 0.3) < 0.4] = -850
    hu[np.hypot(y - 0.2 * z, x - 0.3 - 0.2 * z) < 0.1] = 60
    hu[(np.abs(radius - 0.8) < 0.06) & (np.sin(12 * z) > 0)] = 700
    return hu

"""The projector and its adjoint against ASTRA's CPU projector, slice by slice."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from nullsplat.evaluation.bench.agreement import check_agreement
from nullsplat.evaluation.bench.bandwidth import Bandwidth, memory_row
from nullsplat.evaluation.bench.packages import Missing, optional_package
from nullsplat.evaluation.bench.rows import Row
from nullsplat.evaluation.bench.workloads import Conditions
from nullsplat.physics.projection.beam import ParallelBeam, beam_for
from nullsplat.physics.projection.projector import Projector

PART = "projector"
ASTRA = "ASTRA's CPU projector"
SPACING = (2.0, 0.7, 0.7)

_TOLERANCE = (
    5e-3  # ASTRA computes where a ray crosses in single precision: 2e-4 at 256 columns of white noise
)


def projector_rows(how: Conditions, bandwidth: Bandwidth) -> list[Row]:
    """`Projector.forward` and `adjoint` against ASTRA's `linear` projector, which is Joseph's method too."""
    shape = how.workload.volume
    beam = beam_for(shape, SPACING, how.workload.views)
    projector = Projector(beam, shape, SPACING)
    generator = torch.Generator().manual_seed(0)
    inputs = {
        "forward": torch.rand(shape, generator=generator).to(how.device),
        "adjoint": torch.rand(beam.shape, generator=generator).to(how.device),
    }
    rows = []
    for name, run in (("forward", projector.forward), ("adjoint", projector.adjoint)):
        rows += _rows(name, run, inputs[name], (how, bandwidth, projector))
    return rows


def _rows(
    name: str, run: Callable[..., Tensor], given: Tensor, setting: tuple[Conditions, Bandwidth, Projector]
) -> list[Row]:
    how, bandwidth, projector = setting
    runs: dict[str, Callable[[], Any]] = {"ours": lambda: run(given)}
    astra = optional_package("astra")
    if not isinstance(astra, Missing):
        runs["astra"] = _astra_run(astra, name, given.cpu(), projector)
        check_agreement(f"projector {name}", run(given).cpu().numpy(), runs["astra"](), _TOLERANCE)
    times = how.time(runs)
    shapes = {"volume": projector.shape, "projections": projector.beam.shape}
    row = Row(PART, f"projector {name}", shapes, times["ours"], ASTRA)
    moved = 4 * (int(np.prod(projector.shape)) + int(np.prod(projector.beam.shape)))
    return [_against_astra(row, astra, times), memory_row(row, moved, bandwidth)]


def _against_astra(row: Row, astra: ModuleType | Missing, times: dict[str, Any]) -> Row:
    if isinstance(astra, Missing):
        return Row(row.part, row.kernel, row.shapes, row.ours, ASTRA, note=astra.reason)
    note = f"ASTRA {astra.__version__}, one slice after the other on one thread"
    return Row(row.part, row.kernel, row.shapes, row.ours, ASTRA, times["astra"].median_ms, note)


def _astra_run(astra: ModuleType, name: str, given: Tensor, projector: Projector) -> Callable[[], ndarray]:
    """ASTRA's forward or back projection of all slices; it counts angles the other way round, with y upwards."""
    operator = astra_operator(astra, projector.beam, projector.shape, projector.spacing)
    array = given.numpy()
    slices = projector.shape[0]
    if name == "forward":
        out = np.zeros((slices, len(projector.beam.angles), projector.beam.columns), np.float32)
        inputs = [np.ascontiguousarray(array[z]) for z in range(slices)]
    else:
        out = np.zeros(projector.shape, np.float32)
        inputs = [np.ascontiguousarray(array[:, z]) for z in range(slices)]
    step = operator.FP if name == "forward" else operator.BP

    def run() -> ndarray:
        for z in range(slices):
            step(inputs[z], out=out[z])
        return out.transpose(1, 0, 2) if name == "forward" else out

    return run


def astra_operator(
    astra: ModuleType, beam: ParallelBeam, shape: tuple[int, int, int], spacing: tuple[float, float, float]
) -> Any:
    """One slice's projector as ASTRA's linear operator, in mm."""
    (rows, columns), (height, width) = shape[1:], (shape[1] * spacing[1] / 2, shape[2] * spacing[2] / 2)
    grid = astra.create_vol_geom(rows, columns, -width, width, -height, height)
    rays = astra.create_proj_geom("parallel", beam.column_spacing, beam.columns, -np.array(beam.angles))
    return astra.OpTomo(astra.create_projector("linear", rays, grid))

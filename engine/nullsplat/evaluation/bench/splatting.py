"""The splatting kernels: against gsplat's torch reference, plain loops, and the bytes that must be moved."""

from collections.abc import Callable, Sequence
from typing import Any

import numba
import torch
from torch import Tensor

from nullsplat.evaluation.bench import plain_loops
from nullsplat.evaluation.bench.agreement import check_agreement
from nullsplat.evaluation.bench.bandwidth import Bandwidth, bytes_of, memory_row
from nullsplat.evaluation.bench.random_gaussians import blobs, field, footprints
from nullsplat.evaluation.bench.rows import Row, Shapes
from nullsplat.evaluation.bench.workloads import Conditions
from nullsplat.physics.projection.beam import ParallelBeam
from nullsplat.splat.kernels.integrate import integrate
from nullsplat.splat.kernels.project import project, ref
from nullsplat.splat.kernels.voxelise import voxelise

GSPLAT = "gsplat's torch reference"
PLAIN = "plain numba loops"

_TOLERANCE = 2e-3  # relative to the largest value; the plain loops sum in another order in single precision


def project_rows(how: Conditions, bandwidth: Bandwidth) -> list[Row]:
    """Projection of 3-D Gaussians onto one view, forward and backward."""
    n, (rows, columns) = how.workload.gaussians, how.workload.detector
    beam = ParallelBeam((0.3,), rows, columns, 0.7, 0.7)
    given = field(n, how.device)
    shapes: Shapes = {"gaussians": n, "views": 1, "detector": (rows, columns)}
    if how.device.type == "cuda":
        times = how.time(_both_ways("ours", lambda: project(*given, beam), given))
        note = "on a GPU the projection is gsplat's own CUDA kernel"
        return [Row("project", f"project {way}", shapes, times[f"ours {way}"], note=note) for way in _WAYS]
    runs = _both_ways("ours", lambda: project(*given, beam), given)
    runs |= _both_ways("gsplat", lambda: ref.project(*given, beam), given)
    for way in _WAYS:
        _check_same(f"project {way}", runs[f"ours {way}"](), runs[f"gsplat {way}"]())
    times = how.time(runs)
    found = []
    for way, moved in _moved(given, project(*given, beam)).items():
        theirs_ms = times[f"gsplat {way}"].median_ms
        row = Row("project", f"project {way}", shapes, times[f"ours {way}"], GSPLAT, theirs_ms)
        found += [row, memory_row(row, moved, bandwidth)]
    return found


def integrate_rows(how: Conditions, bandwidth: Bandwidth) -> list[Row]:
    """Drawing footprints on the detector, forward and backward; plain loops only where the CPU draws."""
    n, size = how.workload.gaussians, how.workload.detector
    given = footprints(n, size, how.device)
    image = integrate(*given, size)
    runs = _both_ways("ours", lambda: (integrate(*given, size),), given)
    if how.device.type == "cpu":
        runs |= _plain_runs(given, size)
        _check_plain(runs)
    times = how.time(runs)
    shapes: Shapes = {"gaussians": n, "views": 1, "detector": size}
    found = []
    for way, moved in _moved(given, (image,)).items():
        row = Row("integrate", f"integrate {way}", shapes, times[f"ours {way}"])
        if f"plain {way}" in times:
            plain = times[f"plain {way}"].median_ms
            found.append(Row(row.part, row.kernel, shapes, row.ours, PLAIN, plain))
        found.append(memory_row(row, moved, bandwidth))
    return found


def voxelise_rows(how: Conditions, bandwidth: Bandwidth) -> list[Row]:
    """Putting 3-D Gaussians on a grid, forward and backward."""
    n, shape = how.workload.gaussians, how.workload.grid
    given = blobs(n, shape, how.device)
    times = how.time(_both_ways("ours", lambda: (voxelise(*given, shape),), given))
    shapes: Shapes = {"gaussians": n, "grid": shape}
    return [
        memory_row(Row("voxelise", f"voxelise {way}", shapes, times[f"ours {way}"]), moved, bandwidth)
        for way, moved in _moved(given, (voxelise(*given, shape),)).items()
    ]


_WAYS = ("forward", "backward")


def _both_ways(
    name: str, forward: Callable[[], Sequence[Tensor]], given: Sequence[Tensor]
) -> dict[str, Callable[[], Any]]:
    """A function and its gradient with respect to all inputs, for random gradients of its outputs."""
    found = tuple(forward())
    generator = torch.Generator().manual_seed(0)
    outer = [torch.randn(part.shape, generator=generator).to(part.device) for part in found]
    return {
        f"{name} forward": _without_graph(forward),
        f"{name} backward": lambda: torch.autograd.grad(found, given, outer, retain_graph=True),
    }


def _without_graph(forward: Callable[[], Sequence[Tensor]]) -> Callable[[], Sequence[Tensor]]:
    def run() -> Sequence[Tensor]:
        with torch.no_grad():
            return forward()

    return run


def _plain_runs(given: Sequence[Tensor], size: tuple[int, int]) -> dict[str, Callable[[], Any]]:
    arrays = [tensor.detach()[0].numpy() for tensor in given]
    gradient = torch.randn(size, generator=torch.Generator().manual_seed(0)).numpy()  # as in `_both_ways`
    return {
        "plain forward": lambda: plain_loops.forward(*arrays, size, numba.get_num_threads()),
        "plain backward": lambda: plain_loops.backward(*arrays, gradient),
    }


def _check_plain(runs: dict[str, Callable[[], Any]]) -> None:
    image, gradients = (torch.from_numpy(runs[f"plain {way}"]()) for way in _WAYS)
    _check_same("integrate forward", runs["ours forward"](), [image[None]])
    weights, means, conics = gradients[None, :, 0], gradients[None, :, 1:3], gradients[None, :, 3:]
    _check_same("integrate backward", runs["ours backward"](), [means, conics, weights])


def _check_same(what: str, ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> None:
    for a, b in zip(ours, theirs, strict=True):
        check_agreement(what, a.detach().numpy(), b.detach().numpy(), _TOLERANCE)


def _moved(given: Sequence[Tensor], found: Sequence[Tensor]) -> dict[str, int]:
    """Bytes that must be moved: forward reads the input and writes the output; backward reads both and writes gradients."""
    once = bytes_of(*given) + bytes_of(*found)
    return {"forward": once, "backward": once + bytes_of(*given)}

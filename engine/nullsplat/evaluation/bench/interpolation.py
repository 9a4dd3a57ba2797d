"""Cubic upsampling against `scipy.ndimage.zoom`."""

import torch
from numpy import ndarray
from scipy import ndimage

from nullsplat.evaluation.bench.agreement import check_agreement
from nullsplat.evaluation.bench.bandwidth import Bandwidth, bytes_of, memory_row
from nullsplat.evaluation.bench.rows import Row
from nullsplat.evaluation.bench.workloads import Conditions
from nullsplat.physics.upsampling import upsample_cubic

PART = "upsampling"
FACTOR = 4

_TOLERANCE = 1e-4  # single precision against SciPy's double


def upsampling_rows(how: Conditions, bandwidth: Bandwidth) -> list[Row]:
    """Four times finer slices, and four times finer along all axes."""
    z, y, x = how.workload.volume
    rows = []
    for kernel, lr_shape in (
        ("z", (z // FACTOR, y, x)),
        ("z, y, x", (z // FACTOR, y // FACTOR, x // FACTOR)),
    ):
        rows += _rows(f"cubic upsampling along {kernel}", lr_shape, how, bandwidth)
    return rows


def _rows(kernel: str, lr_shape: tuple[int, int, int], how: Conditions, bandwidth: Bandwidth) -> list[Row]:
    hr_shape = how.workload.volume
    y = torch.rand(lr_shape, generator=torch.Generator().manual_seed(0)).to(how.device)
    array = y.cpu().numpy()
    factors = [hr / lr for hr, lr in zip(hr_shape, lr_shape, strict=True)]

    def zoom() -> ndarray:
        finer: ndarray = ndimage.zoom(array, factors, order=3, mode="nearest", grid_mode=True)
        return finer

    check_agreement(kernel, upsample_cubic(y, hr_shape).cpu().numpy(), zoom(), _TOLERANCE)
    times = how.time({"ours": lambda: upsample_cubic(y, hr_shape), "scipy": zoom})
    row = Row(PART, kernel, {"from": lr_shape, "to": hr_shape}, times["ours"])
    note = "SciPy on one thread; our matrices are made once and kept"
    moved = bytes_of(y, upsample_cubic(y, hr_shape))
    return [
        Row(PART, kernel, row.shapes, row.ours, "scipy.ndimage.zoom", times["scipy"].median_ms, note),
        memory_row(row, moved, bandwidth),
    ]

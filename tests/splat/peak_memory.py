"""Print how many bytes a kernel adds to what its inputs and everything before it hold, at the peak.

Run by test_memory.py, in a process of its own: `peak_memory.py integrate|voxelise|slabs SIZE`.
"""

import resource
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from nullsplat.splat.field.gaussians import SignedGaussians
from nullsplat.splat.field.render import voxelise_field
from nullsplat.splat.kernels.integrate import integrate
from nullsplat.splat.kernels.voxelise import voxelise

DETECTOR = (512, 512)


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def highest() -> int:
    """Not ru_maxrss: that begins with what the process that started this one held."""
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith("VmHWM:")).split()[1]) * 1024


def forward_and_backward(result: Tensor) -> None:
    result.backward(torch.ones_like(result))


def pictures(n: int) -> Callable[[], None]:
    """Round Gaussians of 2 pixels, which touch two bands of 16 rows on average."""
    means = (torch.rand(1, n, 2) * 512).requires_grad_()
    conics = torch.tensor([0.25, 0, 0.25]).repeat(1, n, 1).requires_grad_()
    weights = torch.ones(1, n, requires_grad=True)
    return lambda: forward_and_backward(integrate(means, conics, weights, DETECTOR))


def volume(edge: int) -> Callable[[], None]:
    means = (torch.rand(500, 3) * edge).requires_grad_()
    precisions = torch.tensor([0.25, 0, 0, 0.25, 0, 0.25]).repeat(500, 1).requires_grad_()
    density = torch.ones(500, requires_grad=True)
    return lambda: forward_and_backward(voxelise(means, precisions, density, (edge, edge, edge)))


def slabs(edge: int) -> Callable[[], None]:
    quats = torch.tensor([1.0, 0, 0, 0]).repeat(500, 1)
    means = (torch.rand(500, 3) - 0.5) * edge
    field = SignedGaussians(means, torch.zeros(500, 3), quats, torch.ones(500), torch.tensor(0.5))

    def run() -> None:
        voxelise_field(field, (edge, edge, edge), (1.0, 1.0, 1.0))

    return run


PREPARE = {"integrate": pictures, "voxelise": volume, "slabs": slabs}

if __name__ == "__main__":
    prepare, size = PREPARE[sys.argv[1]], int(sys.argv[2])
    prepare(32)()  # compiles
    run = prepare(size)
    before = resident()
    run()
    sys.stdout.write(f"{highest() - before}\n")

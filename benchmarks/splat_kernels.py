"""Times the splatting kernels on this machine's CPU against plain versions, in one run.

    python benchmarks/splat_kernels.py [--gaussians 50000] [--size 512] [--json FILE]

`plain` is the loop that one writes first: numba, parallel over the Gaussians with one image per thread, the C
library's exp, everything over the bounding box. `gsplat` is gsplat's torch reference of the projection.
Each figure is the fastest of several runs in wall time, so other work on the machine spoils it least.
"""

import argparse
import json
import math
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor

from nullsplat.physics.beam import ParallelBeam
from nullsplat.splat.kernels.exponential import CUTOFF
from nullsplat.splat.kernels.integrate import integrate
from nullsplat.splat.kernels.project import project, ref

_LIMIT = CUTOFF**2


@numba.njit(parallel=True)
def _plain_forward(means, conics, weights, size, threads):
    rows, columns = size
    images = np.zeros((threads, rows, columns), np.float32)
    for t in numba.prange(threads):
        for i in range(t, means.shape[0], threads):
            a, b, c = conics[i]
            det = a * c - b * b
            width, height = math.sqrt(_LIMIT * c / det), math.sqrt(_LIMIT * a / det)
            for y in range(
                max(0, math.ceil(means[i, 1] - height)), min(rows, math.floor(means[i, 1] + height) + 1)
            ):
                dy = y - means[i, 1]
                for x in range(
                    max(0, math.ceil(means[i, 0] - width)), min(columns, math.floor(means[i, 0] + width) + 1)
                ):
                    dx = x - means[i, 0]
                    q = a * dx * dx + 2 * b * dx * dy + c * dy * dy
                    if q <= _LIMIT:
                        images[t, y, x] += weights[i] * math.exp(np.float32(-0.5) * q)
    return images.sum(0)


@numba.njit(parallel=True)
def _plain_backward(means, conics, weights, gradient):
    rows, columns = gradient.shape
    out = np.zeros((means.shape[0], 6), np.float32)
    for i in numba.prange(means.shape[0]):
        a, b, c = conics[i]
        det = a * c - b * b
        width, height = math.sqrt(_LIMIT * c / det), math.sqrt(_LIMIT * a / det)
        for y in range(
            max(0, math.ceil(means[i, 1] - height)), min(rows, math.floor(means[i, 1] + height) + 1)
        ):
            dy = y - means[i, 1]
            for x in range(
                max(0, math.ceil(means[i, 0] - width)), min(columns, math.floor(means[i, 0] + width) + 1)
            ):
                dx = x - means[i, 0]
                q = a * dx * dx + 2 * b * dx * dy + c * dy * dy
                if q <= _LIMIT:
                    e = gradient[y, x] * math.exp(np.float32(-0.5) * q)
                    w = weights[i] * e
                    out[i, 0] += e
                    out[i, 1] += w * (a * dx + b * dy)
                    out[i, 2] += w * (b * dx + c * dy)
                    out[i, 3] -= w * dx * dx / 2
                    out[i, 4] -= w * dx * dy
                    out[i, 5] -= w * dy * dy / 2
    return out


def _fastest_ms(run: Callable[[], Any], repeats: int = 15) -> float:
    run()  # compiles, warms the caches
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


def _footprints(n: int, size: int) -> list[Tensor]:
    """Standard deviations of 1 to 3 pixels, any direction, both signs, anywhere on the detector."""
    generator = np.random.default_rng(0)
    deviations, turn = generator.uniform(1, 3, (n, 2)), generator.uniform(0, math.pi, n)
    rotation = np.stack([np.cos(turn), -np.sin(turn), np.sin(turn), np.cos(turn)], -1).reshape(n, 2, 2)
    conic = np.einsum("nij,nj,nkj->nik", rotation, deviations**-2, rotation)
    conics = np.stack([conic[:, 0, 0], conic[:, 0, 1], conic[:, 1, 1]], -1)
    arrays = (generator.uniform(0, size, (n, 2)), conics, generator.standard_normal(n))
    return [torch.from_numpy(a[None].astype(np.float32)).requires_grad_() for a in arrays]


def _integrate_rows(n: int, size: int) -> list[dict[str, Any]]:
    tensors = _footprints(n, size)
    arrays = [t.detach()[0].numpy() for t in tensors]
    outer = torch.randn(1, size, size)
    image = integrate(*tensors, (size, size))
    plain = _plain_forward(*arrays, (size, size), numba.get_num_threads())
    if not np.allclose(plain, image.detach()[0].numpy(), atol=2e-3 * np.abs(plain).max()):
        raise SystemExit("the plain and the vectorised image differ: nothing was timed")
    return [
        {
            "kernel": "integrate forward",
            "plain_ms": _fastest_ms(lambda: _plain_forward(*arrays, (size, size), numba.get_num_threads())),
            "ours_ms": _fastest_ms(lambda: integrate(*[t.detach() for t in tensors], (size, size))),
        },
        {
            "kernel": "integrate backward",
            "plain_ms": _fastest_ms(lambda: _plain_backward(*arrays, outer[0].numpy())),
            "ours_ms": _fastest_ms(lambda: torch.autograd.grad(image, tensors, outer, retain_graph=True)),
        },
    ]


def _project_rows(n: int, size: int) -> list[dict[str, Any]]:
    beam = ParallelBeam((0.3,), size, size, 0.7, 0.7)
    tensors = [torch.randn(n, 3) * 50, torch.randn(n, 3) * 0.3, torch.randn(n, 4), torch.randn(n)]
    tensors = [t.requires_grad_() for t in tensors]
    rows = []
    for name, run in (("plain_ms", ref.project), ("ours_ms", project)):
        found = run(*tensors, beam)
        outer = [torch.randn_like(part) for part in found]
        rows.append(
            {
                f"forward {name}": _fastest_ms(lambda run=run: run(*tensors, beam)),
                f"backward {name}": _fastest_ms(
                    lambda found=found, outer=outer: torch.autograd.grad(
                        found, tensors, outer, retain_graph=True
                    )
                ),
            }
        )
    merged = {**rows[0], **rows[1]}
    return [
        {"kernel": f"project {way}", **{key: merged[f"{way} {key}"] for key in ("plain_ms", "ours_ms")}}
        for way in ("forward", "backward")
    ]


def _machine() -> dict[str, str | int]:
    """What the figures hold for."""
    here = Path(__file__).parent
    commit = subprocess.run(  # noqa: S603 - a fixed command
        [shutil.which("git") or "git", "rev-parse", "--short", "HEAD"],
        cwd=here,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].split(":", 1)[1].strip() if lines else model
    return {
        "processor": model,
        "cores": os.cpu_count() or 1,
        "threads": numba.get_num_threads(),
        "commit": commit or "unknown",
        "torch": torch.__version__,
        "numba": numba.__version__,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gaussians", type=int, default=50_000)
    parser.add_argument("--size", type=int, default=512, help="rows and columns of the detector")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(numba.get_num_threads())
    shape = {"gaussians": arguments.gaussians, "size": arguments.size, "sigma_pixels": "1-3", "views": 1}
    rows = _integrate_rows(arguments.gaussians, arguments.size) + _project_rows(
        arguments.gaussians, arguments.size
    )
    machine = _machine()
    for row in rows:
        row["times_faster"] = row["plain_ms"] / row["ours_ms"]
    print(", ".join(f"{key} {value}" for key, value in {**machine, **shape}.items()))
    print(f"{'kernel':<20}{'plain':>10}{'ours':>10}{'faster':>9}")
    for row in rows:
        print(
            f"{row['kernel']:<20}{row['plain_ms']:>7.1f} ms{row['ours_ms']:>7.1f} ms{row['times_faster']:>8.1f}x"
        )
    if arguments.json:
        results = [{**row, **shape, **machine} for row in rows]
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()

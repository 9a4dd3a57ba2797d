"""Methods of other packages, found by entry points; a package that is missing is named in the table.

A package adds a method by an entry point in the group `nullsplat.evaluation.methods`. Its value is a function

    (measured, scale, seed) -> result

of the measured volume (float32 [z, y, x] in HU), the factors along (z, y, x) and a seed, whose result has
`measured.shape * scale` voxels in HU.
"""

from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version

import numpy as np

from nullsplat.core.errors import GeometryError
from nullsplat.core.measure import Stopwatch
from nullsplat.core.progress import Progress
from nullsplat.evaluation.methods.method import Asked, Method, NotInstalled, Reconstruction, Task

GROUP = "nullsplat.evaluation.methods"

OWN = (EntryPoint("bm4d", "nullsplat.evaluation.methods.bm4d_cubic:denoise_then_cubic", GROUP),)
"""Methods whose adapters are in this package, but not what they need: see `eval-extra` in pyproject.toml."""

_NEEDS = {"bm4d": "bm4d"}


def names() -> list[str]:
    """All optional methods, installed or not."""
    return [entry.name for entry in _entries()]


def find(name: str) -> Method | None:
    """The optional method of a name, if there is one; whether its package is there shows when it runs."""
    entry = next((entry for entry in _entries() if entry.name == name), None)
    if entry is None:
        return None
    found = entry

    def run(task: Task, progress: Progress) -> Reconstruction:
        progress(0.0, name)
        function = _load(found)
        with Stopwatch() as cost:
            hu = function(task.measured.hu.copy(), task.known.scale, task.seed)
        return Reconstruction(_checked(name, hu, task), {name: asdict(cost)})

    def identity(asked: Asked) -> dict[str, str]:
        return {"package": _package(found)}

    return Method(name, run, identity)


def _entries() -> Iterator[EntryPoint]:
    yield from OWN
    yield from entry_points(group=GROUP)


def _load(entry: EntryPoint):  # type: ignore[no-untyped-def]
    try:
        return entry.load()
    except ImportError as error:
        raise NotInstalled(f"{entry.name} is not installed: {error}") from error


def _package(entry: EntryPoint) -> str:
    """Name and version of the package that does the work."""
    if entry.dist is not None:
        return f"{entry.dist.name} {entry.dist.version}"
    name = _NEEDS[entry.name]
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return f"{name} not installed"


def _checked(name: str, hu: np.ndarray, task: Task) -> np.ndarray:
    result = np.ascontiguousarray(hu, np.float32)
    if result.shape != task.hr_shape or not np.isfinite(result).all():
        raise GeometryError(
            f"{name} must give {task.hr_shape} finite voxels, got {result.shape}"
            f"{'' if np.isfinite(result).all() else ' with NaN or infinite values'}"
        )
    return result

"""The baselines without learning as methods of the table."""

from dataclasses import asdict

from nullsplat.core.measure import Stopwatch
from nullsplat.core.progress import Progress
from nullsplat.evaluation.methods.baselines import BASELINES, reconstruct
from nullsplat.evaluation.methods.method import Asked, Method, Reconstruction, Task


def names() -> list[str]:
    """All baselines."""
    return list(BASELINES)


def find(name: str) -> Method | None:
    """The baseline of a name, if there is one."""
    if name not in BASELINES:
        return None

    def run(task: Task, progress: Progress) -> Reconstruction:
        progress(0.0, name)
        with Stopwatch() as cost:
            hu = reconstruct(name, task.measured.hu, task.known, task.measured.geometry.spacing)
        return Reconstruction(hu, {name: asdict(cost)})

    return Method(name, run, _identity)


def _identity(asked: Asked) -> dict[str, str]:
    return {}  # they have no settings; the hash of the code says the rest

"""Which test runs in which lane. Lanes run side by side; what is in one lane waits for the same things.

Lanes that compute make way for those that wait, so that deadlines in the latter hold on a busy machine too.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Lane:
    """The folders below tests/ that a lane has whole, and how far it makes way for the others."""

    folders: tuple[str, ...]
    niceness: int = 0


PLAIN, NODE = "plain", "node"
LANES = {
    NODE: Lane(("security", "ui", "viewer")),
    "compute": Lane(("core", "physics", "prior", "splat", "pipeline", "evaluation", "api", "cli"), 10),
    "service": Lane(("service",)),
    "workers": Lane(("workers",)),
    "soak": Lane(("soak", "demo")),
    PLAIN: Lane((), 10),
    "image": Lane(("docker",), 5),
}
"""In the order in which they start, the longest first. `plain` has every folder that no other names, but for the tests that start
an Orthanc: those run in `node`."""
STARTS_ORTHANC = "orthanc"


def lane_of(folder: str, markers: Collection[str]) -> str:
    """The one lane of a test in a folder below tests/."""
    named = [name for name, lane in LANES.items() if folder in lane.folders]
    if named:
        return named[0]
    return NODE if STARTS_ORTHANC in markers else PLAIN


def folders_of(name: str) -> tuple[str, ...]:
    """The folders that must be collected to find all tests of a lane, without those that hold no test."""
    present = sorted({path.relative_to(TESTS).parts[0] for path in TESTS.rglob("test_*.py")})
    return tuple(
        folder for folder in present if name in (lane_of(folder, ()), lane_of(folder, (STARTS_ORTHANC,)))
    )

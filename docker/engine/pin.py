"""Writes requirements.txt: the exact version of everything that the engine needs, as it is installed here.

    .venv/bin/python docker/engine/pin.py

Run it in an environment in which the tests pass, after pyproject.toml changed or to take newer versions.
"""

from importlib.metadata import distribution, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGE = "nullsplat"
BROUGHT_BY_TORCH = ("triton", "nvidia-", "cuda-")
"""Differ between torch's builds for CPU and CUDA, and torch itself names their exact versions."""
HEADER = """\
# Made by docker/engine/pin.py; do not edit. All that the engine needs, in the versions that its tests passed with.
# What belongs to torch's builds for CPU or CUDA is left to torch.
"""
TARGET = Path(__file__).with_name("requirements.txt")


def needed(name: str, extras: frozenset[str] = frozenset()) -> set[tuple[str, frozenset[str]]]:
    """The packages that `name` needs in this environment, with the extras that are asked of them."""
    found = set()
    for line in distribution(name).requires or []:
        requirement = Requirement(line)
        wanted = [{"extra": extra} for extra in (extras or {""})]
        if requirement.marker is None or any(requirement.marker.evaluate(extra) for extra in wanted):
            found.add((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    return found


def closure() -> dict[str, str]:
    """Version of each package that is needed, directly or not, by its name."""
    open_ends, seen = {(PACKAGE, frozenset[str]())}, set()
    while open_ends:
        seen |= open_ends
        following = set().union(*(needed(*package) for package in open_ends))
        open_ends = {one for one in following if not one[0].startswith(BROUGHT_BY_TORCH)} - seen
    names = sorted({name for name, _ in seen} - {PACKAGE})
    return {name: version(name).partition("+")[0] for name in names}


if __name__ == "__main__":
    TARGET.write_text(HEADER + "".join(f"{name}=={pin}\n" for name, pin in closure().items()))

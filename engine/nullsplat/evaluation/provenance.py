"""What a figure was measured with: NullSplat's version, and the code itself."""

import hashlib
from functools import lru_cache
from pathlib import Path

import nullsplat
from nullsplat.core.errors import WeightsError
from nullsplat.prior.weights import BLOCK, locate, model_hash

_ROOT = Path(nullsplat.__file__).parent
DECIDING = (
    "core", "io", "physics", "prior", "splat", "pipeline",
    "evaluation/data", "evaluation/metrics", "evaluation/methods", "evaluation/tasks", "evaluation/comparison/case.py",
)  # fmt: skip
"""Folders, and one file, of all that decides a figure; what only presents figures is not among them."""


def describe_software() -> dict[str, str]:
    """NullSplat's version, and hashes of the code and of the prior that most presets use; no version control is asked."""
    try:
        weights = model_hash(locate(BLOCK))
    except WeightsError:
        weights = "none"
    return {"version": nullsplat.__version__, "code_sha256": code_hash(), "model_sha256": weights}


@lru_cache(maxsize=1)
def code_hash() -> str:
    """SHA-256 over all source files of this package that decide a figure."""
    return hash_of(_ROOT)


def hash_of(package: Path) -> str:
    """SHA-256 over names and content of the source files in `DECIDING`."""
    places = [package / name for name in DECIDING]
    files = {path for place in places for path in (place.rglob("*.py") if place.is_dir() else (place,))}
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(str(path.relative_to(package)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()

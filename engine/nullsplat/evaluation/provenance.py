"""What a figure was measured on and with: machine, versions, and the code itself."""

import hashlib
import os
import platform
from functools import lru_cache
from pathlib import Path

import torch

import nullsplat
from nullsplat.core.errors import WeightsError
from nullsplat.evaluation.bench.machine import processor_model
from nullsplat.prior.weights import SLAB, locate, model_hash

_ROOT = Path(nullsplat.__file__).parent
DECIDING = (
    "core", "io", "physics", "prior", "splat", "pipeline",
    "evaluation/data", "evaluation/metrics", "evaluation/methods", "evaluation/comparison/case.py",
)  # fmt: skip
"""Folders, and one file, of all that decides a figure; what only presents figures is not among them."""
_MEMINFO = Path("/proc/meminfo")


def describe_machine() -> dict[str, str | int]:
    """Processor, cores, memory, GPU, and the versions that times depend on."""
    return {
        "processor": processor_model(),
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "memory": _line(_MEMINFO, "MemTotal") or "unknown",
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def describe_software() -> dict[str, str]:
    """NullSplat's version, and hashes of the code and of the prior that most presets use; no version control is asked."""
    try:
        weights = model_hash(locate(SLAB))
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


def _line(path: Path, field: str) -> str | None:
    """The value of the first line `field: value` of a file of /proc."""
    if not path.exists():
        return None
    for line in path.read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == field:
            return value.strip()
    return None

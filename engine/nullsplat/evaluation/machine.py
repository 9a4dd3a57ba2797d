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
_DECIDING = ("core", "io", "physics", "prior", "splat", "pipeline")
_DECIDING_HERE = ("degrade", "baselines", "lanczos", "bm4d_cubic", "metrics*", "method*", "subject", "case")
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
    """SHA-256 over all source files that decide a figure: of the engine, and of this package without its tables."""
    here = [path for pattern in _DECIDING_HERE for path in (_ROOT / "evaluation").glob(f"{pattern}.py")]
    engine = [path for layer in _DECIDING for path in (_ROOT / layer).rglob("*.py")]
    digest = hashlib.sha256()
    for path in sorted({*here, *engine}):
        digest.update(str(path.relative_to(_ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
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

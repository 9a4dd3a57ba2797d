"""Caches that outlive a clone. All are keyed by content, and a missing one only costs time."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
"""Set by those who want no compiled files in their folders; with a cache elsewhere there are none."""


def use_caches() -> None:
    """For this process and its children, whatever they import or compile from here on."""
    os.environ.update(kept_outside_the_clone(os.environ))
    os.environ.pop(NO_BYTECODE, None)
    sys.pycache_prefix, sys.dont_write_bytecode = os.environ["PYTHONPYCACHEPREFIX"], False


def kept_outside_the_clone(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables for what is compiled; who has set one keeps it."""
    root = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nullsplat"
    places = {
        "PYTHONPYCACHEPREFIX": root / "bytecode",
        "NUMBA_CACHE_DIR": root / "numba",
        "TRITON_CACHE_DIR": root / "triton",
    }
    return {name: environment.get(name) or str(place) for name, place in places.items()}

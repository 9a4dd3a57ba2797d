"""Numba's cache, for as long as everything that a kernel was compiled from stays the same, and wherever the engine lies.

Numba keys what it keeps by one source file and its path. But a compiled kernel holds what it calls of other files too: in a folder that
outlives an update, as a container's volume does, it would go on with the previous version's exponential.
"""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core import caching, config

PACKAGE = Path(__file__).resolve().parents[1]


def kernel(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit(**options)`, compiled once for each state of the engine's sources."""

    def compiled(function: Callable[..., Any]) -> Any:
        before, config.CACHE_LOCATOR_CLASSES = config.CACHE_LOCATOR_CLASSES, _LOCATORS  # type: ignore[attr-defined]
        try:
            return numba.njit(cache=True, **options)(function)
        finally:
            config.CACHE_LOCATOR_CLASSES = before  # type: ignore[attr-defined]

    return compiled


@cache
def compiled_sources(package: Path = PACKAGE) -> str:
    """One key for all files that Numba compiles anything of."""
    sources = [path.read_bytes() for path in sorted(package.rglob("*.py"))]
    return hashlib.sha256(b"".join(source for source in sources if b"numba" in source)).hexdigest()


class _Stamp:
    def get_source_stamp(self) -> str:
        return compiled_sources()


class Provided(_Stamp, caching.UserProvidedCacheLocator):
    """In the folder that NUMBA_CACHE_DIR names: all installations share it, and each state of the sources has its own part."""

    @classmethod
    def get_suitable_cache_subpath(cls, py_file: str) -> str:
        """By the place in the package; Numba's own is a hash of the absolute path."""
        place = Path(py_file).resolve().relative_to(PACKAGE.parent).parent
        return f"{compiled_sources()[:16]}/{'.'.join(place.parts)}"


class InTree(_Stamp, caching.InTreeCacheLocator):
    """Beside the source."""


class UserWide(_Stamp, caching.UserWideCacheLocator):
    """In the user's own folder, where the engine's cannot be written."""


_LOCATORS = ",".join(f"{__name__}.{locator.__name__}" for locator in (Provided, InTree, UserWide))

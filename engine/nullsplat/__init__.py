"""NullSplat: zero-shot CT super-resolution by null-space diffusion and signed Gaussian splatting.

For research use only; not a medical device.

    import nullsplat as ns
    result = ns.super_resolve(ns.read("scans/chest"), scale=4)
    ns.write(result.volume, "chest-sr.nii.gz")

Everything is imported when it is first used (PEP 562), so that this import takes no time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nullsplat.api import PRESETS as PRESETS
    from nullsplat.api import Result as Result
    from nullsplat.api import SuperResolver as SuperResolver
    from nullsplat.api import read as read
    from nullsplat.api import super_resolve as super_resolve
    from nullsplat.api import write as write
    from nullsplat.core.errors import Cancelled as Cancelled
    from nullsplat.core.errors import ConfigurationError as ConfigurationError
    from nullsplat.core.errors import GeometryError as GeometryError
    from nullsplat.core.errors import IneligibleSeries as IneligibleSeries
    from nullsplat.core.errors import InputError as InputError
    from nullsplat.core.errors import NullSplatError as NullSplatError
    from nullsplat.core.errors import StorageError as StorageError
    from nullsplat.core.errors import UnreadableFile as UnreadableFile
    from nullsplat.core.errors import WeightsError as WeightsError
    from nullsplat.core.volume import Geometry as Geometry
    from nullsplat.core.volume import Volume as Volume

__version__: str

_HOMES = {
    "api": ("PRESETS", "Result", "SuperResolver", "read", "super_resolve", "write"),
    "core.volume": ("Geometry", "Volume"),
    "core.errors": (
        "Cancelled",
        "ConfigurationError",
        "GeometryError",
        "IneligibleSeries",
        "InputError",
        "NullSplatError",
        "StorageError",
        "UnreadableFile",
        "WeightsError",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [*_HOME_OF]  # noqa: PLE0604 - names all


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("nullsplat")
    if name not in _HOME_OF:
        raise AttributeError(f"nullsplat has no {name!r}; it has {', '.join(_HOME_OF)}")
    return getattr(import_module(f"nullsplat.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME_OF])

"""References that need a package which the engine itself does not need."""

import importlib
from dataclasses import dataclass
from types import ModuleType


@dataclass(frozen=True)
class Missing:
    """A package that cannot be used.

    Attributes:
        reason: begins with `not installed`, or says why it cannot be loaded.
    """

    reason: str


def optional_package(module: str, extra: str = "bench") -> ModuleType | Missing:
    """A module of one of NullSplat's extras, or why it is not there.

    Args:
        module: name by which it is imported.
        extra: what to install it with.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            return Missing(f"cannot be loaded: it needs {error.name}")
        return Missing(f"not installed: pip install 'nullsplat[{extra}]'")
    except ImportError as error:  # a shared library that it was built against is not there
        return Missing(f"cannot be loaded: {error}")

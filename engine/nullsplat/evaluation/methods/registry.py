"""All methods that a table can hold, by name."""

from collections.abc import Sequence

from nullsplat.core.errors import ConfigurationError
from nullsplat.core.suggestion import did_you_mean
from nullsplat.evaluation.methods import baseline_methods, external, presets
from nullsplat.evaluation.methods.method import Method
from nullsplat.pipeline.presets import PRESETS


def method_names() -> list[str]:
    """All methods, whether they are installed or not."""
    return [*baseline_methods.names(), *presets.names(), *external.names()]


def short_names() -> list[str]:
    """All methods but the ablations, of which there are too many for a message."""
    return [*baseline_methods.names(), *PRESETS, *external.names()]


def find_methods(names: Sequence[str]) -> list[Method]:
    """The methods of these names, in their order.

    Raises:
        ConfigurationError: there is no such method, the engine cannot do it, or a name comes twice.
    """
    if not names or len(set(names)) < len(names):
        raise ConfigurationError(f"--methods must name methods, each once, got {', '.join(names) or 'none'}")
    return [find_method(name) for name in names]


def find_method(name: str) -> Method:
    """The method of a name.

    Raises:
        ConfigurationError: there is no such method, or the engine cannot do it.
    """
    found = baseline_methods.find(name) or presets.find(name) or external.find(name)
    if found is not None:
        return found
    raise ConfigurationError(
        f"methods are {', '.join(short_names())}, and a preset without a part, such as preview-no-stage1; got {name!r}"
        + did_you_mean(name, method_names())
    )

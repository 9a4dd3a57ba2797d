"""Which processor does the work."""

import torch

from nullsplat.core.errors import ConfigurationError


def resolve_device(name: str | torch.device) -> torch.device:
    """The device called `name`: `auto` (a GPU if there is one), `cpu` or `cuda`; a torch.device stays what it is.

    Raises:
        ConfigurationError: a GPU was asked for and there is none, or the name is unknown.
    """
    if isinstance(name, torch.device):
        return name
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    if name == "cuda":
        if not torch.cuda.is_available():
            raise ConfigurationError(
                "device 'cuda' was asked for, but torch sees no GPU; use --device cpu or auto"
            )
        return torch.device("cuda")
    raise ConfigurationError(f"device must be auto, cpu or cuda, got {name!r}")

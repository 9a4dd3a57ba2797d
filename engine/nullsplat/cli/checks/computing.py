"""`nullsplat doctor`'s checks of the priors' weights and the processor. It imports torch, which takes seconds."""

import os

import torch

from nullsplat.cli.checks.findings import Finding, Level
from nullsplat.core.errors import WeightsError
from nullsplat.prior import weights


def prior_weights() -> Finding:
    """The weights of the packaged priors and their checksums."""
    try:
        folders = [weights.locate(name) for name in weights.PACKAGED]
        for folder in folders:
            weights.verify(folder)
        found = [f"{folder.name}, SHA-256 {weights.model_hash(folder)[:12]}..." for folder in folders]
    except WeightsError as error:
        return Finding("Weights", Level.MISSING, str(error))
    return Finding("Weights", Level.OK, f"{'; '.join(found)}; both match")


def processor() -> Finding:
    """The GPU, or the number of CPU cores."""
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        return Finding("GPU", Level.OK, f"{properties.name} with {properties.total_memory / 2**30:.0f} GiB")
    cores = os.cpu_count() or 1
    return Finding(
        "GPU",
        Level.NOTE,
        f"none that torch can use; {cores} CPU cores do the work, a chest takes minutes to half an hour",
    )

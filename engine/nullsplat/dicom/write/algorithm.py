"""What computed a result, in the terms of Algorithm Identification.

Source: PS3.16 TID 4019.
"""

from nullsplat.dicom.provenance import Provenance
from nullsplat.dicom.uids import hashed_uid

NAME = "Super-resolution by null-space diffusion and signed Gaussian splatting"


def device_uid(provenance: Provenance) -> str:
    """Of the program with these weights: with others, or in another version, it is another device (IHE AIR 6.5.3.1)."""
    return hashed_uid("device", provenance.software_version, provenance.model_hash)


def software_versions(provenance: Provenance) -> list[str]:
    """Of the program, and the first digits of its weights' hash."""
    return [provenance.software_version, f"weights {provenance.model_hash[:12]}"]


def parameters(provenance: Provenance) -> list[str]:
    """Each parameter of the run as `name: value`."""
    z, y, x = provenance.scale
    values = {
        "Weights SHA-256": provenance.model_hash,
        "Configuration SHA-256": provenance.config_hash,
        "Preset": provenance.preset,
        "Scale (z, y, x)": f"{z:.4g}, {y:.4g}, {x:.4g}",
        "Seed": provenance.seed,
        "Samples": provenance.samples,
        "Steps": provenance.steps,
        "Slice profile": provenance.slice_profile,
        "Attempt": provenance.attempt,
    }
    return [f"{name}: {value}" for name, value in values.items()]

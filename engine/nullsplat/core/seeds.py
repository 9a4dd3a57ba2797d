"""Random generators that depend on the seed and on what they are for, and on nothing else."""

import hashlib

import numpy as np
import torch


def derive_seed(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed from the run's seed and a purpose, so that adding one draw never shifts another."""
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def torch_generator(seed: int, *purpose: str | int) -> torch.Generator:
    """A CPU generator; draw on the CPU and move the result, so that every device sees the same numbers."""
    return torch.Generator().manual_seed(derive_seed(seed, *purpose))


def numpy_generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """The NumPy counterpart of `torch_generator`."""
    return np.random.default_rng(derive_seed(seed, *purpose))

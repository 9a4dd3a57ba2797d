"""What a method of the table is: what it is told, what it gives, and what identifies it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from numpy import ndarray

from nullsplat.core.progress import Progress
from nullsplat.core.volume import Volume
from nullsplat.evaluation.methods.known import Known


class NotInstalled(Exception):
    """An optional method whose package is not there; the message says which."""


@dataclass(frozen=True)
class Task:
    """Everything that a method is told.

    Attributes:
        measured: the degraded volume in HU.
        known: factors and slice profile.
        seed: of everything random in the method.
        device: that does the work, where the method can choose.
    """

    measured: Volume
    known: Known
    seed: int
    device: torch.device

    @property
    def hr_shape(self) -> tuple[int, int, int]:
        """Voxels that are asked for, along (z, y, x)."""
        scale = self.known.scale
        z, y, x = (round(n * s) for n, s in zip(self.measured.geometry.shape, scale, strict=True))
        return z, y, x


@dataclass(frozen=True)
class Reconstruction:
    """What a method gives.

    Attributes:
        hu: the super-resolved volume.
        stages: what each stage took: seconds, peak_memory_mib, peak_gpu_memory_mib; empty if there are none.
        report: what else the method has to say.
    """

    hu: Float[ndarray, "z y x"]
    stages: dict[str, dict[str, float]] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """What a method's settings may depend on, known before any volume is degraded."""

    known: Known
    seed: int


@dataclass(frozen=True)
class Method:
    """A method of the table.

    Attributes:
        name: in tables and on the command line.
        reconstruct: does the work; may raise `NotInstalled`.
        identity: settings and weights as hashes or versions: with the task, all that decides the result.
    """

    name: str
    reconstruct: Callable[[Task, Progress], Reconstruction]
    identity: Callable[[Asked], dict[str, str]]

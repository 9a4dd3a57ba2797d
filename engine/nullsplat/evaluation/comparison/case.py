"""One case of an evaluation: one volume, degraded in one way, reconstructed by one method, scored and recorded."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch

from nullsplat.core.progress import Progress
from nullsplat.core.volume import Volume
from nullsplat.evaluation.data.degrade import Protocol, degrade
from nullsplat.evaluation.data.subject import Subject, Truth, truth_for
from nullsplat.evaluation.machine import describe_machine
from nullsplat.evaluation.methods.known import known_of
from nullsplat.evaluation.methods.method import Asked, Method, NotInstalled, Reconstruction, Task
from nullsplat.evaluation.metrics.scores import score
from nullsplat.evaluation.metrics.slices import slice_consistency
from nullsplat.evaluation.metrics.spectrum import error_spectrum
from nullsplat.evaluation.provenance import code_hash

FORMAT = "nullsplat-evaluation-case-1"
DONE, FAILED, NOT_INSTALLED = "done", "failed", "not installed"

Record = dict[str, Any]
"""What is known of a case, ready for JSON."""


@dataclass(frozen=True)
class Case:
    """What is to be done.

    Attributes:
        subject: the volume.
        how: its degradation.
        method: what reconstructs it.
        blind: whether the point-spread function is kept from the method.
        seed: of the noise and of the method.
        device: that does the work.
    """

    subject: Subject
    how: Protocol
    method: Method
    blind: bool
    seed: int
    device: torch.device

    @property
    def label(self) -> str:
        """For people."""
        return f"{self.subject.name} {self.how.name} {self.method.name}"

    def description(self, input_sha256: str) -> Record:
        """All that decides the result.

        Args:
            input_sha256: the subject's hash, which takes a while to compute.
        """
        return {
            "format": FORMAT,
            "volume": self.subject.name,
            "input_sha256": input_sha256,
            "protocol": asdict(self.how),
            "method": self.method.name,
            "identity": self.method.identity(Asked(known_of(self.how, blind=self.blind), self.seed)),
            "blind": self.blind,
            "seed": self.seed,
            "device": self.device.type,
            "code_sha256": code_hash(),
        }


@dataclass(frozen=True)
class Scene:
    """A truth and what was measured of it; shared by the methods of one protocol."""

    truth: Truth
    measured: Volume


def scene_for(subject: Subject, how: Protocol, seed: int) -> Scene:
    """Degrade a volume.

    Raises:
        GeometryError: it holds less than one block of the protocol.
    """
    truth = truth_for(subject, how)
    low = degrade(truth.volume.hu, how, seed)
    m, n, o = low.shape
    return Scene(truth, Volume(low, truth.volume.geometry.resampled((m, n, o))))


def key_of(description: Record) -> str:
    """Name of the case's file: readable, and with a hash of all that decides the result."""
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()[:16]
    how = Protocol(**description["protocol"]).name
    readable = re.sub(r"[^A-Za-z0-9.+-]+", "_", f"{description['volume']}-{how}-{description['method']}")
    return f"{readable}-{digest}"


def run_case(
    case: Case, scene: Callable[[], Scene], description: Record, progress: Progress
) -> tuple[Record, Reconstruction | None]:
    """Reconstruct and score; a method that fails is a result too.

    Args:
        case: what is to be done.
        scene: gives the truth, which only the scores see, and the measured volume.
        description: of the case.
        progress: told how far the method is.

    Returns:
        The record, and the reconstruction if there is one.
    """
    record = {**description, "machine": describe_machine().summary}
    try:
        seen = scene()
        known = known_of(case.how, blind=case.blind)
        result = case.method.reconstruct(Task(seen.measured, known, case.seed, case.device), progress)
        return {**record, "status": DONE, **figures(result, seen, case.how)}, result
    except NotInstalled as error:
        return {**record, "status": NOT_INSTALLED, "error": str(error)}, None
    except Exception as error:  # noqa: BLE001 - methods may be anybody's code; that one fails is a line of the table
        return {**record, "status": FAILED, "error": f"{type(error).__name__}: {error}"}, None


def figures(result: Reconstruction, scene: Scene, how: Protocol) -> Record:
    """Everything that is measured of a result.

    Raises:
        GeometryError: it does not lie on the truth's grid.
    """
    truth = scene.truth.volume.hu
    scores = score(result.hu, truth, scene.measured.hu, how, scene.truth.unclipped)
    return {
        "scores": scores.as_dict(),
        "slice_consistency": slice_consistency(result.hu, truth),
        "spectrum": asdict(error_spectrum(result.hu, truth)),
        "shape": list(truth.shape),
        "stages": result.stages,
        "seconds": sum(stage["seconds"] for stage in result.stages.values()),
        "peak_memory_mib": max((stage["peak_memory_mib"] for stage in result.stages.values()), default=0.0),
        "report": result.report,
    }

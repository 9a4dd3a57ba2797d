"""What every evaluation is told, whatever it measures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from nullsplat.evaluation.data.degrade import Protocol
from nullsplat.evaluation.data.subject import Subject
from nullsplat.evaluation.methods.method import Method


@dataclass(frozen=True)
class Plan:
    """All methods on all volumes in all degradations.

    Attributes:
        subjects: volumes, each with a name of its own.
        protocols: degradations.
        methods: what reconstructs.
        seed: for everything random: noise, methods and lesions.
        device: where the methods run.
        folder: keeps everything; what was finished there is not done again.
    """

    subjects: Sequence[Subject]
    protocols: Sequence[Protocol]
    methods: Sequence[Method]
    seed: int
    device: torch.device
    folder: Path

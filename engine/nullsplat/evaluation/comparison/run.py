"""A whole evaluation: every volume, degraded in every way, reconstructed by every method."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from nullsplat.core.progress import Progress
from nullsplat.core.volume import Volume
from nullsplat.evaluation.comparison.case import (
    FAILED,
    NOT_INSTALLED,
    Case,
    Record,
    Scene,
    key_of,
    run_case,
    scene_for,
)
from nullsplat.evaluation.comparison.figures import Comparison, save_comparison
from nullsplat.evaluation.comparison.store import finished, keep
from nullsplat.evaluation.data.degrade import Protocol
from nullsplat.evaluation.data.subject import Subject
from nullsplat.evaluation.methods.baselines import reconstruct
from nullsplat.evaluation.methods.known import known_of
from nullsplat.evaluation.methods.method import Reconstruction
from nullsplat.evaluation.metrics.scores import Scores, score
from nullsplat.evaluation.plan import Plan

PICTURES = "figures"

Tell = Callable[[float, str], None]
"""Called with the fraction of all cases in [0, 1], and a note."""


@dataclass(frozen=True)
class Campaign(Plan):
    """A comparison of methods.

    Attributes:
        blind: whether the point-spread function is kept from the methods.
    """

    blind: bool

    @property
    def size(self) -> int:
        """Number of cases."""
        return len(self.subjects) * len(self.protocols) * len(self.methods)


class _Stage:
    """One volume in one degradation, made when the first method needs it and then kept for the others."""

    def __init__(self, subject: Subject, how: Protocol, seed: int) -> None:
        self.subject, self.how, self.seed = subject, how, seed

    @cached_property
    def scene(self) -> Scene:
        """The truth and the measured volume."""
        return scene_for(self.subject, self.how, self.seed)

    @cached_property
    def cubic(self) -> tuple[Volume, Scores]:
        """What every picture compares with."""
        truth = self.scene.truth
        hu = reconstruct("cubic", self.scene.measured.hu, known_of(self.how))
        scores = score(hu, truth.volume.hu, regions_of=truth.unclipped)
        return Volume(np.ascontiguousarray(hu), truth.volume.geometry), scores


def run_campaign(campaign: Campaign, tell: Tell, say: Callable[[str], None]) -> list[Record]:
    """Do all cases that are not finished yet.

    Args:
        campaign: what is to be done.
        tell: told how far it is.
        say: told in one line how each case ended.

    Returns:
        The records of all cases, also of those that failed.

    Raises:
        StorageError: the folder cannot be written.
    """
    records: list[Record] = []
    for stage, case, input_sha256 in _cases(campaign):
        description = case.description(input_sha256)
        key = key_of(description)
        record = finished(campaign.folder, key)
        if record is None:
            share = _Share(tell, len(records), campaign.size, case.label)
            record = _do(case, stage, description, share, campaign.folder)
            keep(campaign.folder, key, record)
            say(f"{case.label}: {outcome(record)}")
        records.append(record)
        tell(len(records) / campaign.size, "")
    return records


def outcome(record: Record) -> str:
    """How a case ended, in a few words."""
    if record["status"] in (FAILED, NOT_INSTALLED):
        return f"{record['status']}: {record['error']}"
    scores = record["scores"]
    return f"{scores['psnr']:.2f} dB, SSIM {scores['ssim']:.4f}, {record['seconds']:.1f} s"


def _cases(campaign: Campaign) -> Iterator[tuple[_Stage, Case, str]]:
    for subject in campaign.subjects:
        input_sha256 = subject.sha256
        for how in campaign.protocols:
            stage = _Stage(subject, how, campaign.seed)
            for method in campaign.methods:
                case = Case(subject, how, method, campaign.blind, campaign.seed, campaign.device)
                yield stage, case, input_sha256


@dataclass(frozen=True)
class _Share:
    """Progress of one case as a part of all."""

    tell: Tell
    before: int
    all: int
    label: str

    def __call__(self, fraction: float, note: str = "") -> None:
        """Report `fraction` of the case."""
        self.tell((self.before + fraction) / self.all, f"{self.label}: {note}")


def _do(case: Case, stage: _Stage, description: Record, progress: Progress, folder: Path) -> Record:
    """Run a case and draw its result."""
    record, result = run_case(case, lambda: stage.scene, description, progress)
    if result is None or case.method.name == "cubic":
        return record
    return {**record, "picture": _draw(folder, key_of(description), stage, case.method.name, result, record)}


def _draw(folder: Path, key: str, stage: _Stage, name: str, result: Reconstruction, record: Record) -> str:
    """Write the picture of a case; returns its path in the folder."""
    truth = stage.scene.truth.volume
    cubic, cubic_scores = stage.cubic
    comparison = Comparison(
        source=stage.scene.measured,
        cubic=cubic,
        result=Volume(np.ascontiguousarray(result.hu), truth.geometry),
        truth=truth,
        scores={"cubic": cubic_scores, name: Scores(**record["scores"])},
        name=name,
    )
    path = Path(PICTURES) / f"{key}.png"
    (folder / PICTURES).mkdir(parents=True, exist_ok=True)
    save_comparison(comparison, folder / path)
    return str(path)

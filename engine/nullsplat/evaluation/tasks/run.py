"""The whole evaluation by tasks: every volume, degradation, round and method; what is finished is not done again."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nullsplat.core.progress import Progress, part
from nullsplat.evaluation.comparison.case import DONE, Record, key_of
from nullsplat.evaluation.comparison.store import finished, keep
from nullsplat.evaluation.data.degrade import Protocol
from nullsplat.evaluation.data.subject import Subject
from nullsplat.evaluation.methods.known import known_of
from nullsplat.evaluation.methods.method import Asked, Method, Task
from nullsplat.evaluation.plan import Plan
from nullsplat.evaluation.provenance import code_hash
from nullsplat.evaluation.tasks.figures import Pair, figures_of
from nullsplat.evaluation.tasks.rounds import Round, Series, make_round

TRUTH, MEASURED = "truth", "as measured"
"""What every method is compared with: the truth, and the thick slices (or coarse voxels) repeated."""


@dataclass(frozen=True)
class TaskCampaign(Plan):
    """An evaluation by tasks.

    Attributes:
        rounds: of lesions, for each volume and degradation.
    """

    rounds: int

    @property
    def size(self) -> int:
        """Number of cases."""
        return len(self.subjects) * len(self.protocols) * self.rounds * (len(self.methods) + 2)


Reconstruct = Callable[[Series, Progress], Float[ndarray, "z y x"]]


def run_tasks(campaign: TaskCampaign, tell: Progress) -> list[Record]:
    """Do all cases that are not finished yet; records of all.

    Args:
        campaign: what is to be done.
        tell: told how far it is.

    Raises:
        GeometryError: a volume has too few places for lesions.
        StorageError: the folder cannot be written.
    """
    records: list[Record] = []
    for description, made, reconstruct in _cases(campaign):
        key = key_of(description)
        record = finished(campaign.folder, key)
        if record is None:
            done = len(records)
            told = part(tell, done / campaign.size, (done + 1) / campaign.size)
            record = {**description, "status": DONE, **_observed(made(), reconstruct, told)}
            keep(campaign.folder, key, record)
        records.append(record)
        tell(len(records) / campaign.size, key)
    return records


def _observed(made: Round, reconstruct: Reconstruct, progress: Progress) -> dict[str, Any]:
    first, second = (
        reconstruct(series, part(progress, k / 2, (k + 1) / 2)) for k, series in enumerate(made.series)
    )
    results: Pair = (first, second)
    return figures_of(made, results)


def _cases(campaign: TaskCampaign) -> Iterator[tuple[Record, Callable[[], Round], Reconstruct]]:
    for subject in campaign.subjects:
        sha256 = subject.sha256
        for how in campaign.protocols:
            for number in range(campaign.rounds):
                made = _Once(subject, how, number, campaign.seed)
                for name, identity, reconstruct in _methods(campaign, how):
                    yield (
                        {
                            "format": "nullsplat-tasks-case-1",
                            "volume": subject.name,
                            "input_sha256": sha256,
                            "protocol": asdict(how),
                            "round": number,
                            "method": name,
                            "identity": identity,
                            "seed": campaign.seed,
                            "device": campaign.device.type,
                            "code_sha256": code_hash(),
                        },
                        made,
                        reconstruct,
                    )


class _Once:
    """A round, made when the first method needs it."""

    def __init__(self, subject: Subject, how: Protocol, number: int, seed: int) -> None:
        self._asked = subject, how, number, seed
        self._made: Round | None = None

    def __call__(self) -> Round:
        if self._made is None:
            self._made = make_round(*self._asked)
        return self._made


def _methods(campaign: TaskCampaign, how: Protocol) -> Iterator[tuple[str, dict[str, str], Reconstruct]]:
    yield TRUTH, {}, lambda series, _: series.truth.hu
    yield MEASURED, {}, lambda series, _: _repeated(series)
    known = known_of(how)
    for method in campaign.methods:

        def reconstruct(
            series: Series, progress: Progress, method: Method = method
        ) -> Float[ndarray, "z y x"]:
            task = Task(series.measured, known, campaign.seed, campaign.device)
            return method.reconstruct(task, progress).hu

        yield method.name, method.identity(Asked(known, campaign.seed)), reconstruct


def _repeated(series: Series) -> Float[ndarray, "z y x"]:
    hu = series.measured.hu
    for axis, n in enumerate(series.truth.geometry.shape):
        hu = np.repeat(hu, n // hu.shape[axis], axis)
    return hu

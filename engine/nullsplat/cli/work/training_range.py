"""The work of `nullsplat training-range`: draw series from every CT, and write down what they span."""

from dataclasses import dataclass
from pathlib import Path

import torch

from nullsplat.cli.inputs.study_subjects import Subjects
from nullsplat.core.console import displayed
from nullsplat.core.errors import ConfigurationError
from nullsplat.evaluation.comparison.store import write_json
from nullsplat.evaluation.data.subject import Subject
from nullsplat.evaluation.provenance import describe_software
from nullsplat.evaluation.studies.training_range import ODD, ROOM, USUAL_ROOM, drawn_figures, spans_of
from nullsplat.pipeline.slab_stage import VolumePrior
from nullsplat.prior import weights
from nullsplat.prior.load import load_prior
from nullsplat.prior.series_figures import FIGURES, Figures
from nullsplat.prior.training_range import FILE


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line; see `nullsplat training-range --help`."""

    volumes: tuple[Path, ...]
    prior: str
    draws: int
    seed: int
    out: Path


def run(request: Request) -> None:
    """Measure, write the file and say what it holds.

    Raises:
        InputError: a CT or the prior cannot be used.
        StorageError: the folder cannot be written.
    """
    prior = load_prior(request.prior, torch.device("cpu"))
    if not isinstance(prior, VolumePrior):
        raise ConfigurationError(f"a prior of slabs was needed, {request.prior} is none")
    subjects = Subjects(request.volumes, False, None).read()
    found = _drawn(subjects, prior, request)
    spans = spans_of(found)
    content = {
        "model_sha256": weights.prior_hash(request.prior),
        "figures": {name: list(span) for name, span in spans.items()},
        "volumes": [{"name": one.name, "sha256": one.sha256} for one in subjects],
        "series": len(found),
        "odd": ODD,
        "room": {name: list(ROOM.get(name, USUAL_ROOM)) for name in spans},
        "seed": request.seed,
        "software": describe_software(),
    }
    write_json(request.out / FILE, content)
    for name, (low, high) in spans.items():
        print(f"{FIGURES[name].title}: {FIGURES[name].told(low)} to {FIGURES[name].told(high)}")
    print(f"wrote {request.out / FILE}: {len(found)} series of {len(subjects)} CTs")


def _drawn(subjects: list[Subject], prior: VolumePrior, request: Request) -> list[Figures]:
    found = []
    with displayed(None) as shown:
        for subject in subjects:
            for number in range(request.draws):
                found.append(drawn_figures(subject, number, prior, request.seed))
                shown(subject.name, (number + 1) / request.draws, "")
    return found

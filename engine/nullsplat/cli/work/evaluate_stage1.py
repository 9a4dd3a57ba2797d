"""The work of `nullsplat eval-stage1`: read options and volumes, run the study, write the table."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from nullsplat.cli.inputs.study_subjects import Subjects
from nullsplat.cli.work.evaluate import parse_protocols, parts_of
from nullsplat.core.device import resolve_device
from nullsplat.core.errors import ConfigurationError
from nullsplat.evaluation.data.degrade import Protocol
from nullsplat.evaluation.data.subject import Subject
from nullsplat.evaluation.studies.degraded_case import DegradedCase
from nullsplat.evaluation.studies.files import write_study
from nullsplat.evaluation.studies.stage1 import Row, Stage1Study
from nullsplat.evaluation.studies.stage1_table import table


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line; see `nullsplat eval-stage1 --help`."""

    subjects: Subjects
    scale: str
    noise: str
    views: int
    samples: str
    seed: int
    device: str
    out: Path


def run(request: Request) -> None:
    """Measure, and say where the table is.

    Raises:
        InputError: a volume or an option cannot be used.
    """
    samples = _samples(request.samples)
    protocols = parse_protocols(request.scale, request.noise)
    console = Console(highlight=False)
    rows = {
        f"{subject.name} {how.name}": _case(request, subject, how, samples, console)
        for subject in request.subjects.read()
        for how in protocols
    }
    about = {
        "views": request.views,
        "samples": list(samples),
        "seed": request.seed,
        "crop": request.subjects.crop,
    }
    page = write_study("stage1", rows, about, request.out, table)
    print(f"wrote {page}: {len(rows)} cases")


def _case(
    request: Request, subject: Subject, how: Protocol, samples: tuple[int, ...], console: Console
) -> list[Row]:
    device = resolve_device(request.device)
    study = Stage1Study(DegradedCase(subject.volume, how, request.views, device, seed=request.seed))
    rows = []
    for part in (
        study.without_learning(),
        study.with_xray_prior(samples),
        study.with_slab_prior(samples),
    ):
        for row in part:
            rows.append(row)
            console.print(
                f"{subject.name} {how.name}: {row.method}, {row.steps} evaluations, {row.samples} samples: "
                f"{row.psnr:.2f} dB, {row.seconds:.0f} s"
            )
    return rows


def _samples(text: str) -> tuple[int, ...]:
    counts = [int(part) if part.isdigit() else 0 for part in parts_of(text)]
    if not counts or min(counts) < 1:
        raise ConfigurationError(f"--samples must be whole numbers from 1, comma-separated, got {text!r}")
    return tuple(counts)

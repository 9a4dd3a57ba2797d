"""The work of `nullsplat eval-stage1`: read options and volumes, run the study, write the table."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from nullsplat.cli.evaluation import parse_crop, parse_protocols, parts_of
from nullsplat.core.device import resolve_device
from nullsplat.core.errors import ConfigurationError
from nullsplat.evaluation.degrade import Protocol
from nullsplat.evaluation.public_data import CHEST, cache_folder
from nullsplat.evaluation.stage1_study import Row, Stage1Study
from nullsplat.evaluation.stage1_table import TABLE, write_stage1
from nullsplat.evaluation.subject import Subject, check_names, cropped, public_subjects, read_subject

MIXES = (0.0, 0.3, 1.0)
"""Shares of the slab prior's answer on projections themselves that are compared."""


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line; see `nullsplat eval-stage1 --help`."""

    volumes: tuple[Path, ...]
    public: bool
    scale: str
    noise: str
    views: int
    samples: str
    crop: str | None
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
        for subject in _subjects(request)
        for how in protocols
    }
    about = {"views": request.views, "samples": list(samples), "seed": request.seed, "crop": request.crop}
    write_stage1(rows, about, request.out)
    print(f"wrote {request.out / TABLE}: {len(rows)} cases")


def _case(
    request: Request, subject: Subject, how: Protocol, samples: tuple[int, ...], console: Console
) -> list[Row]:
    study = Stage1Study(subject.volume, how, request.views, resolve_device(request.device), seed=request.seed)
    rows = []
    for part in (
        study.without_learning(),
        study.with_xray_prior(samples),
        study.with_slab_prior(samples, MIXES),
    ):
        for row in part:
            rows.append(row)
            console.print(
                f"{subject.name} {how.name}: {row.method}, {row.steps} evaluations, {row.samples} samples: "
                f"{row.psnr:.2f} dB, {row.seconds:.0f} s"
            )
    return rows


def _subjects(request: Request) -> list[Subject]:
    if not request.volumes and not request.public:
        raise ConfigurationError("nothing to evaluate on; name volumes, or take the public one by --public")
    subjects = [read_subject(path) for path in request.volumes]
    if request.public:
        subjects += public_subjects(cache_folder(), (CHEST,))
    check_names(subjects)
    if request.crop is None:
        return subjects
    return [cropped(subject, parse_crop(request.crop)) for subject in subjects]


def _samples(text: str) -> tuple[int, ...]:
    counts = [int(part) if part.isdigit() else 0 for part in parts_of(text)]
    if not counts or min(counts) < 1:
        raise ConfigurationError(f"--samples must be whole numbers from 1, by comma, got {text!r}")
    return tuple(counts)

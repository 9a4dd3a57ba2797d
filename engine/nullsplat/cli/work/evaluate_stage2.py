"""The work of `nullsplat eval-stage2`: read options and volumes, run the study, write the table."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from rich.console import Console

from nullsplat.cli.inputs.study_subjects import Subjects
from nullsplat.cli.work.evaluate import parse_protocols, parts_of
from nullsplat.core.device import resolve_device
from nullsplat.core.errors import ConfigurationError
from nullsplat.core.suggestion import did_you_mean
from nullsplat.evaluation.data.degrade import Protocol
from nullsplat.evaluation.data.public_data import CHEST
from nullsplat.evaluation.data.subject import Subject
from nullsplat.evaluation.studies.degraded_case import DegradedCase
from nullsplat.evaluation.studies.files import write_study
from nullsplat.evaluation.studies.stage2 import (
    SOURCES,
    FitVariant,
    Row,
    Stage2Study,
    ablations,
    closed_forms,
    of_paper,
    of_paper_small,
    of_presets,
    schedules,
)
from nullsplat.evaluation.studies.stage2_table import table

_VIEWS = 100

FITS: dict[str, Callable[[], tuple[FitVariant, ...]]] = {
    "presets": of_presets,
    "closed-form": closed_forms,
    "ablations": ablations,
    "schedules": schedules,
    "paper": of_paper,
    "paper-small": of_paper_small,
}
"""What `--fits` may name."""


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line; see `nullsplat eval-stage2 --help`."""

    subjects: Subjects
    scale: str
    noise: str
    fits: str
    seed: int
    device: str
    out: Path


def run(request: Request) -> None:
    """Measure, and say where the table is.

    Raises:
        InputError: a volume or an option cannot be used.
    """
    variants = tuple(chain.from_iterable(FITS[name]() for name in _fits(request.fits)))
    protocols = parse_protocols(request.scale, request.noise)
    console = Console(highlight=False)
    rows = {}
    for subject in replace(request.subjects, wanted=(CHEST,)).read():
        for how in protocols:
            rows[f"{subject.name} {how.name}"] = [*_case(request, subject, how, variants, console)]
    about = {"fits": request.fits, "seed": request.seed, "crop": request.subjects.crop}
    page = write_study("stage2", rows, about, request.out, table)
    print(f"wrote {page}: {len(rows)} cases")


def _case(
    request: Request, subject: Subject, how: Protocol, variants: tuple[FitVariant, ...], console: Console
) -> Iterator[Row]:
    device = resolve_device(request.device)
    study = Stage2Study(DegradedCase(subject.volume, how, _VIEWS, device, seed=request.seed))
    fitted = (study.fits(variants, source) for source in SOURCES)
    for row in chain(study.without_fit(), *fitted):
        console.print(
            f"{subject.name} {how.name}: {row.method}, given {row.given or 'the measurement'}: "
            f"{row.psnr:.2f} dB, {row.seconds:.1f} s"
        )
        yield row


def _fits(text: str) -> list[str]:
    names = parts_of(text)
    unknown = [name for name in names if name not in FITS]
    if unknown or not names:
        raise ConfigurationError(
            f"--fits must be of {', '.join(FITS)}, comma-separated, got {text!r}"
            + did_you_mean("".join(unknown[:1]), FITS)
        )
    return names

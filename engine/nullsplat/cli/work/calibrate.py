"""The work of `nullsplat calibrate`: observe every volume in every degradation, find the factors, write them down."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from nullsplat.cli.inputs.study_subjects import Subjects
from nullsplat.cli.work.evaluate import parse_protocols
from nullsplat.core.console import displayed
from nullsplat.core.device import resolve_device
from nullsplat.core.errors import ConfigurationError
from nullsplat.core.files import write_text
from nullsplat.evaluation.comparison.store import write_json
from nullsplat.evaluation.data.degrade import Protocol
from nullsplat.evaluation.data.subject import Subject, thickened
from nullsplat.evaluation.provenance import describe_software
from nullsplat.evaluation.studies.calibration import (
    Observed,
    bound,
    left_out,
    levels_of,
    observe,
    shares_held,
)
from nullsplat.evaluation.studies.calibration_table import table
from nullsplat.prior import weights
from nullsplat.prior.calibration import FILE, LEVEL, calibration_of, written


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line; see `nullsplat calibrate --help`."""

    volumes: tuple[Path, ...]
    public: bool
    prior: str
    scale: str
    noise: str
    crop: str | None
    thicker_mm: float | None
    check: bool
    seed: int
    device: str
    out: Path


def run(request: Request) -> None:
    """Calibrate, or check a calibration, and say how often the intervals hold.

    Raises:
        InputError: a volume, the prior or an option cannot be used.
        StorageError: the folder cannot be written.
    """
    protocols, known = parse_protocols(request.scale, request.noise), calibration_of(request.prior)
    if request.check and known is None:
        raise ConfigurationError(
            f"--check needs a prior with a {FILE} beside its weights, {request.prior} has none"
        )
    subjects = Subjects(request.volumes, request.public, request.crop).read()
    observed = _observed(request, subjects, protocols)
    levels = known.levels if request.check and known is not None else levels_of(observed)
    page = table(observed, dict.fromkeys((one.name for one in subjects), levels))
    print(f"{page}\n")
    if not request.check:
        others = left_out(observed)
        shares = shares_held(observed, others)
        content = {
            **_origin(request, subjects, protocols),
            "factors": written(levels),
            "held_when_left_out": shares,
        }
        write_json(request.out / FILE, content)
        told = _told(shares, len(subjects))
        page += f"\n\n{told}" + (f"\n\n{table(observed, others)}" if others else "")
        print(told)
    write_text(request.out / "coverage.md", f"{page}\n")
    print(f"wrote {request.out / 'coverage.md'}")


def _observed(request: Request, subjects: list[Subject], protocols: list[Protocol]) -> list[Observed]:
    device, found = resolve_device(request.device), []
    with displayed(None) as shown:
        for truth in [*subjects, *_thicker(subjects, request.thicker_mm)]:
            for how in protocols:
                name = f"{truth.name} {how.name}"
                found.append(
                    observe(truth, how, request.prior, device, request.seed,
                            partial(shown, name))
                )  # fmt: skip
    return found


def _thicker(subjects: list[Subject], slice_mm: float | None) -> list[Subject]:
    made = [] if slice_mm is None else [thickened(one, slice_mm) for one in subjects]
    return [one for one in made if one is not None]


def _origin(request: Request, subjects: list[Subject], protocols: list[Protocol]) -> dict[str, object]:
    return {
        "level": LEVEL,
        "model_sha256": weights.prior_hash(request.prior),
        "volumes": [{"name": one.name, "sha256": one.sha256, "remark": one.remark} for one in subjects],
        "protocols": [how.name for how in protocols],
        "thicker_mm": request.thicker_mm,
        "bound": bound(len(subjects)),
        "seed": request.seed,
        "software": describe_software(),
    }


def _told(shares: dict[str, float], volumes: int) -> str:
    others = ", ".join(f"{share:.1%} of {name}" for name, share in shares.items())
    apart = f"By the factors of the others they hold {others}. " if shares else ""
    return f"{apart}A further volume, were it drawn as these {volumes}, is held to {bound(volumes):.0%} on average."

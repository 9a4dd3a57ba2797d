"""The work of `nullsplat calibrate`: observe every volume in every degradation, find the factors, write them down."""

from dataclasses import dataclass
from pathlib import Path

from nullsplat.cli.work.evaluate import parse_crop, parse_protocols
from nullsplat.core.console import displayed
from nullsplat.core.device import resolve_device
from nullsplat.core.errors import ConfigurationError
from nullsplat.core.files import write_text
from nullsplat.evaluation.comparison.store import write_json
from nullsplat.evaluation.data.degrade import Protocol
from nullsplat.evaluation.data.public_data import cache_folder
from nullsplat.evaluation.data.subject import Subject, check_names, cropped, public_subjects, read_subject
from nullsplat.evaluation.provenance import describe_software
from nullsplat.evaluation.studies.calibration import Observed, bound, factors_of, left_out, observe
from nullsplat.evaluation.studies.calibration_table import table
from nullsplat.prior import weights
from nullsplat.prior.calibration import FILE, LEVEL, calibration_of


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line; see `nullsplat calibrate --help`."""

    volumes: tuple[Path, ...]
    public: bool
    prior: str
    scale: str
    noise: str
    crop: str | None
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
    subjects = _subjects(request)
    observed = _observed(request, subjects, protocols)
    factors = known.factors if request.check and known is not None else factors_of(observed)
    page = table(observed, factors)
    write_text(request.out / "coverage.md", f"{page}\n")
    if not request.check:
        write_json(request.out / FILE, _content(request, subjects, protocols, observed))
    print(f"{page}\n\n{_told(observed, request.check)}wrote {request.out / 'coverage.md'}")


def _subjects(request: Request) -> list[Subject]:
    subjects = [read_subject(path) for path in request.volumes]
    if request.public:
        subjects += public_subjects(cache_folder())
    if not subjects:
        raise ConfigurationError(
            "nothing to calibrate on; name thin CTs, or take the public ones by --public"
        )
    check_names(subjects)
    return subjects if request.crop is None else [cropped(one, parse_crop(request.crop)) for one in subjects]


def _observed(request: Request, subjects: list[Subject], protocols: list[Protocol]) -> list[Observed]:
    device, found = resolve_device(request.device), []
    with displayed(None) as shown:
        for subject in subjects:
            for how in protocols:
                name = f"{subject.name} {how.name}"
                found.append(
                    observe(subject, how, request.prior, device, request.seed,
                            lambda fraction, note="", name=name: shown(name, fraction, note))
                )  # fmt: skip
    return found


def _content(
    request: Request, subjects: list[Subject], protocols: list[Protocol], observed: list[Observed]
) -> dict[str, object]:
    return {
        "level": LEVEL,
        "factors": factors_of(observed),
        "model_sha256": weights.prior_hash(request.prior),
        "volumes": [{"name": one.name, "sha256": one.sha256, "remark": one.remark} for one in subjects],
        "protocols": [how.name for how in protocols],
        "held_when_left_out": left_out(observed),
        "bound": bound(len(subjects)),
        "seed": request.seed,
        "software": describe_software(),
    }


def _told(observed: list[Observed], checked: bool) -> str:
    if checked:
        return ""
    volumes = len({one.volume for one in observed})
    held = left_out(observed)
    others = ", ".join(f"{share:.1%} of {name}" for name, share in held.items())
    apart = f"By the factors of the others they hold {others}. " if held else ""
    return f"{apart}A further volume, were it drawn as these {volumes}, is held to {bound(volumes):.0%} on average.\n"

"""The work of `nullsplat eval`: read the options and the volumes, run all cases, write the report."""

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from nullsplat.cli.inputs.study_subjects import Subjects
from nullsplat.core.console import StageDisplay
from nullsplat.core.device import resolve_device
from nullsplat.core.errors import ConfigurationError
from nullsplat.core.suggestion import did_you_mean
from nullsplat.evaluation.comparison.case import FAILED, NOT_INSTALLED
from nullsplat.evaluation.comparison.report import RESULTS, write_page, write_report
from nullsplat.evaluation.comparison.run import Campaign, run_campaign
from nullsplat.evaluation.data.degrade import KINDS, Protocol, protocol
from nullsplat.evaluation.data.subject import Subject
from nullsplat.evaluation.methods.registry import find_methods
from nullsplat.evaluation.plan import Plan


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line; see `nullsplat eval --help`."""

    volumes: tuple[Path, ...]
    public: bool
    only: str | None
    scale: str
    noise: str
    methods: str
    crop: str | None
    blind: bool
    seed: int
    device: str
    out: Path
    page: Path | None


def run(request: Request) -> bool:
    """Evaluate, and say where the tables are; whether no method failed.

    Raises:
        InputError: a volume or an option cannot be used.
        StorageError: the folder cannot be written.
    """
    campaign = Campaign(**vars(plan_of(request)), blind=request.blind)
    console = Console()
    with StageDisplay(console) as display:
        records = run_campaign(
            campaign,
            partial(display, f"{campaign.size} cases"),
            lambda line: console.print(f"    {line}", highlight=False, markup=False, soft_wrap=True),
        )
    write_report(campaign, records)
    if request.page is not None:
        write_page(request.out / RESULTS, request.page)
    count = {state: sum(r["status"] == state for r in records) for state in (FAILED, NOT_INSTALLED)}
    print(
        f"wrote {request.out / 'table.md'}: {len(records)} cases, {count[FAILED]} failed, "
        f"{count[NOT_INSTALLED]} not installed"
    )
    failed: int = count[FAILED]
    return failed == 0


def plan_of(request: Request) -> Plan:
    """What was asked for; small things are checked before the volumes are read.

    Raises:
        InputError: a volume or an option cannot be used.
    """
    methods = find_methods(parts_of(request.methods))
    protocols = parse_protocols(request.scale, request.noise)
    device = resolve_device(request.device)
    return Plan(_subjects(request), protocols, methods, request.seed, device, request.out)


def parse_protocols(scale: str, noise: str) -> list[Protocol]:
    """Every degradation: `iso4`, `thick4` and `bell4` (or short `4` and `z4`), each with each strength of noise.

    Raises:
        ConfigurationError: something else.
    """
    names = [_protocol_name(part) for part in parts_of(scale)]
    return [protocol(name, hu) for name in names for hu in _noise(noise)]


def _subjects(request: Request) -> list[Subject]:
    only = None if request.only is None else tuple(parts_of(request.only))
    return Subjects(request.volumes, request.public, request.crop, only=only).read()


def _protocol_name(part: str) -> str:
    match = re.fullmatch(r"([a-z]*)([2-9]|[1-9]\d)", part)
    kind = {"": "iso", "z": "thick"}.get(match[1], match[1]) if match else ""
    if match is None or kind not in KINDS:
        raise ConfigurationError(
            f"--scale must be degradations such as iso4, thick4 and bell4, comma-separated, got {part!r}"
            + did_you_mean(part, (f"{kind}{n}" for kind in KINDS for n in range(2, 17)))
        )
    return f"{kind}{match[2]}"


def _noise(text: str) -> list[float]:
    try:
        levels = [float(part) for part in parts_of(text)]
    except ValueError:
        levels = []
    if not levels or not all(0 <= hu <= 1000 for hu in levels):
        raise ConfigurationError(f"--noise must be numbers from 0 to 1000 HU, comma-separated, got {text!r}")
    return levels


def parts_of(text: str) -> list[str]:
    """The parts between commas, each once."""
    return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))

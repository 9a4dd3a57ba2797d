"""The work of `nullsplat reader-study` and `reader-score`."""

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from nullsplat.cli.outputs import check_absent
from nullsplat.cli.work.evaluate import parse_protocols
from nullsplat.core.console import StageDisplay
from nullsplat.core.device import resolve_device
from nullsplat.core.errors import ConfigurationError
from nullsplat.core.volume import Volume
from nullsplat.evaluation.data.degrade import Protocol, protocol
from nullsplat.evaluation.reader_study.cases import Making, make_cases
from nullsplat.evaluation.reader_study.key import read_key
from nullsplat.evaluation.reader_study.sheet import read_filled_sheet
from nullsplat.evaluation.reader_study.statistics import table, unblind
from nullsplat.evaluation.reader_study.study import write_study
from nullsplat.io.volumes import check_readable, read_volume

_RANDOM_BITS = 62


@dataclass(frozen=True)
class StudyRequest:
    """What was asked for on the command line; see `nullsplat reader-study --help`."""

    out: Path
    truths: tuple[Path, ...]
    how: Protocol
    methods: str
    device: str
    seed: int | None


@dataclass(frozen=True)
class Report:
    """Where the figures of a study are written."""

    path: Path
    overwrite: bool = False

    def write(self, figures: dict[str, Any]) -> None:
        """Write them as JSON."""
        self.path.write_text(json.dumps(figures, indent=2) + "\n")


def from_evaluation(
    out: Path, truths: tuple[Path, ...], told: tuple[str, str, str], device: str, seed: int
) -> StudyRequest:
    """The study that `nullsplat eval --reader-study` asks for.

    Args:
        out: folder of the study.
        truths: thin-slice CTs.
        told: scale, noise and methods as eval takes them.
        device: auto, cpu or cuda.
        seed: 0 draws one at random, since readers could guess it.

    Raises:
        ConfigurationError: more than one degradation, none of thick slices, or no volume.
    """
    protocols = parse_protocols(told[0], told[1])
    if len(protocols) != 1 or not truths:
        raise ConfigurationError(
            "a reader study needs volumes and one degradation to thick slices, such as --scale bell4 --noise 15, "
            f"got {len(truths)} volumes, --scale {told[0]} --noise {told[1]}"
        )
    return StudyRequest(out, truths, _thick(protocols[0]), told[2], device, seed or None)


def thick_slices(scale: str, noise_hu: float) -> Protocol:
    """The degradation of a reader study: `bell4`, `thick4`, or `4`, which is short for `thick4`.

    Raises:
        ConfigurationError: another one.
    """
    return _thick(protocol(f"thick{scale}" if scale.isdigit() else scale, noise_hu))


def _thick(how: Protocol) -> Protocol:
    if how.all_axes:
        raise ConfigurationError(
            f"a reader study needs a degradation to thick slices, such as bell4, got {how.name}"
        )
    return how


def prepare(request: StudyRequest) -> None:
    """Make the volumes, write the study, and say what to do with it.

    Raises:
        InputError: a volume, the folder or an option cannot be used.
        NullSplatError: the work failed.
    """
    # Nobody can guess a seed of this length, so nobody can find the orders by trying seeds against the UIDs.
    seed = secrets.randbits(_RANDOM_BITS) if request.seed is None else request.seed
    methods = tuple(name.strip() for name in request.methods.split(",") if name.strip())
    with StageDisplay() as display:
        making = Making(
            how=request.how,
            methods=methods,
            device=resolve_device(request.device),
            seed=seed,
            progress=display,
        )
        cases = make_cases([_reader(path) for path in request.truths], making)
        study = write_study(cases, [path.name for path in request.truths], methods, request.out, seed)
    print(f"wrote {len(study.key.cases)} case(s) for the readers to {study.reading}")
    print(f"keep from them: {study.key_files[0]} and {study.key_files[1].name}, which unblind the study")


def score(key_path: Path, sheets: Sequence[Path], report: Report | None, seed: int) -> None:
    """Print what the readers said, by method.

    Raises:
        InputError: the key or a sheet cannot be used.
    """
    if report is not None:
        check_absent([report.path], overwrite=report.overwrite)
    key = read_key(key_path)
    if len({path.stem for path in sheets}) != len(sheets):
        raise ConfigurationError("every sheet must be named after its reader, two have the same name")
    verdict = unblind([row for path in sheets for row in read_filled_sheet(path, key)], key, seed)
    if report is not None:
        report.write(verdict.as_dict())
    readers = f"{len(verdict.readers)} reader(s), {verdict.cases} of {len(key.cases)} case(s)"
    print(f"{readers}; scores from 1 (bad) to 5 (good), 95 % intervals over cases\n\n{table(verdict)}")


def _reader(path: Path) -> Callable[[], Volume]:
    """Reads a truth when its turn comes, but finds out now whether it is there."""
    return partial(read_volume, check_readable(path, "--truth"))

"""The work of `nullsplat eval-pair`: align, measure the slice profile, run the methods, write the table."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from nullsplat.cli.work.evaluate import parts_of
from nullsplat.core.console import StageDisplay
from nullsplat.core.device import resolve_device
from nullsplat.core.errors import ConfigurationError
from nullsplat.core.files import write_text
from nullsplat.evaluation.comparison.store import write_json
from nullsplat.evaluation.machine import describe_machine
from nullsplat.evaluation.methods.known import Known
from nullsplat.evaluation.methods.method import Method, NotInstalled, Task
from nullsplat.evaluation.methods.registry import find_methods
from nullsplat.evaluation.metrics.scores import CLIP_HU, score
from nullsplat.evaluation.pair.pair import Pair, align, read_side
from nullsplat.evaluation.pair.profile_estimate import estimate_profile
from nullsplat.evaluation.pair.table import PairRow, check_line, methods_table, profile_table
from nullsplat.evaluation.provenance import describe_software
from nullsplat.physics.profile import AUTO, Profile, Resolution
from nullsplat.physics.profile_check import check_profile


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line; see `nullsplat eval-pair --help`."""

    thick: Path
    thin: Path
    methods: str
    slice_profile: str
    slice_thickness: float | None
    centre: str | None
    seed: int
    device: str
    out: Path


def run(request: Request) -> None:
    """Measure, say what came out, and write it down.

    Raises:
        InputError: a series or an option cannot be used, or the two do not fit together.
        StorageError: the folder cannot be written.
    """
    console = Console(highlight=False, soft_wrap=True, markup=False)
    methods, centre = find_methods(parts_of(request.methods)), _centre(request.centre)
    thick, thin = read_side(request.thick, request.slice_thickness), read_side(request.thin)
    pair = align(thick, thin)
    resolution = _resolution(request, thick.resolution)
    thickness = resolution.slice_thickness_ratio * pair.thick.geometry.spacing[0]
    console.print(
        f"{thick.name}: {_in_words(pair)}; slice profile {resolution.slice_profile} ({resolution.why})"
    )
    estimate = estimate_profile(pair, thickness)
    check = check_profile(thick.volume.hu, resolution, pair.thick.geometry.spacing[0])
    measured = f"{profile_table(estimate)}\n\n{check_line(check)}"
    console.print(f"\n{measured}\n")
    rows = _rows(pair, Known(pair.scale, resolution), methods, centre, request, console)
    content = {
        "thick": thick.name,
        "thin": thin.name,
        "scale": pair.scale,
        "assumed": {
            "profile": str(resolution.slice_profile),
            "why": resolution.why,
            "thickness_mm": thickness,
        },
        "measured": estimate.as_dict(),
        "check": check.as_dict(),
        "centre": centre,
        "machine": describe_machine().summary,
        "software": describe_software(),
        "methods": [row.as_dict() for row in rows],
    }
    write_json(request.out / "pair.json", content)
    write_text(request.out / "pair.md", f"{methods_table(rows)}\n\n{measured}\n")
    console.print(f"\n{methods_table(rows)}\n\nwrote {request.out / 'pair.md'}")


def _rows(
    pair: Pair,
    known: Known,
    methods: list[Method],
    centre: tuple[int, int] | None,
    request: Request,
    console: Console,
) -> list[PairRow]:
    rows, device = [], resolve_device(request.device)
    with StageDisplay(console) as display:
        for method in methods:
            task = Task(pair.thick, known, request.seed, device)
            try:
                rows.append(_row(pair, method, task, centre, display))
            except NotInstalled as error:
                console.print(f"    {method.name}: {error}")
    return rows


def _row(
    pair: Pair, method: Method, task: Task, centre: tuple[int, int] | None, display: StageDisplay
) -> PairRow:
    result = method.reconstruct(task, partial(display, method.name))
    ours, truth = (_central(hu, centre) for hu in (pair.at_thin_slices(result.hu), pair.thin.hu))
    scores = score(ours, np.clip(truth, *CLIP_HU), regions_of=truth)
    seconds = sum(stage["seconds"] for stage in result.stages.values())
    return PairRow(method.name, scores, result.report.get("lr_consistency_rmse_hu"), seconds, result.stages)


def _resolution(request: Request, told: Resolution) -> Resolution:
    if request.slice_profile == AUTO:
        return told
    return replace(told, slice_profile=Profile.parse(request.slice_profile), why="asked for")


def _in_words(pair: Pair) -> str:
    thick, thin = pair.thick.geometry, pair.thin.geometry
    return (
        f"{thick.shape[0]} slices every {thick.spacing[0]:g} mm against {thin.shape[0]} every {thin.spacing[0]:g} mm, "
        f"{thick.shape[1]} x {thick.shape[2]} pixels in common, on {torch.get_num_threads()} threads"
    )


def _centre(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    parts = text.split(",")
    if len(parts) != 2 or not all(part.strip().isdigit() and int(part) > 0 for part in parts):
        raise ConfigurationError(f"--centre must be rows and columns such as 256,256, got {text!r}")
    return int(parts[0]), int(parts[1])


def _central(hu: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    if size is None:
        return hu
    rows, columns = (
        slice((n - min(s, n)) // 2, (n - min(s, n)) // 2 + min(s, n))
        for n, s in zip(hu.shape[1:], size, strict=True)
    )
    return np.ascontiguousarray(hu[:, rows, columns])

"""What a run of the demonstration found out, for people who were not there."""

import json
import os
import platform
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

from nullsplat import __version__
from nullsplat.core.files import write_text
from nullsplat.demo.assessment import Assessment
from nullsplat.demo.options import Options
from nullsplat.demo.simulation import Simulation
from nullsplat.node.observer import Json


@dataclass(frozen=True)
class Facts:
    """One run.

    Attributes:
        options: what was asked for.
        scene: truth and scan.
        decision: the plugin's, in words.
        state: the plugin's last word on the source series.
        job: the engine's last job_status.
        seconds: from the first C-STORE until the comparison.
    """

    options: Options
    scene: Simulation
    decision: str
    state: Json
    job: Json
    seconds: float


def stage_lines(facts: Facts) -> list[str]:
    """A table of what each stage took."""
    head = f"{'stage':<13}{'seconds':>9}{'peak memory':>15}"
    rows = [
        f"{stage['name']:<13}{stage.get('seconds', 0.0):>9.1f}{stage.get('peak_memory_mib', 0.0):>11.0f} MiB"
        for stage in facts.job["stages"]
    ]
    return [head, *rows, f"{'in all':<13}{facts.seconds:>9.1f}   from the first C-STORE to delivery"]


def write_report(path: Path, facts: Facts, assessment: Assessment) -> None:
    """Write report.json."""
    write_text(path, json.dumps(_content(facts, assessment), indent=2) + "\n")


def _content(facts: Facts, assessment: Assessment) -> dict[str, Any]:
    return {
        "created": datetime.now().astimezone().isoformat(timespec="seconds"),
        "software_version": __version__,
        "machine": _machine(),
        "degradation": {
            "name": facts.scene.how.name,
            "seed": facts.options.seed,
            "scan_shape": facts.scene.scan.geometry.shape,
            "scan_spacing_mm": facts.scene.scan.geometry.spacing,
        },
        "decision": facts.decision,
        "derived": facts.state["derived"],
        "routes": facts.state["routes"],
        "parameters": facts.job["request"]["parameters"],
        "stages": facts.job["stages"],
        "seconds": round(facts.seconds, 1),
        "scores": {name: scores.as_dict() for name, scores in assessment.scores.items()},
        "better_than_cubic": assessment.better_than_cubic,
    }


def _machine() -> dict[str, Any]:
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    return {
        "system": platform.platform(),
        "cpu_cores": os.cpu_count(),
        "gpu": gpu,
        "torch": torch.__version__,
    }

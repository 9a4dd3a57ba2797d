"""What a run left behind, collected into its folder, so that it can be judged now and again later.

run.json        cases, faults, what the plugin, the engine and Orthanc say, the machine
sent/           the series as they were sent, one folder for each case
archive/        what Orthanc holds beyond that, one folder for each series
pacs/           what arrived at the PACS, one folder for each series; web/ and keeper/ likewise
committed.jsonl what the committing archive vouched for
audit.jsonl     the engine's audit log
logs/           of the processes; Orthanc's is in orthanc/
"""

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from soaking.faults import Noted
from soaking.parts import Parts
from soaking.plan import Options
from soaking.scans import Scan

RUN = "run.json"
METADATA = "NullSplat"
Json = dict[str, Any]


def collect(parts: Parts, options: Options, scans: list[Scan], noted: list[Noted], facts: Json) -> Path:
    """Write everything down while the node still runs; returns the folder.

    Args:
        facts: of the run as a whole: times, machine and the like.
    """
    folder = parts.folder
    sent = {scan.series_uid for scan in scans}
    parts.destinations.web.collect()
    archived = {uid: _instances(parts, series) for series, uid in _all_series(parts).items()}
    for uid, instances in archived.items():
        if uid not in sent:
            _download(parts, folder / "archive" / uid, instances)
    content = {
        "options": {**asdict(options), "folder": str(options.folder)},
        "facts": facts,
        "faults": [{**asdict(one), "recovery": one.recovery} for one in noted],
        "cases": [_case(parts, scan) for scan in scans],
        "archive": {uid: sorted(instances) for uid, instances in archived.items()},
        "jobs": _jobs(parts),
    }
    if (audit := parts.spool.folder / "audit.jsonl").exists():
        shutil.copy(audit, folder)
    (folder / RUN).write_text(json.dumps(content, indent=1))
    return folder


def state_of(parts: Parts, series_uid: str) -> Json | None:
    """What the plugin remembers about a series, None when that cannot be asked or there is nothing."""
    found = parts.ask_orthanc("/tools/lookup", series_uid)
    series = [one["ID"] for one in found.json() if one["Type"] == "Series"] if found else []
    answer = parts.ask_orthanc(f"/series/{series[0]}/metadata/{METADATA}") if series else None
    state: Json | None = None if answer is None else json.loads(answer.text)
    return state


def _case(parts: Parts, scan: Scan) -> Json:
    return {**asdict(scan.case), "series_uid": scan.series_uid, "state": state_of(parts, scan.series_uid)}


def _all_series(parts: Parts) -> dict[str, str]:
    """Orthanc's identifier of each series to its Series Instance UID."""
    shown = _needed(parts, "/series?expand")
    return {one["ID"]: one["MainDicomTags"]["SeriesInstanceUID"] for one in shown}


def _instances(parts: Parts, series: str) -> dict[str, str]:
    """SOP Instance UID to Orthanc's identifier."""
    shown = _needed(parts, f"/series/{series}/instances")
    return {one["MainDicomTags"]["SOPInstanceUID"]: one["ID"] for one in shown}


def _download(parts: Parts, folder: Path, instances: dict[str, str]) -> None:
    folder.mkdir(parents=True)
    for uid, instance in instances.items():
        answer = parts.ask_orthanc(f"/instances/{instance}/file")
        if answer is not None:
            (folder / f"{uid}.dcm").write_bytes(answer.content)


def _jobs(parts: Parts) -> list[Json]:
    """The engine's jobs, each with what it declared before it stored."""
    answer = parts.ask_engine("/v1/jobs?limit=1000")
    if answer is None:
        raise RuntimeError("the engine's API must answer when the evidence is collected")
    return [{**job, "declared": _declared(parts, job["key"])} for job in answer.json()["jobs"]]


def _declared(parts: Parts, key: str) -> Json | None:
    path = parts.spool.folder / "jobs" / key / "derived.json"
    declared: Json | None = json.loads(path.read_text()) if path.exists() else None
    return declared


def _needed(parts: Parts, path: str) -> Any:
    answer = parts.ask_orthanc(path)
    if answer is None:
        raise RuntimeError(f"Orthanc must answer {path} when the evidence is collected")
    return answer.json()

"""The report of a run, for docs/soak.md and for whoever has to find out what broke."""

import json
from pathlib import Path
from statistics import median
from typing import Any

from soaking.destinations import WAYS
from soaking.evidence import RUN
from soaking.plan import KINDS
from soaking.verdict import Verdict, committed_instances, held_at

Json = dict[str, Any]

INTRODUCTION = """# Soak run

Made by `make soak`. The whole node - Orthanc with the plugin, the engine's API, a worker, and three destinations - is sent good and
bad series while its processes are killed with SIGKILL at random, the destinations go away, the disks fill up, and people of
all roles ask for what they may and for what they may not. At the end every good series must have exactly one complete derived
series at each destination, with the pixels, the place and the patient that it should have, every bad one its reason, and nothing
else may have been stored. `SOAK_OPTIONS='--series 8 --minutes 3 --seed 2'` makes a short run; the same seed makes the same
plan. The code is in `tests/soak`; a broken promise ends it with exit code 1 and leaves the evidence in `build/soak`.
"""


def report(folder: Path, verdict: Verdict) -> str:
    """The report as Markdown."""
    run = json.loads((folder / RUN).read_text())
    parts = [
        INTRODUCTION,
        _summary(run, verdict),
        _classes(run, verdict),
        _deliveries(folder, run),
        _recoveries(run),
        _timeline(run),
    ]
    if verdict.superseded:
        listed = "\n".join(f"- {words}" for words in verdict.superseded)
        parts.append(
            f"## Superseded\n\nComplete results of part of a series, made obsolete by slices that came later:\n\n{listed}\n"
        )
    return "\n".join(parts)


def _summary(run: Json, verdict: Verdict) -> str:
    facts, options = run["facts"], run["options"]
    outcome = "**Every promise was kept.**" if not verdict.broken else "**Promises were broken:**"
    broken = "".join(f"\n- {words}" for words in verdict.broken)
    kinds = {"fast": "slices repeated, so that every pixel is known", "real": "the engine's own `preview`"}
    rows = [
        ("begun", facts["begun"]),
        ("machine", f"{facts['machine']}, load {facts['load']} at the end"),
        ("commit, Orthanc", f"{facts['commit'] or 'unknown'}, {facts['orthanc']}"),
        ("seed", options["seed"]),
        ("processing", kinds[options["processing"]]),
        ("series, faults", f"{len(run['cases'])}, {len(run['faults'])}"),
        ("disks", facts["disks"]),
        ("seconds in all", facts["seconds"]),
        ("seconds from the end of the last fault until all was settled", facts["settled_after_last_fault"]),
        ("transfers that the scanner had to repeat", facts["resent"]),
        (
            "requests of all roles and of another site's page that were answered, all as they must be",
            facts["answered"],
        ),
        ("engine jobs", _jobs(run)),
    ]
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    return f"{outcome}{broken}\n\n| | |\n|---|---|\n{table}\n"


def _jobs(run: Json) -> str:
    states = [job["state"] for job in run["jobs"]]
    return ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))


def _classes(run: Json, verdict: Verdict) -> str:
    lines = []
    for name, kind in KINDS.items():
        count = sum(case["kind"] == name for case in run["cases"])
        if count:
            promised = (
                f"refused: `{kind.reason}`" if kind.reason else "one complete result at each destination"
            )
            lines.append(f"| {kind.story} | {count} | {promised} | {verdict.kept[name]} |")
    head = "| what was sent | series | what must become of it | came out so |\n|---|---|---|---|"
    return f"## Series\n\n{head}\n" + "\n".join(lines) + "\n"


def _deliveries(folder: Path, run: Json) -> str:
    routes = [route for case in run["cases"] for route in (case["state"] or {}).get("routes", [])]
    vouched = committed_instances(folder)
    lines = []
    for kind, way in WAYS.items():
        mine = [route["phase"] for route in routes if route["destination"] == way.name]
        names = [name for names in held_at(folder, kind).values() for name in names]
        committed = sum(name in vouched for name in names) if kind == "keeper" else "not asked"
        figures = (mine.count("delivered"), len(names), len(names) - len(set(names)), committed)
        lines.append(f"| {way.how} | {' | '.join(map(str, figures))} |")
    head = "| way | series delivered | instances there | of them there twice | of them committed |\n|---|---|---|---|---|"
    words = (
        "Delivered means: all of it is there, each SOP Instance UID once, and where storage commitment was asked for, the destination\n"
        "has vouched for each instance. Instances of superseded results are counted too."
    )
    return f"## Deliveries\n\n{words}\n\n{head}\n" + "\n".join(lines) + "\n"


def _recoveries(run: Json) -> str:
    lines = []
    for kind in sorted({fault["kind"] for fault in run["faults"]}):
        faults = [fault for fault in run["faults"] if fault["kind"] == kind]
        known = [fault["recovery"] for fault in faults if fault["recovery"] is not None]
        down = sum((fault["ended"] or fault["began"]) - fault["began"] for fault in faults)
        figures = f"{median(known):.1f} | {max(known):.1f}" if known else "never | never"
        lines.append(f"| {kind} | {len(faults)} | {down:.0f} | {figures} |")
    head = "| fault | times | seconds down | seconds until ready again, median | longest |\n|---|---|---|---|---|"
    return (
        f"## Faults\n\nTimes until ready count from the moment the part is started again.\n\n{head}\n"
        + "\n".join(lines)
        + "\n"
    )


def _timeline(run: Json) -> str:
    lines = [
        f"{fault['began']:8.1f} s  {fault['kind']:<13} for {(fault['ended'] or fault['began']) - fault['began']:5.1f} s"
        f"{'  ' + fault['words'] if fault['words'] else ''}"
        for fault in run["faults"]
    ]
    return "## Timeline of the faults\n\n```\n" + "\n".join(lines) + "\n```\n"

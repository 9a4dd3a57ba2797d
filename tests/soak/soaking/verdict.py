"""Was every promise kept? Decided from the evidence alone."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from soaking.destinations import COMMITTED, WAYS
from soaking.evidence import RUN
from soaking.images import differences_from_source, output_hash, same_images
from soaking.plan import KINDS

Json = dict[str, Any]
LOGS = ("logs/api.log", "logs/worker.log", "orthanc/orthanc.log")
ALARMS = (
    "Traceback (most recent call last)",
    "NullSplat: unexpected",
    "code=internal",
    "nullsplat: internal error",
)
"""What no log may hold: errors that nobody foresaw."""


@dataclass
class Verdict:
    """What was found.

    Attributes:
        broken: promises that were not kept, in words; empty when all is well.
        kept: by sort of series, how many came out as they should.
        superseded: derived series that later slices made obsolete, in words.
        reasons: by sort of bad series, the codes that the plugin gave.
    """

    broken: list[str] = field(default_factory=list)
    kept: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    superseded: list[str] = field(default_factory=list)
    reasons: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


def judge(folder: Path) -> Verdict:
    """The verdict on the run whose evidence lies in `folder`."""
    run = json.loads((folder / RUN).read_text())
    verdict = Verdict()
    outputs = _audited_outputs(folder / "audit.jsonl")
    results: set[str] = set()
    for case in run["cases"]:
        good = not KINDS[case["kind"]].reason
        wrong = _wrong_with_good(folder, run, case, outputs) if good else _wrong_with_bad(case, verdict)
        verdict.broken += [f"{case['name']}: {words}" for words in wrong]
        verdict.kept[case["kind"]] += not wrong
        if good and case["state"] and case["state"]["result"]:
            results.add(case["state"]["result"]["series_uid"])
    _judge_rest(folder, run, results, verdict)
    verdict.broken += [
        f"job {job['key'][:12]} is still {job['state']}"
        for job in run["jobs"]
        if job["state"] in ("queued", "running")
    ]
    verdict.broken += _alarms(folder)
    verdict.broken += run["facts"]["troubles"]
    return verdict


def _wrong_with_good(folder: Path, run: Json, case: Json, outputs: dict[str, str]) -> list[str]:
    state = case["state"]
    if state is None or state["phase"] != "done":
        return [f"must be done, is {_phase(state)}"]
    phases = {
        way: [one["phase"] for one in state["routes"] if one["destination"] == way.name]
        for way in WAYS.values()
    }
    if lacking := [way.place for way, found in phases.items() if set(found) != {"delivered"}]:
        return [f"must be delivered to every destination, is not to {', '.join(lacking)}"]
    uid, key = state["result"]["series_uid"], state["key"]
    declared = next((job["declared"] for job in run["jobs"] if job["key"] == key), None)
    if declared is None or declared["series_instance_uid"] != uid:
        return [f"the engine must have declared the result {uid} for job {key[:12]}, it has not"]
    wanted = list(declared["files"])
    archive = _files(folder / "archive" / uid)
    held = {kind: _files(folder / kind / uid) for kind in WAYS}
    wrong = [
        f"{place} must hold all {len(wanted)} slices of the result and no others, it has {len(held)}, "
        f"{len(set(wanted) - set(held))} are missing"
        for place, held in [("Orthanc", archive), *((WAYS[kind].place, held[kind]) for kind in WAYS)]
        if set(held) != set(wanted)
    ]
    if wrong:
        return wrong
    if missing := set(wanted) - committed_instances(folder):
        wrong.append(
            f"{WAYS['keeper'].place} must have vouched for what it was given, {len(missing)} slices are missing"
        )
    if output_hash(archive) != outputs.get(key):
        wrong.append("Orthanc must hold the very bytes that the audit log has the hash of, it does not")
    for kind, way in WAYS.items():
        wrong += same_images(archive, held[kind], way.place)
    pixels = run["options"]["processing"] == "fast"
    sent = sorted((folder / "sent" / case["name"]).glob("*.dcm"))
    wrong += differences_from_source(sent, [held["pacs"][sop] for sop in wanted], pixels=pixels)
    return wrong


def _wrong_with_bad(case: Json, verdict: Verdict) -> list[str]:
    state, reason = case["state"], KINDS[case["kind"]].reason
    if state is None:
        return [f"must be refused as {reason}, the plugin knows nothing of it"]
    verdict.reasons[case["kind"]].add(state["code"])
    if state["phase"] not in ("ineligible", "failed") or state["retry_at"] is not None:
        return [f"must be refused as {reason}, is {_phase(state)}"]
    if state["code"] != reason or not state["message"]:
        return [f"must be refused as {reason}, was refused as {state['code']}: {state['message']}"]
    return []


def _judge_rest(folder: Path, run: Json, results: set[str], verdict: Verdict) -> None:
    """Every series in Orthanc and at a destination that is neither a source nor a result must be accounted for."""
    sent = {case["series_uid"]: case for case in run["cases"]}
    makers = {job["declared"]["series_instance_uid"]: job for job in run["jobs"] if job["declared"]}
    elsewhere = {kind: held_at(folder, kind) for kind in WAYS}
    for uid, instances in run["archive"].items():
        if uid in sent:
            names = {path.stem for path in (folder / "sent" / sent[uid]["name"]).glob("*.dcm")}
            if len(names) != len(instances):
                verdict.broken.append(
                    f"{sent[uid]['name']}: Orthanc must hold {len(names)} of its slices, it has {len(instances)}"
                )
        elif uid not in results:
            there = {kind: held.get(uid, []) for kind, held in elsewhere.items()}
            _account(uid, set(instances), there, makers.get(uid), sent, verdict)
    for kind, held in elsewhere.items():
        place = WAYS[kind].place
        for uid in held.keys() - results - run["archive"].keys():
            verdict.broken.append(f"{place} holds series {uid}, which nobody knows")
        verdict.broken += [
            f"{place} holds the source of {sent[uid]['name']}" for uid in held.keys() & sent.keys()
        ]
        times = Counter(name for names in held.values() for name in names)
        verdict.broken += [
            f"{place} holds instance {name} in {n} series" for name, n in times.items() if n > 1
        ]


def _account(
    uid: str,
    held: set[str],
    there: dict[str, list[str]],
    job: Json | None,
    sent: dict[str, Json],
    verdict: Verdict,
) -> None:
    case = sent.get(job["request"]["series_instance_uid"]) if job else None
    if job is None or case is None:
        verdict.broken.append(f"Orthanc holds series {uid}, which no job declared")
        return
    name = f"{case['name']}: attempt {job['request']['attempt']}, {uid}"
    request = (case["state"] or {}).get("request") or {}
    wanted = set(job["declared"]["files"])
    if job["request"]["fingerprint"] == request.get("fingerprint"):
        verdict.broken.append(f"{name} is a second result of the same slices")
    elif held != wanted:
        verdict.broken.append(f"{name} is obsolete and partial: {len(held)} of {len(wanted)} slices")
    else:
        places = ", ".join(f"{len(there[kind])} at {way.place}" for kind, way in WAYS.items())
        verdict.superseded.append(f"{name}: {len(held)} slices, of them {places}")


def held_at(folder: Path, kind: str) -> dict[str, list[str]]:
    """The SOP Instance UIDs that a destination holds, by series."""
    return {path.name: sorted(_files(path)) for path in (folder / kind).glob("*")}


def committed_instances(folder: Path) -> set[str]:
    """The SOP Instance UIDs that the committing archive has vouched for."""
    path = folder / COMMITTED
    lines = path.read_text().splitlines() if path.exists() else []
    return {uid for line in lines for uid in json.loads(line)}


def _audited_outputs(path: Path) -> dict[str, str]:
    """Job key to the hash of what was stored, from whole lines; a full disk may tear one."""
    outputs = {}
    for line in path.read_text(errors="replace").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if entry.get("output"):
            outputs[entry["job"]] = entry["output"]
    return outputs


def _alarms(folder: Path) -> list[str]:
    found = []
    for name in LOGS:
        text = (folder / name).read_text(errors="replace")
        found += [f"{name} holds {text.count(alarm)} x {alarm!r}" for alarm in ALARMS if alarm in text]
    return found


def _files(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in folder.glob("*.dcm")}


def _phase(state: Json | None) -> str:
    if state is None:
        return "not known to the plugin"
    return f"{state['phase']} ({state['code']}: {state['message']})" if state["code"] else state["phase"]

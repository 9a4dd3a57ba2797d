"""One soak run, from the first file to the evidence."""

import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nullsplat.node.installation import orthanc_version
from nullsplat.node.scanner import Peer
from soaking.evidence import collect, state_of
from soaking.faults import Faults
from soaking.parts import RECONCILE_SECONDS, STABLE_AGE, Parts
from soaking.people import People
from soaking.plan import KINDS, Case, Options, Plan, plan
from soaking.scanner import Scanner
from soaking.scans import FACTOR, Scan, make

Json = dict[str, Any]
Say = Callable[[str], None]
MARKER = ".nullsplat-soak"
TICK = 0.1
QUIET = 2 * (STABLE_AGE + RECONCILE_SECONDS)
"""Seconds for which nothing may change before the run counts as settled: two rounds of the plugin."""


def soak(options: Options, say: Say) -> Path:
    """Do a run and return the folder with its evidence; does not judge.

    Raises:
        RuntimeError: the node did not even start, or did not answer at the end.
    """
    _prepare(options.folder)
    todo = plan(options)
    scans = [make(case, options.folder / "sent" / case.name) for case in todo.cases]
    say(f"{len(scans)} series, {len(todo.faults)} faults within {options.window:.0f} s, seed {options.seed}")
    begun, started = datetime.now(UTC), time.monotonic()
    with Parts(options) as parts:
        parts.wait_until_ready(60 * options.minutes)
        say(f"the node is ready after {time.monotonic() - started:.1f} s: {parts.orthanc.url}")
        facts = _live(options, parts, todo, scans, say)
        facts |= {"begun": begun.isoformat(timespec="seconds"), "disks": _disks(parts), **_machine()}
        noted = facts.pop("noted")
        return collect(parts, options, scans, noted, facts)


def _live(options: Options, parts: Parts, todo: Plan, scans: list[Scan], say: Say) -> Json:
    """Send and break until all is settled, or the time is over."""
    possible = [fault for fault in todo.faults if fault.kind != "archive-full" or parts.archive.mounted]
    faults = Faults(parts, possible, say)
    scanner = Scanner(scans, Peer("127.0.0.1", parts.orthanc.dicom_port, parts.orthanc.ae_title))
    deadline = time.monotonic() + 60 * options.minutes
    people = People(parts.ask_as)
    faults.start()
    scanner.start()
    people.start()
    try:
        settled = _until_settled(parts, faults, scanner, scans, deadline, say)
    finally:
        scanner.stop()
        people.stop()
    last_fault = max((one.ended or one.began for one in faults.noted), default=0.0)
    troubles = [] if settled else [f"not everything was settled within {options.minutes:g} minutes"]
    troubles += [f"the scanner: {scanner.trouble}"] if scanner.trouble else []
    troubles += [f"{scanner.left} transfers were never confirmed"] if scanner.left else []
    troubles += sorted(people.troubles)
    return {
        "noted": faults.noted,
        "seconds": round(faults.now, 1),
        "settled_after_last_fault": round(max(0.0, faults.now - QUIET - last_fault), 1),
        "resent": scanner.resent,
        "answered": people.answered,
        "troubles": troubles,
    }


def _until_settled(
    parts: Parts, faults: Faults, scanner: Scanner, scans: list[Scan], deadline: float, say: Say
) -> bool:
    quiet_since: float | None = None
    while time.monotonic() < deadline:
        faults.tick()
        time.sleep(TICK)
        if not faults.over or (scanner.left and not scanner.trouble):
            continue
        open_ones = [scan.case.name for scan in scans if not _settled(parts, scan)]
        if open_ones or _busy(parts):
            quiet_since = None
            time.sleep(1.0)
        elif quiet_since is None:
            quiet_since = time.monotonic()
            say(f"settled after {faults.now:.0f} s; watching for {QUIET:.0f} s whether it stays so")
        elif time.monotonic() - quiet_since > QUIET:
            return True
    return False


def _settled(parts: Parts, scan: Scan) -> bool:
    """Whether nothing more is to be expected for a series, good or bad."""
    state = state_of(parts, scan.series_uid)
    if state is None:
        return False
    if KINDS[scan.case.kind].reason:
        return state["phase"] in ("ineligible", "failed") and state["retry_at"] is None
    slices = len(set(scan.first) | set(scan.second))
    if state["phase"] == "done":
        return bool(state["result"]["instances"] == FACTOR * slices)
    return state["phase"] in ("failed", "cancelled") and state["retry_at"] is None


def _busy(parts: Parts) -> bool:
    jobs = [parts.ask_engine(f"/v1/jobs?state={state}") for state in ("queued", "running")]
    return any(answer is None or answer.json()["jobs"] for answer in jobs)


def _prepare(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()) and not (folder / MARKER).exists():
        raise RuntimeError(f"{folder} holds other files; choose an empty folder with --folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARKER).write_text("Made by a soak run, which replaces everything in here.\n")


def _disks(parts: Parts) -> str:
    if parts.spool.mounted and parts.archive.mounted:
        return "spool and archive on a tmpfs each, filled to the last byte"
    return "no disk could be mounted: the spool's reserve stands for a full spool, the archive was not filled"


def _machine() -> Json:
    return {
        "machine": f"{_processor()}, {os.cpu_count()} cores",
        "load": f"{os.getloadavg()[0]:.1f}",
        "orthanc": orthanc_version(),
        "commit": _commit(),
    }


def _processor() -> str:
    # Not by the engine's own benchmark, which loads PyTorch for it.
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def _commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def case_counts(cases: list[Case]) -> dict[str, int]:
    """How many cases there are of each sort."""
    return {name: sum(case.kind == name for case in cases) for name in KINDS}

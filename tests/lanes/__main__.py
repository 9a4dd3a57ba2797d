"""All tests, in lanes side by side, a few at a time: `python -m tests.lanes [--lint] [pytest's options]`.

Each lane's log, costs and junit file lie in build/test. The exit code is 1 when any lane failed, or the budget of
tests/lanes/budget.py was overdrawn.
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.lanes.budget import Load, judge
from tests.lanes.caches import use_caches
from tests.lanes.running import ROOT, Order, Outcome, Running, never_started, order_of_tests, start
from tests.lanes.table import LANES
from tests.lanes.telling import failures, last_log_line, skipped

FOLDER = ROOT / "build" / "test"
LONGEST = 3600.0
"""Seconds after which lanes that still run are ended."""
AT_ONCE = (os.cpu_count() or 2) + 2
"""Lanes that run side by side: most of them wait. With more, deadlines in tests no longer hold."""
TICK = 0.2
NOTHING_FITS = 5
"""pytest's exit code when no test was selected: no failure where options select."""


def main(arguments: Sequence[str]) -> int:
    """Run all lanes; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.lanes", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--lint", action="store_true", help="style, types, import rules and documentation beside the tests"
    )
    given, options = parser.parse_known_args(arguments)
    use_caches()
    folder = _empty(FOLDER)
    orders = [order_of_tests(name, folder, options) for name in LANES]
    if given.lint:
        orders += [Order(target, ("make", "--no-print-directory", target), 10) for target in ("lint", "docs")]
    load = Load()
    lanes = _run(orders, folder)
    bad = [lane for lane in lanes if lane.code and not (lane.code == NOTHING_FITS and options)]
    _tell(lanes, bad)
    overdrawn = [] if bad or options else list(judge(folder, load.measured()))
    for words in overdrawn:
        print(f"budget: {words}")
    return int(bool(bad or overdrawn))


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _run(orders: Sequence[Order], folder: Path) -> list[Outcome]:
    """See all to their ends, `AT_ONCE` at a time; an interrupt, or the end of all patience, ends those that run."""
    print(
        f"{len(orders)} lanes: {', '.join(order.name for order in orders)}; logs in {folder.relative_to(ROOT)}",
        flush=True,
    )
    waiting, running, ended = list(orders), list[Running](), list[Running]()
    deadline = time.monotonic() + LONGEST
    try:
        while (waiting or running) and time.monotonic() < deadline:
            while waiting and len(running) < AT_ONCE:
                running.append(start(waiting.pop(0), folder))
            time.sleep(TICK)
            for lane in [lane for lane in running if lane.poll()]:
                running.remove(lane)
                ended.append(lane)
                print(
                    f"{lane.name:8} {lane.seconds:5.0f} s, {lane.cpu:5.0f} s of processor: {last_log_line(lane.log)}",
                    flush=True,
                )
    finally:
        for lane in running:
            lane.stop()
    return [*ended, *running, *(never_started(order, folder) for order in waiting)]


def _tell(lanes: Sequence[Outcome], bad: Sequence[Outcome]) -> None:
    for line in (line for lane in lanes for line in skipped(lane.log)):
        print(line)
    for lane in bad:
        print(f"\n===== {lane.name}: exit code {lane.code} =====\n{failures(lane.log)}")
    print(f"failed: {', '.join(lane.name for lane in bad)}" if bad else "every lane passed")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Command line: `python -m soaking --series 60 --seed 1`; exit code 1 when a promise was broken."""

import argparse
import sys
import time
from pathlib import Path

from soaking.plan import Options
from soaking.report import report
from soaking.run import soak
from soaking.verdict import judge

LONGEST_MINUTES = 30.0


def main(arguments: list[str]) -> int:
    """Do a run, or judge the evidence of an earlier one; returns the exit code."""
    given = _parser().parse_args(arguments)
    folder: Path = given.judge or given.folder
    if given.judge is None:
        options = Options(given.series, given.minutes, given.seed, given.processing, folder)
        soak(options, _say)
    verdict = judge(folder)
    text = report(folder, verdict)
    (folder / "report.md").write_text(text)
    if given.page:
        given.page.write_text(text)
    for words in verdict.broken:
        _say(f"BROKEN {words}")
    _say(f"evidence: {folder}" if verdict.broken else "every promise was kept")
    return 1 if verdict.broken else 0


def _parser() -> argparse.ArgumentParser:
    default = Options()
    parser = argparse.ArgumentParser(prog="soaking", description=__doc__)
    parser.add_argument("--series", type=int, default=default.series)
    parser.add_argument("--minutes", type=_minutes, default=default.minutes, help="longest run; 30 at most")
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--processing", choices=("fast", "real"), default=default.processing)
    parser.add_argument("--folder", type=Path, default=default.folder)
    parser.add_argument("--page", type=Path, help="where to write the report beside the folder")
    parser.add_argument("--judge", type=Path, metavar="FOLDER", help="judge the evidence of an earlier run")
    return parser


def _minutes(text: str) -> float:
    minutes = float(text)
    if not 0 < minutes <= LONGEST_MINUTES:
        raise argparse.ArgumentTypeError(f"must be above 0 and at most {LONGEST_MINUTES:g}, got {text}")
    return minutes


_BEGUN = time.monotonic()


def _say(words: str) -> None:
    print(f"soak {time.monotonic() - _BEGUN:7.1f} s  {words}", flush=True)  # noqa: T201 - a program for terminals


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

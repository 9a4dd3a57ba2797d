"""What a person reads of the lanes: a line when one ends, and in full what failed."""

import re
from pathlib import Path

FAILURES = re.compile(r"^=+ (FAILURES|ERRORS) =+$", re.MULTILINE)
TAIL = 200
"""Lines of a log without a report of failures, as of a process that was killed."""


def last_log_line(log: Path) -> str:
    """The last line that says something: pytest's own summary."""
    lines = [line.strip("= ") for line in _lines(log) if line.strip("= ")]
    return lines[-1] if lines else "said nothing"


def failures(log: Path) -> str:
    """Everything from pytest's report of failures on, or the end of a log that has none."""
    text = "\n".join(_lines(log))
    found = FAILURES.search(text)
    return text[found.start() :] if found else "\n".join(text.splitlines()[-TAIL:])


def skipped(log: Path) -> list[str]:
    """What was not tested, and why."""
    return [line for line in _lines(log) if line.startswith("SKIPPED")]


def _lines(log: Path) -> list[str]:
    return log.read_text(errors="replace").splitlines()

"""The process's log, as text or as JSON lines. It names jobs by their keys and never contains image attributes."""

import contextlib
import json
import logging
import re
import sys
import warnings
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO

from nullsplat.service.tracebacks import traceback_text

OWN = ("nullsplat", "warnings")
"""Loggers that follow the level that was set; libraries log from WARNING on."""
SILENT = ("dicomweb_client", "pydicom", "highdicom", "pynetdicom")
"""Libraries whose messages quote attributes and UIDs. What matters reaches us as their exceptions."""
FIELDS = ("job", "stage", "state", "seconds", "code", "traceback")
"""Fields that a line may have beside its event, given as `extra` or by `working_on`."""

_UID = re.compile(r"(?<![\d.])[0-2](?:\.\d+){2,}")
_SHORTEST_UID = 16
"""Characters from which a dotted number counts as a UID; an IPv4 address has 15 at most."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")

_job: ContextVar[str | None] = ContextVar("job", default=None)
_stage: ContextVar[str | None] = ContextVar("stage", default=None)


@contextlib.contextmanager
def working_on(job: str, stage: str | None = None) -> Iterator[None]:
    """Let every line that is logged meanwhile, in this thread or task, name the job and its stage."""
    before = _job.set(job), _stage.set(stage)
    try:
        yield
    finally:
        _job.reset(before[0])
        _stage.reset(before[1])


class JsonFormatter(logging.Formatter):
    """One JSON object per record: time, level, logger, event, and those of `FIELDS` that there are."""

    def format(self, record: logging.LogRecord) -> str:
        """Render a record."""
        return without_uids(json.dumps(_entry(record), ensure_ascii=False))


class TextFormatter(logging.Formatter):
    """One line per record for people; only a traceback takes more."""

    def format(self, record: logging.LogRecord) -> str:
        """Render a record."""
        entry = _entry(record)
        trace = entry.pop("traceback", None)
        head = f"{entry.pop('time')} {entry.pop('level')} {entry.pop('logger')}: {entry.pop('event')}"
        line = " ".join([head, *(f"{name}={value}" for name, value in entry.items())])
        # A line break within a message would make it look like two.
        line = _CONTROL.sub(lambda found: repr(found[0])[1:-1], line)
        return without_uids(line if trace is None else f"{line}\n{trace}")


FORMATTERS: dict[str, type[logging.Formatter]] = {"text": TextFormatter, "json": JsonFormatter}


def configure_logging(level: str, form: str = "text", stream: TextIO | None = None) -> None:
    """Send the process's log to standard error, warnings included.

    Args:
        level: from which NullSplat's own messages are shown.
        form: one of `FORMATTERS`.
        stream: instead of standard error.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(FORMATTERS[form]())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in OWN:
        logging.getLogger(name).setLevel(level)
    for name in SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    # DBOS adds its own console handler unless it finds one.
    logging.getLogger("dbos").addHandler(logging.NullHandler())
    warnings.showwarning = _log_warning


def _entry(record: logging.LogRecord) -> dict[str, object]:
    entry: dict[str, object] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname,
        "logger": record.name,
        "event": record.getMessage(),
    }
    known = {"job": _job.get(), "stage": _stage.get()}
    if record.exc_info and record.exc_info[1] is not None:
        known["traceback"] = traceback_text(record.exc_info[1])
    known |= {name: value for name in FIELDS if (value := getattr(record, name, None)) is not None}
    return entry | {name: value for name, value in known.items() if value is not None}


def without_uids(text: str) -> str:
    """The last line of defence: UIDs identify a patient for anyone with access to the archive."""
    return _UID.sub(lambda found: "[uid]" if len(found[0]) >= _SHORTEST_UID else found[0], text)


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: str | None = None,
) -> None:
    # DICOM libraries quote the offending value in their warnings, so only the place is logged.
    logging.getLogger("warnings").info("%s at %s:%d", category.__name__, filename, lineno)

"""Log lines as JSON, one object a line. They name jobs by their keys and never carry what was in an image."""

import json
import logging
import sys
import warnings
from datetime import UTC, datetime
from typing import TextIO

FIELDS = ("job", "stage", "state", "seconds", "code", "traceback")
QUIET = ("dbos", "dicomweb_client", "urllib3", "pydicom", "uvicorn", "diffusers", "numba")
"""Libraries whose ordinary messages are noise, or name patients' studies."""


class JsonFormatter(logging.Formatter):
    """One JSON object per record, with the fields of `FIELDS` where they were given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """Render a record."""
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry |= {name: value for name in FIELDS if (value := getattr(record, name, None)) is not None}
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def configure_logging(level: str, stream: TextIO | None = None) -> None:
    """Send the process's log to standard error, warnings included."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.ERROR if name == "pydicom" else logging.WARNING)
    # DBOS adds a console handler of its own unless it finds one.
    logging.getLogger("dbos").addHandler(logging.NullHandler())
    warnings.showwarning = _log_warning


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: str | None = None,
) -> None:
    # DICOM libraries quote the offending value in their warnings, so only the place is told.
    logging.getLogger("warnings").info("%s at %s:%d", category.__name__, filename, lineno)

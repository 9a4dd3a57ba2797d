"""Files of an evaluation, written whole or not at all, so that it can be taken up after any interruption."""

import json
import math
from pathlib import Path
from typing import Any

from nullsplat.core.errors import UnreadableFile
from nullsplat.core.files import write_text
from nullsplat.evaluation.comparison.case import DONE, Record

CASES = "cases"


def finished(folder: Path, key: str) -> Record | None:
    """The record of a case that was done before; None if it was not, if it failed, or if the file is damaged."""
    path = folder / CASES / f"{key}.json"
    try:
        record: Record = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and record.get("status") == DONE else None


def keep(folder: Path, key: str, record: Record) -> None:
    """Write the record of a case.

    Raises:
        StorageError: the folder cannot be written.
    """
    write_json(folder / CASES / f"{key}.json", record)


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        UnreadableFile: missing or damaged.
    """
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UnreadableFile(f"{path} must be a JSON file of an evaluation, it is not: {error}") from error


def write_json(path: Path, content: Any) -> None:
    """Write JSON; numbers that are not finite, which JSON does not have, become null.

    Raises:
        StorageError: the file cannot be written.
    """
    write_text(path, json.dumps(_finite(content), indent=2, allow_nan=False) + "\n")


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content

"""What a job's key, state and priority are called in a workitem."""

import re

STATES = {
    "queued": "SCHEDULED",
    "running": "IN PROGRESS",
    "succeeded": "COMPLETED",
    "failed": "CANCELED",
    "cancelled": "CANCELED",
}
"""Procedure Step State (0074,1000): a step that was not brought to its end is CANCELED, whoever ended it."""
PRIORITIES = {"stat": "HIGH", "normal": "MEDIUM", "night": "LOW"}
"""Scheduled Procedure Step Priority (0074,1200)."""
PRIORITY_OF = {shown: name for name, shown in PRIORITIES.items()}

_KEY_BITS = 128
_UID = re.compile(r"2\.25\.(0|[1-9][0-9]{0,38})")


def uid_of(key: str) -> str:
    """The UID of a job's workitem, where its client chose none: the key as one number below 2.25 (PS3.5 B.2)."""
    return f"2.25.{int(key, 16)}"


def key_of(uid: str) -> str | None:
    """The key from which a workitem's UID follows; None if it follows from none."""
    found = _UID.fullmatch(uid)
    number = int(found[1]) if found else 1 << _KEY_BITS
    return None if number >> _KEY_BITS else f"{number:032x}"

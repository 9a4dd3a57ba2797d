"""Dates and times with as few digits as one likes, and ranges of them (PS3.4 C.2.2.2.5)."""

import re
from datetime import UTC, datetime, timedelta

from nullsplat.core.errors import InputError

_OFFSET = r"[+-](?:0\d|1[0-4])[0-5]\d"
_MOMENT = rf"\d{{4}}(?:\d\d){{0,5}}(?:\.\d{{1,6}})?(?:{_OFFSET})?"
_RANGE = re.compile(rf"({_MOMENT})?(-)?({_MOMENT})?")
_PARTS = re.compile(rf"(\d+)(\.\d+)?({_OFFSET})?")
_LEAST = "00000101000000"
_SPANS = {8: timedelta(days=1), 10: timedelta(hours=1), 12: timedelta(minutes=1), 14: timedelta(seconds=1)}
"""By the number of digits, down to seconds."""
_MONTH = 6
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def span(wanted: str) -> tuple[datetime, datetime]:
    """The time that a value or a range of VR DT means, its end excluded; without an offset it is UTC.

    Raises:
        InputError: it is neither.
    """
    found = _RANGE.fullmatch(wanted)
    try:
        if found is None or not (found[1] or found[3]) or (found[1] and found[3] and not found[2]):
            raise ValueError(wanted)
        first, dash, last = found.groups()
        begin = _span(first)[0] if first else _FIRST
        if not dash:
            return begin, _span(first)[1]
        return begin, _span(last)[1] if last else _LAST
    except (ValueError, OverflowError):
        raise InputError(
            "a date and time must be such as 20261130, 20261130120000 or 20261130-20261201"
        ) from None


def moment(value: str) -> datetime:
    """When the time begins that a value of VR DT means."""
    return _span(value)[0]


def _span(value: str) -> tuple[datetime, datetime]:
    parts = _PARTS.fullmatch(value)
    if parts is None:
        raise ValueError(value)
    digits, fraction, offset = parts.groups()
    whole = datetime.strptime(digits + _LEAST[len(digits) :] + (offset or "+0000"), "%Y%m%d%H%M%S%z")
    if fraction:
        begin = whole + timedelta(seconds=float(fraction))
        return begin, begin + timedelta(seconds=10.0 ** (1 - len(fraction)))
    return whole, _end(whole, len(digits))


def _end(begin: datetime, digits: int) -> datetime:
    if digits in _SPANS:
        return begin + _SPANS[digits]
    months = 1 if digits == _MONTH else 12
    return (begin + timedelta(days=31 * months)).replace(day=1)

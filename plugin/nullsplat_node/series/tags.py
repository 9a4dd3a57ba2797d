# SPDX-License-Identifier: AGPL-3.0-or-later
"""Values out of Orthanc's simplified tags, where everything is text and anything may be malformed.

Orthanc shows every attribute in the series' character set, also those that the standard keeps out of it. In JIS X 0201
(ISO_IR 13, ISO 2022 IR 13) the byte that separates values is a yen sign, and in KS X 1003 a won sign: what is shown
then has either in place of the backslash. Neither may stand in a code string, a number or a UID.
Source: PS3.5 6.1.2.3 (Encoding of Character Repertoires) and 6.2 (Value Representation).
"""

from __future__ import annotations

import math
import re
from typing import Any, Mapping, Optional, Tuple

Tags = Mapping[str, Any]
"""One instance's simplified tags: keyword to text, None or a list of items."""


SEPARATOR = re.compile(r"[\\\u00a5\u20a9]")
"""Separators of values, as Orthanc shows them."""


class BadTag(ValueError):
    """An attribute is present but malformed."""

    def __init__(self, keyword: str, needed: str, value: object) -> None:
        super().__init__(f"{keyword} must be {needed}, got {str(value)[:40]!r}")


def text(tags: Tags, keyword: str) -> str:
    """Return the attribute as stripped text, empty when it is absent."""
    value = tags.get(keyword)
    return value.strip() if isinstance(value, str) else ""


def named(tags: Tags) -> str:
    """Return the slice's name for messages: its Instance Number, or the number of the frame."""
    frame, index = text(tags, "FrameNumber"), text(tags, "InstanceNumber")
    return (
        f"frame {frame}"
        if frame
        else f"instance {index[:12]}"
        if index
        else "a slice without Instance Number"
    )


def joined(tags: Tags, keyword: str) -> str:
    """Return all values of an attribute that people do not type, joined by backslashes; empty when it is absent."""
    return "\\".join(part.strip() for part in SEPARATOR.split(text(tags, keyword)))


def values(tags: Tags, keyword: str) -> Tuple[str, ...]:
    """Return the values of a multi-valued attribute, upper case; none when it is absent."""
    shown = joined(tags, keyword).upper()
    return tuple(shown.split("\\")) if shown else ()


def numbers(tags: Tags, keyword: str, count: int) -> Optional[Tuple[float, ...]]:
    """Return `count` finite numbers, or None when the attribute is absent or empty.

    Raises:
        BadTag: it is present, but not that many finite numbers.
    """
    raw = tags.get(keyword)
    if raw is None or raw == "":
        return None
    parts = SEPARATOR.split(raw) if isinstance(raw, str) else ()
    try:
        found = tuple(float(part) for part in parts)
    except ValueError:
        found = ()
    if len(found) != count or not all(math.isfinite(value) for value in found):
        raise BadTag(keyword, f"{count} finite number{'s' if count > 1 else ''}", raw)
    return found


def number(tags: Tags, keyword: str) -> Optional[float]:
    """Return one finite number, or None when the attribute is absent or empty.

    Raises:
        BadTag: it is present, but not one finite number.
    """
    found = numbers(tags, keyword, 1)
    return None if found is None else found[0]


def items(tags: Tags, keyword: str) -> Tuple[Tags, ...]:
    """Return the items of a sequence; none when it is absent or not a sequence."""
    raw = tags.get(keyword)
    return tuple(item for item in raw if isinstance(item, dict)) if isinstance(raw, list) else ()

# SPDX-License-Identifier: AGPL-3.0-or-later
"""Values out of Orthanc's simplified tags, where everything is text and anything may be garbage."""

from __future__ import annotations

import math
from typing import Any, Mapping, Optional, Tuple

Tags = Mapping[str, Any]
"""One instance's simplified tags: keyword to text, None or a list of items."""


class BadTag(ValueError):
    """An attribute is there but cannot be understood."""

    def __init__(self, keyword: str, needed: str, value: object) -> None:
        super().__init__(f"{keyword} must be {needed}, got {str(value)[:40]!r}")


def text(tags: Tags, keyword: str) -> str:
    """Return the attribute as stripped text, empty when it is absent."""
    value = tags.get(keyword)
    return value.strip() if isinstance(value, str) else ""


def named(tags: Tags) -> str:
    """Return what people find the slice by: its Instance Number, or the number of the frame."""
    frame, index = text(tags, "FrameNumber"), text(tags, "InstanceNumber")
    return (
        f"frame {frame}"
        if frame
        else f"instance {index[:12]}"
        if index
        else "a slice without Instance Number"
    )


def values(tags: Tags, keyword: str) -> Tuple[str, ...]:
    """Return the values of a multi-valued attribute, upper case; none when it is absent."""
    raw = text(tags, keyword)
    return tuple(part.strip().upper() for part in raw.split("\\")) if raw else ()


def numbers(tags: Tags, keyword: str, count: int) -> Optional[Tuple[float, ...]]:
    """Return `count` finite numbers, or None when the attribute is absent or empty.

    Raises:
        BadTag: it is there, but not that many finite numbers.
    """
    raw = tags.get(keyword)
    if raw is None or raw == "":
        return None
    parts = raw.split("\\") if isinstance(raw, str) else ()
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
        BadTag: it is there, but not one finite number.
    """
    found = numbers(tags, keyword, 1)
    return None if found is None else found[0]


def items(tags: Tags, keyword: str) -> Tuple[Tags, ...]:
    """Return the items of a sequence; none when it is absent or not a sequence."""
    raw = tags.get(keyword)
    return tuple(item for item in raw if isinstance(item, dict)) if isinstance(raw, list) else ()

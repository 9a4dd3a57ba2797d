# SPDX-License-Identifier: AGPL-3.0-or-later
"""Parses untrusted JSON with a limit on its depth.

Python's parser recurses for each level. Orthanc answers requests on threads with a stack of 100 KB, on which some
hundred levels end the whole process, long before Python would raise RecursionError.
"""

from __future__ import annotations

import json
import re
from typing import Any, Union

DEEPEST = 64
"""Levels. DICOM in JSON has two for each sequence, and no sequence of the standard lies ten deep."""
_MARKS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


class TooDeep(ValueError):
    """The JSON is nested too deeply."""


def loads(raw: Union[bytes, str]) -> Any:
    """Return the parsed JSON.

    Raises:
        TooDeep: more than `DEEPEST` levels.
        ValueError: it is not JSON.
    """
    text = raw.encode("utf-8") if isinstance(raw, str) else raw
    if text.count(b"[") + text.count(b"{") > DEEPEST:  # else it cannot be deeper
        _check_depth(text)
    return json.loads(raw)


def _check_depth(text: bytes) -> None:
    depth = 0
    for mark in _MARKS.finditer(text):
        first = mark.group()[:1]
        if first in b"[{":
            depth += 1
        elif first in b"]}":
            depth -= 1
        if depth > DEEPEST:
            raise TooDeep(f"JSON may be nested {DEEPEST} levels deep, this is deeper")

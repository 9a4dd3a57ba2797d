# SPDX-License-Identifier: AGPL-3.0-or-later
"""Checks values read from JSON against the annotations of a data class; numbers are counts or valid times."""

from __future__ import annotations

import collections.abc
from dataclasses import is_dataclass
from typing import Any, Callable, Dict, List, Sequence, Union, get_args, get_origin, get_type_hints

LATEST = 253402300799
"""The last second of the year 9999, since the epoch: what `datetime` can still show."""
Judge = Callable[[Any], bool]


def misfits_of(kind: type) -> Callable[[Any], List[str]]:
    """Return what finds the fields of such a record that hold something else than their annotation says."""
    judges: Dict[str, Judge] = {name: _judge(hint) for name, hint in get_type_hints(kind).items()}
    return lambda record: [name for name, fits in judges.items() if not fits(getattr(record, name))]


def _judge(hint: Any) -> Judge:
    if hint is Any:
        return lambda value: True
    if get_origin(hint) is not None:
        return _judge_of_parts(hint, [_judge(one) for one in get_args(hint) if one is not Ellipsis])
    if hint in (int, float):
        return lambda value: type(value) in (int, hint) and 0 <= value <= LATEST
    if is_dataclass(hint):
        misfits = misfits_of(hint)
        return lambda value: isinstance(value, hint) and not misfits(value)
    return lambda value: isinstance(value, hint)


def _judge_of_parts(hint: Any, parts: Sequence[Judge]) -> Judge:
    origin = get_origin(hint)
    if origin is Union:
        return lambda value: any(fits(value) for fits in parts)
    if origin is collections.abc.Mapping:
        key, content = parts
        return lambda value: isinstance(value, dict) and all(key(k) and content(v) for k, v in value.items())
    if Ellipsis in get_args(hint):
        return lambda value: isinstance(value, tuple) and all(map(parts[0], value))
    return lambda value: (
        isinstance(value, tuple)
        and len(value) == len(parts)
        and all(fits(one) for fits, one in zip(parts, value))
    )

# SPDX-License-Identifier: AGPL-3.0-or-later
"""Validation of configuration values: each check returns the value, or raises with what it must be."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any, Callable, Dict, FrozenSet, Iterable, Mapping, Optional, Tuple
from urllib.parse import urlsplit

Factors = Tuple[float, float, float]


class SettingsError(ValueError):
    """A setting is missing, misspelt or out of range."""


Check = Callable[[str, Any], Any]
"""Takes the setting's name and its value; returns the value as it is used, or raises SettingsError."""

PRESETS = ("preview", "standard", "sharp", "paper")
PRIORITIES = ("stat", "normal", "night")
_FACTOR = r"0\.[2-9][0-9]{0,8}|[1-4](?:\.[0-9]{1,9})?|5(?:\.0{1,9})?"
_NUMBER = r"[0-9]{1,4}(?:\.[0-9]{1,9})?"
_WEIGHTS = rf"-?{_NUMBER}(?:,-?{_NUMBER},-?{_NUMBER}){{1,50}}"
_SLICE_PROFILE = re.compile(
    rf"auto|(?:bell|box|gaussian)(?:\*(?:{_FACTOR}))?|(?=[0.]*[1-9]){_NUMBER}mm:(?P<weights>{_WEIGHTS})"
)


def real(low: float, high: float) -> Check:
    """Return the check for a number from `low` to `high`."""

    def check(name: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise SettingsError(f"{name} must be a number from {low:g} to {high:g}, got {value!r}")
        return float(value)

    return check


def whole(low: int, high: int) -> Check:
    """Return the check for a whole number from `low` to `high`."""

    def check(name: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise SettingsError(f"{name} must be a whole number from {low} to {high}, got {value!r}")
        return value

    return check


def choice(allowed: Tuple[str, ...]) -> Check:
    """Return the check for one of a few words."""

    def check(name: str, value: Any) -> str:
        if value not in allowed:
            hint = nearest(value, allowed)
            raise SettingsError(f"{name} must be one of {', '.join(allowed)}, got {value!r}{hint}")
        return str(value)

    return check


def slice_profile(name: str, value: Any) -> str:
    """Check for the words of a slice profile; the same as the engine's physics.profile, which tests compare."""
    found = _SLICE_PROFILE.fullmatch(value) if isinstance(value, str) else None
    if found is None or (found["weights"] and sum(map(float, found["weights"].split(","))) <= 0):
        raise SettingsError(
            f"{name} must be auto, bell, box or gaussian, with a factor from 0.2 to 5 such as bell*1.2, or a measured "
            "curve such as 1mm:0.1,0.2,0.4,0.2,0.1 (an odd number of weights, 101 at most, with a positive sum), "
            f"got {value!r}"
        )
    return str(value)


def truth(name: str, value: Any) -> bool:
    """Check for true or false."""
    if not isinstance(value, bool):
        raise SettingsError(f"{name} must be true or false, got {value!r}")
    return value


def string(name: str, value: Any) -> str:
    """Check for text."""
    if not isinstance(value, str):
        raise SettingsError(f"{name} must be text, got {value!r}")
    return value


def file_name(name: str, value: Any) -> str:
    """Check for the name of a file, empty for none."""
    if not string(name, value).isprintable():
        raise SettingsError(f"{name} must be the name of a file, got unprintable characters")
    return str(value)


def shown(file: str) -> str:
    """Return the name of a secret's file for messages; anything but an absolute path may be the secret itself, put in the wrong place."""
    return file if Path(file).is_absolute() else "the value given"


def names(name: str, value: Any) -> Tuple[str, ...]:
    """Check for a list of texts that are not empty."""
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise SettingsError(f"{name} must be a list of names, got {value!r}")
    return tuple(value)


def destinations(name: str, value: Any) -> Tuple[str, ...]:
    """Check for names as Orthanc allows them in DicomModalities."""
    listed = names(name, value)
    for one in listed:
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", one):
            raise SettingsError(f"{name} must hold names of letters, digits, '_', '.' and '-', got {one!r}")
    return tuple(dict.fromkeys(listed))


def pattern(name: str, value: Any) -> str:
    """Check for a regular expression."""
    try:
        re.compile(string(name, value))
    except re.error as error:
        raise SettingsError(f"{name} must be a regular expression, got {value!r} ({error})") from error
    return str(value)


def url(name: str, value: Any) -> str:
    """Check for an address without credentials."""
    try:
        parts = urlsplit(string(name, value))
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is none, or half an address of IPv6
        usable = False
    if not usable or parts.username or parts.query or parts.fragment or not re.fullmatch("[!-~]+", value):
        got = "one with a password" if "@" in str(value) else repr(value)
        raise SettingsError(f"{name} must be like http://host:port, without credentials, got {got}")
    return str(value).rstrip("/")


def origins(name: str, value: Any) -> FrozenSet[str]:
    """Check for origins of web pages, as a browser's address bar shows them before the first single slash."""
    listed = names(name, value)
    for one in listed:
        if not re.fullmatch(r"https?://[^/\s@?#]+", one):
            raise SettingsError(f"{name} must hold origins like https://portal.example:8443, got {one!r}")
    return frozenset(one.lower() for one in listed)


def scale(name: str, value: Any) -> Optional[Factors]:
    """Check for "auto" (returned as None) or three factors."""
    if value == "auto":
        return None
    if not isinstance(value, list) or len(value) != 3:
        raise SettingsError(f'{name} must be "auto" or three factors [z, y, x], got {value!r}')
    z, y, x = (real(1, 16)(f"{name}[{axis}]", factor) for axis, factor in enumerate(value))
    if z == y == x == 1:
        raise SettingsError(f"{name} must refine at least one axis, got {value!r}")
    return (z, y, x)


def section(name: str, given: Any, known: Mapping[str, Tuple[Any, Check]]) -> Dict[str, Any]:
    """Return the settings of a section, with defaults for those that are not given.

    Raises:
        SettingsError: one is unknown, or not what it must be.
    """
    if not isinstance(given, dict):
        raise SettingsError(f"{name} must be a section {{...}}, got {type(given).__name__}")
    for key in given:
        if key not in known:
            hint = nearest(key, known) or f"; known are {', '.join(known)}"
            raise SettingsError(f"{name}.{key} is not a setting{hint}")
    return {key: check(f"{name}.{key}", given.get(key, default)) for key, (default, check) in known.items()}


def nearest(word: Any, known: Iterable[str]) -> str:
    """Return "; did you mean ...?" with the nearest known word, empty when none is near."""
    close = difflib.get_close_matches(str(word), list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""

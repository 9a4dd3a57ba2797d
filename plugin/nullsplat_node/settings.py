# SPDX-License-Identifier: AGPL-3.0-or-later
"""The section "NullSplat" of Orthanc's configuration, checked in full before anything starts."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional, Tuple
from urllib.parse import urlsplit

from .dose import LowDoseRules
from .eligibility import Criteria
from .routing import Backoff
from .transitions import RetryPolicy

METADATA = "NullSplat"
"""Name of the series metadata that holds the state; must be registered in UserMetadata."""
FIRST_USER_METADATA = 1024
SECRET_VARIABLE = "NULLSPLAT_SECRET"  # noqa: S105 - the name of the variable, not the secret
PRESETS = ("preview", "standard", "paper")
PRIORITIES = ("stat", "normal", "night")
ORTHANC_STABLE_AGE = 60
"""Orthanc's own default for StableAge, seconds."""


class SettingsError(ValueError):
    """A setting is missing, misspelt or out of range."""


@dataclass(frozen=True)
class Engine:
    """Where the engine is and what it is asked for; `timeout` in seconds."""

    url: str
    timeout: float
    preset: str
    seed: int
    samples: int
    priority: str


@dataclass(frozen=True)
class Settings:
    """Everything that can be set.

    Attributes:
        secret: shared with the engine; never shown.
        engine_user: Orthanc user that may use nothing but DICOMweb.
        stable_age: seconds without a new instance after which a series counts as complete.
        reconcile_interval: seconds between looks over the whole archive.
        poll_interval: seconds between looks at a running job.
        destinations: names in DicomModalities that every result is sent to.
    """

    engine: Engine
    secret: str
    engine_user: str
    criteria: Criteria
    retry: RetryPolicy
    destinations: Tuple[str, ...]
    stable_age: float
    reconcile_interval: float
    poll_interval: float

    def __repr__(self) -> str:
        """Never show the secret, wherever this ends up."""
        return f"Settings(engine={self.engine!r}, destinations={self.destinations!r})"


Check = Callable[[str, Any], Any]


def _real(low: float, high: float) -> Check:
    def check(name: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise SettingsError(f"{name} must be a number from {low:g} to {high:g}, got {value!r}")
        return float(value)

    return check


def _whole(low: int, high: int) -> Check:
    def check(name: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise SettingsError(f"{name} must be a whole number from {low} to {high}, got {value!r}")
        return value

    return check


def _choice(allowed: Tuple[str, ...]) -> Check:
    def check(name: str, value: Any) -> str:
        if value not in allowed:
            raise SettingsError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
        return str(value)

    return check


def _truth(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise SettingsError(f"{name} must be true or false, got {value!r}")
    return value


def _string(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise SettingsError(f"{name} must be text, got {value!r}")
    return value


def _names(name: str, value: Any) -> Tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise SettingsError(f"{name} must be a list of names, got {value!r}")
    return tuple(value)


def _destinations(name: str, value: Any) -> Tuple[str, ...]:
    names = _names(name, value)
    for one in names:
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", one):
            raise SettingsError(f"{name} must hold names of letters, digits, '_', '.' and '-', got {one!r}")
    return tuple(dict.fromkeys(names))


def _pattern(name: str, value: Any) -> str:
    try:
        re.compile(_string(name, value))
    except re.error as error:
        raise SettingsError(f"{name} must be a regular expression, got {value!r} ({error})") from error
    return str(value)


def _url(name: str, value: Any) -> str:
    parts = urlsplit(_string(name, value))
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise SettingsError(f"{name} must be like http://host:port, without credentials, got {value!r}")
    return str(value).rstrip("/")


def _scale(name: str, value: Any) -> Optional[Tuple[float, float, float]]:
    if value == "auto":
        return None
    if not isinstance(value, list) or len(value) != 3:
        raise SettingsError(f'{name} must be "auto" or three factors [z, y, x], got {value!r}')
    z, y, x = (_real(1, 16)(f"{name}[{axis}]", factor) for axis, factor in enumerate(value))
    if z == y == x == 1:
        raise SettingsError(f"{name} must refine at least one axis, got {value!r}")
    return (z, y, x)


_LOW_DOSE_FIELDS: Dict[str, Tuple[Any, Check]] = {
    "MaxCtdiVol": (LowDoseRules.max_ctdivol, _real(0, 1000)),
    "MaxMas": (LowDoseRules.max_mas, _real(0, 100000)),
    "Words": (LowDoseRules.words, _pattern),
    "CalledAets": ([], _names),
    "Stations": ([], _names),
    "BodyParts": ([], _names),
}


def _section(name: str, given: Any, known: Mapping[str, Tuple[Any, Check]]) -> Dict[str, Any]:
    if not isinstance(given, dict):
        raise SettingsError(f"{name} must be a section {{...}}, got {given!r}")
    for key in given:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
            raise SettingsError(f"{name}.{key} is not a setting; {hint}")
    return {key: check(f"{name}.{key}", given.get(key, default)) for key, (default, check) in known.items()}


def _low_dose(name: str, value: Any) -> LowDoseRules:
    found = _section(name, value, _LOW_DOSE_FIELDS)
    return LowDoseRules(
        found["MaxCtdiVol"],
        found["MaxMas"],
        found["Words"],
        found["CalledAets"],
        found["Stations"],
        found["BodyParts"],
    )


_FIELDS: Dict[str, Tuple[Any, Check]] = {
    "EngineUrl": ("http://127.0.0.1:8043", _url),
    "EngineTimeout": (10, _real(0.1, 300)),
    "EngineUser": ("engine", _string),
    "SecretFile": ("", _string),
    "Automatic": (True, _truth),
    "Preset": ("standard", _choice(PRESETS)),
    "Scale": ("auto", _scale),
    "TargetSliceSpacing": (1.25, _real(0.1, 10)),
    "Seed": (0, _whole(0, 2**31 - 1)),
    "Samples": (1, _whole(1, 64)),
    "Priority": ("normal", _choice(PRIORITIES)),
    "MaxAgeDays": (30, _real(0, 100_000)),
    "MinSlices": (10, _whole(2, 10000)),
    "LowDose": ({}, _low_dose),
    "Destinations": ([], _destinations),
    "MaxAttempts": (3, _whole(1, 100)),
    "RetryFirst": (5, _real(0.1, 3600)),
    "RetryLongest": (300, _real(0.1, 86400)),
    "ReconcileInterval": (60, _real(0.2, 3600)),
    "PollInterval": (5, _real(0.2, 600)),
}


def read_settings(configuration: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
    """Return the settings out of Orthanc's whole configuration.

    Raises:
        SettingsError: one is missing, misspelt or out of range; names it.
    """
    _check_orthanc(configuration)
    found = _section("NullSplat", configuration.get("NullSplat", {}), _FIELDS)
    stable_age = _real(1, 86400)("StableAge", configuration.get("StableAge", ORTHANC_STABLE_AGE))
    backoff = Backoff(found["RetryFirst"], found["RetryLongest"])
    return Settings(
        engine=_engine(found),
        secret=_secret(found["SecretFile"], environment),
        engine_user=found["EngineUser"],
        criteria=_criteria(found),
        retry=RetryPolicy(found["MaxAttempts"], backoff),
        destinations=found["Destinations"],
        stable_age=stable_age,
        reconcile_interval=found["ReconcileInterval"],
        poll_interval=found["PollInterval"],
    )


def _engine(found: Mapping[str, Any]) -> Engine:
    return Engine(
        found["EngineUrl"],
        found["EngineTimeout"],
        found["Preset"],
        found["Seed"],
        found["Samples"],
        found["Priority"],
    )


def _criteria(found: Mapping[str, Any]) -> Criteria:
    return Criteria(
        automatic=found["Automatic"],
        max_age_days=found["MaxAgeDays"],
        min_slices=found["MinSlices"],
        scale=found["Scale"],
        target_spacing=found["TargetSliceSpacing"],
        low_dose=found["LowDose"],
    )


def _secret(file: str, environment: Mapping[str, str]) -> str:
    if file:
        try:
            secret, source = (
                Path(file).read_text(encoding="utf-8").strip(),
                f"the file {file} (NullSplat.SecretFile)",
            )
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"NullSplat.SecretFile must be a readable file, {file}: {error}") from error
    else:
        secret, source = environment.get(SECRET_VARIABLE, ""), f"the environment variable {SECRET_VARIABLE}"
    if not secret:
        raise SettingsError(
            f"{source} must hold the secret shared with the engine, it is empty; set it or NullSplat.SecretFile"
        )
    if not re.fullmatch(r"[!-~]{16,}", secret):
        raise SettingsError(f"{source} must hold at least 16 printable ASCII characters without spaces")
    return secret


def _check_orthanc(configuration: Mapping[str, Any]) -> None:
    """Refuse what would lose the states or leave the archive open."""
    number = configuration.get("UserMetadata", {}).get(METADATA)
    if not isinstance(number, int) or number < FIRST_USER_METADATA:
        raise SettingsError(
            f'UserMetadata must register "{METADATA}" with a number of {FIRST_USER_METADATA} or more, got {number!r}'
        )
    for user, password in configuration.get("RegisteredUsers", {}).items():
        if not password:
            raise SettingsError(
                f"RegisteredUsers: the user {user!r} has an empty password; set the environment variable "
                "that the configuration takes it from"
            )

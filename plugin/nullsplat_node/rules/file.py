# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reads the rules file (TOML), or says what is wrong where.

The whole file is checked before anything starts. Python has read TOML since 3.11, which is what Debian 12 has; where
Orthanc embeds an older one, the plugin runs without a rules file and refuses one with that reason. A parser of our own
for a subset of TOML would be a dialect that other programs do not know.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Collection, Dict, List, Mapping, NoReturn, Optional, Tuple

from nullsplat_node import checks
from nullsplat_node.checks import Check, Factors, SettingsError, nearest
from nullsplat_node.rules.conditions import (
    NUMBERS,
    TEXTS,
    Condition,
    DerivedCondition,
    DoseCondition,
    Pattern,
    RangeCondition,
    TextCondition,
    read_pattern,
)
from nullsplat_node.rules.limits import FIGURES, OF_SEVERAL_SAMPLES, Limits
from nullsplat_node.rules.rules import ProcessingOptions, Rule, RuleSet
from nullsplat_node.rules.schedule import Span, read_span


class RulesError(SettingsError):
    """The rules file cannot be used; the message names file, line, rule and key."""


def read_rules(path: Path, base: ProcessingOptions, modalities: Optional[Collection[str]] = None) -> RuleSet:
    """Return the rules of a file.

    Args:
        base: options where the file says nothing.
        modalities: names that destinations may have, None when they are not known.
    Raises:
        RulesError: the file cannot be read, or something in it is not what it must be.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RulesError(f"{path} must be a readable UTF-8 file: {error}") from error
    return rules_from(text, str(path), base, modalities)


def rules_from(
    text: str, source: str, base: ProcessingOptions, modalities: Optional[Collection[str]] = None
) -> RuleSet:
    """Return the rules out of a file's text; `source` names it. For the rest see `read_rules`."""
    content = _parsed(text, source)
    top = _Place(source, text)
    found = _checked(top, content, {"defaults": _table, "rule": _tables})
    defaults = _defaults(_Place(source, text, "defaults"), found.get("defaults", {}), base, modalities)
    rules: List[Rule] = []
    for index, given in enumerate(found.get("rule", [])):
        rules.append(_rule(_Place(source, text, "rule", index), given, defaults, modalities))
        _reachable(_Place(source, text, "rule", index), rules)
    if not rules:
        top.fail("at least one [[rule]] is needed; leave NullSplat.RulesFile empty to do without rules")
    return RuleSet(tuple(rules), defaults, source)


@dataclass(frozen=True)
class _Place:
    """Where in the file: the top, the table of defaults, or the rule number `index` (from 0)."""

    source: str
    text: str
    table: str = ""
    index: int = 0
    name: str = ""

    def fail(self, message: str, key: str = "") -> NoReturn:
        """Raise RulesError with file, line and rule in front of the message."""
        line = _line_of(self.text, self.table, self.index, key)
        title = f"rule {self.name!r}" if self.name else f"rule number {self.index + 1}"
        where = {"": "", "defaults": ", [defaults]"}.get(self.table, f", {title}")
        raise RulesError(f"{self.source}{f', line {line}' if line else ''}{where}: {message}")


def _parsed(text: str, source: str) -> Dict[str, Any]:
    try:
        import tomllib
    except ModuleNotFoundError as error:
        version = ".".join(map(str, sys.version_info[:2]))
        raise RulesError(
            f"{source}: a rules file needs an Orthanc with Python 3.11 or later, this one has {version}; "
            "leave NullSplat.RulesFile empty, and the section NullSplat alone decides"
        ) from error
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise RulesError(f"{source} must be TOML: {error}") from error


def _checked(
    place: _Place, given: Mapping[str, Any], known: Mapping[str, Check], prefix: str = ""
) -> Dict[str, Any]:
    """Return the values of a table, each through its check."""
    found = {}
    for key, value in given.items():
        if key not in known:
            hint = nearest(key, known) or f"; known are {', '.join(known)}"
            place.fail(f"{prefix}{key} is not a key{hint}", key)
        try:
            found[key] = known[key](f"{prefix}{key}", value)
        except SettingsError as error:
            place.fail(str(error), key)
    return found


def _defaults(
    place: _Place, given: Mapping[str, Any], base: ProcessingOptions, modalities: Optional[Collection[str]]
) -> ProcessingOptions:
    return _ordered(place, base, _checked(place, given, _ORDERS), modalities)


def _rule(
    place: _Place,
    given: Mapping[str, Any],
    defaults: ProcessingOptions,
    modalities: Optional[Collection[str]],
) -> Rule:
    name = given.get("name")
    if not isinstance(name, str) or not re.fullmatch(r"\S(?:.{0,62}\S)?", name):
        place.fail(f"name must be text of 1 to 64 characters on one line, got {name!r}", "name")
    place = replace(place, name=name)
    found = _checked(place, given, _RULE)
    options = {key: value for key, value in found.items() if key not in ("name", "process", "match")}
    if not found.get("process", True) and options:
        key = next(iter(options))
        place.fail(f"process = false excludes the series, so {key} would have no effect; remove one", key)
    conditions = _checked(place, found.get("match", {}), _MATCH, "match.")
    return Rule(
        name,
        tuple(conditions.values()),
        found.get("process", True),
        _ordered(place, defaults, options, modalities),
    )


def _ordered(
    place: _Place, base: ProcessingOptions, found: Mapping[str, Any], modalities: Optional[Collection[str]]
) -> ProcessingOptions:
    for name in found.get("destinations", ()):
        if modalities is not None and name not in modalities:
            hint = nearest(name, modalities) or f"; known are {', '.join(modalities) or 'none'}"
            place.fail(
                "destinations must be names in Orthanc's DicomModalities, or in DicomWebDestinations or Webhooks of the section "
                f"NullSplat, got {name!r}{hint}",
                "destinations",
            )
    options = replace(base, **{_FIELDS.get(key, key): value for key, value in found.items()})
    for key, limits in (("hold", options.hold), ("mark", options.mark)):
        if options.samples < 2 and OF_SEVERAL_SAMPLES in dict(limits.most):
            place.fail(
                f"{key}.{OF_SEVERAL_SAMPLES} needs samples = 2 or more: a single one deviates from nothing",
                key,
            )
    return options


def _reachable(place: _Place, rules: List[Rule]) -> None:
    name, earlier = rules[-1].name, rules[:-1]
    if any(rule.name == name for rule in earlier):
        place.fail(f"name must be of one rule only, {name!r} comes twice", "name")
    everything = next((rule.name for rule in earlier if not rule.conditions), None)
    if everything is not None and not rules[-1].asks_for_kind:
        replace(place, name=name).fail(
            f"it can never take a series, since {everything!r} before it has no match and takes all; "
            "move that one to the end"
        )


def _table(name: str, value: Any) -> Dict[str, Any]:
    if not isinstance(value, dict):
        raise SettingsError(f"{name} must be a table [{name}], got {value!r}")
    return value


def _tables(name: str, value: Any) -> List[Dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise SettingsError(f"{name} must be tables [[{name}]], each with two pairs of brackets")
    return value


def _match(name: str, value: Any) -> Dict[str, Any]:
    if not isinstance(value, dict):
        raise SettingsError(f"{name} must be a table [rule.match], got {value!r}")
    return value


def _scale(name: str, value: Any) -> Optional[Factors]:
    single = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not single and not isinstance(value, list) and value != "auto":
        raise SettingsError(
            f'{name} must be "auto", one factor for z, or three factors [z, y, x], got {value!r}'
        )
    return checks.scale(name, [checks.real(1, 16)(name, value), 1, 1] if single else value)


def _hours(name: str, value: Any) -> Tuple[Span, ...]:
    written = value if isinstance(value, list) else [value]
    spans = tuple(read_span(one) if isinstance(one, str) else None for one in written)
    if not spans or None in spans:
        raise SettingsError(f'{name} must be like "22:00-06:00", or a list of such hours, got {value!r}')
    return tuple(span for span in spans if span is not None)


def _patterns(name: str, value: Any) -> Tuple[Pattern, ...]:
    written = value if isinstance(value, list) else [value]
    if not written or not all(isinstance(one, str) and one for one in written):
        raise SettingsError(f"{name} must be a pattern or a list of patterns, as text, got {value!r}")
    try:
        return tuple(read_pattern(one) for one in written)
    except re.error as error:
        raise SettingsError(
            f"{name} must be a regular expression between its slashes, got {value!r} ({error})"
        ) from error


def _limits(name: str, value: Any) -> Tuple[Optional[float], Optional[float]]:
    if not isinstance(value, dict) or not value or not set(value) <= {"min", "max"}:
        raise SettingsError(f"{name} must be like {{ min = 1, max = 2.5 }} with one or both, got {value!r}")
    limit = checks.real(0, 1e6)
    least, most = (limit(f"{name}.{key}", value[key]) if key in value else None for key in ("min", "max"))
    if least is not None and most is not None and least > most:
        raise SettingsError(f"{name}.min must not be above {name}.max, got {least:g} and {most:g}")
    return least, most


def _of_result(name: str, value: Any) -> Limits:
    if not isinstance(value, dict) or not value:
        raise SettingsError(f"{name} must be like {{ consistency_hu = 5, warnings = true }}, got {value!r}")
    for key in value:
        if key != "warnings" and key not in FIGURES:
            hint = nearest(key, [*FIGURES, "warnings"]) or f"; known are {', '.join(FIGURES)}, warnings"
            raise SettingsError(f"{name}.{key} is not a limit{hint}")
    most = checks.real(0, 1e5)
    figures = ((key, most(f"{name}.{key}", limit)) for key, limit in value.items() if key in FIGURES)
    return Limits(tuple(figures), checks.truth(f"{name}.warnings", value.get("warnings", False)))


def _on_text(key: str) -> Check:
    return lambda name, value: TextCondition(key, _patterns(name, value))


def _on_number(key: str) -> Check:
    return lambda name, value: RangeCondition(key, *_limits(name, value))


def _on_kind(name: str, value: Any) -> Condition:
    return DerivedCondition(checks.truth(name, value))


def _on_dose(name: str, value: Any) -> Condition:
    return DoseCondition(checks.truth(name, value))


_MATCH: Dict[str, Check] = {
    **{key: _on_text(key) for key in TEXTS},
    **{key: _on_number(key) for key in NUMBERS},
    "low_dose": _on_dose,
    "derived": _on_kind,
}
_ORDERS: Dict[str, Check] = {
    "scale": _scale,
    "target_slice_spacing": checks.real(0.1, 10),
    "preset": checks.choice(checks.PRESETS),
    "samples": checks.whole(1, 64),
    "slice_profile": checks.slice_profile,
    "priority": checks.choice(checks.PRIORITIES),
    "destinations": checks.destinations,
    "hours": _hours,
    "allow_gaps": checks.truth,
    "hold": _of_result,
    "mark": _of_result,
}
_RULE: Dict[str, Check] = {
    "name": checks.string,
    "process": checks.truth,
    "match": _match,
    **_ORDERS,
    "max_per_day": checks.whole(1, 100_000),
}
_FIELDS = {"target_slice_spacing": "target_spacing", "max_per_day": "daily"}
"""Keys of the file whose field of `ProcessingOptions` has another name."""


def _line_of(text: str, table: str, index: int, key: str) -> int:
    """Return the line on which the key stands, else that of its table; 0 when neither is found.

    The TOML parser does not report lines, so this searches for keys as they are usually written.
    """
    lines = text.splitlines()
    headers = [number for number, line in enumerate(lines) if re.match(rf"\s*\[+\s*{table}\s*\]+", line)]
    start = 0 if not table else headers[index] if index < len(headers) else None
    if start is None:
        return 0
    end = next((number for number in headers if number > start), len(lines)) if table else len(lines)
    written = re.compile(rf"(?:^|[\s{{,.\[\"']){re.escape(key)}[\"']?\s*[=\].]")
    found = [n for n in range(start, end) if key and written.search(lines[n].partition("#")[0])]
    return found[0] + 1 if found else (start + 1 if table else 0)

# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which rule takes a series, and with which processing options: the first whose conditions all hold.

Rules are policy only. No rule overrides what makes a series unusable (`eligibility`), and changed rules do not
affect earlier decisions: finished series stay finished.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Tuple

from nullsplat_node.checks import Factors
from nullsplat_node.rules.conditions import Condition, DerivedCondition, DoseCondition, Facts, Verdict
from nullsplat_node.rules.limits import NO_LIMITS, Limits
from nullsplat_node.rules.schedule import Span

LONGEST_LIST = 6
"""Rules whose reasons a refusal lists; `nullsplat rules test` lists all."""


@dataclass(frozen=True)
class ProcessingOptions:
    """How a series is to be processed, and where its result goes.

    Attributes:
        scale: factors along z, y, x; None chooses z for `target_spacing`.
        target_spacing: slice spacing to reach when the scale is chosen, mm.
        destinations: names in Orthanc's DicomModalities, or in DicomWebDestinations.
        slice_profile: how the scanner weights a slice; auto leaves it to the engine, which reads the header.
        hours: when jobs are submitted, none for any hour.
        daily: how many series are submitted a day, None for no limit.
        allow_gaps: take series whose slices are thinner than they are apart.
        hold: results beyond these limits wait for a person before they are sent on.
        mark: results beyond these limits are marked on their page.
    """

    scale: Optional[Factors] = None
    target_spacing: float = 1.25
    preset: str = "preview"
    samples: int = 1
    slice_profile: str = "auto"
    priority: str = "normal"
    destinations: Tuple[str, ...] = ()
    hours: Tuple[Span, ...] = ()
    daily: Optional[int] = None
    allow_gaps: bool = False
    hold: Limits = NO_LIMITS
    mark: Limits = NO_LIMITS

    def __str__(self) -> str:
        """Return them in words."""
        return ", ".join(self._words())

    def _words(self) -> List[str]:
        auto = f"scale auto (z only, to about {self.target_spacing:g} mm)"
        words = [
            f"scale {in_words(self.scale)}" if self.scale else auto,
            f"preset {self.preset}",
            f"{self.samples} sample{'s' if self.samples > 1 else ''}",
            f"priority {self.priority}",
            f"sent to {' and '.join(self.destinations)}" if self.destinations else "sent nowhere",
        ]
        if self.slice_profile != "auto":
            words.append(f"slice profile {self.slice_profile}")
        if self.hours:
            words.append(f"submitted only in {' and '.join(map(str, self.hours))}")
        if self.daily is not None:
            words.append(f"at most {self.daily} series a day")
        if self.allow_gaps:
            words.append("also with gaps between the slices")
        if self.hold:
            words.append(f"held back when {self.hold}")
        if self.mark:
            words.append(f"marked when {self.mark}")
        return words


@dataclass(frozen=True)
class Rule:
    """One rule; with `process` false it excludes what it takes."""

    name: str
    conditions: Tuple[Condition, ...]
    process: bool
    options: ProcessingOptions

    @property
    def asks_for_kind(self) -> bool:
        """Whether the rule says if the slices must be derived or original."""
        return any(isinstance(condition, DerivedCondition) for condition in self.conditions)

    def judged(self, facts: Facts) -> List[Verdict]:
        """Return the verdicts of the conditions; unless a rule asks for derived slices, they must be original."""
        implied = (
            (DerivedCondition(False),) if facts.derived and self.process and not self.asks_for_kind else ()
        )
        return [condition.judged(facts) for condition in (*self.conditions, *implied)]

    def __str__(self) -> str:
        """Return it in words."""
        when = f"when {', and '.join(map(str, self.conditions))}" if self.conditions else "always"
        return f"{when}: {self.options if self.process else 'exclude'}"


@dataclass(frozen=True)
class RuleSet:
    """The rules in their order.

    Attributes:
        defaults: the options for series that a person requests and no rule takes.
        source: their file, empty for the built-in rule.
    """

    rules: Tuple[Rule, ...]
    defaults: ProcessingOptions
    source: str = ""

    def named(self, name: str) -> Optional[Rule]:
        """Return the rule of this name, None when there is none."""
        return next((rule for rule in self.rules if rule.name == name), None)

    @property
    def destinations(self) -> Tuple[str, ...]:
        """All destinations of results, each once."""
        options = (self.defaults, *(rule.options for rule in self.rules))
        return tuple(dict.fromkeys(name for each in options for name in each.destinations))


@dataclass(frozen=True)
class Passed:
    """A rule that did not take the series, and why not."""

    name: str
    why: str


@dataclass(frozen=True)
class Choice:
    """The rule that takes the series (None when none does), why, and the rules before it."""

    rule: Optional[Rule]
    why: str
    passed: Tuple[Passed, ...]


DEFAULT_NAME = "low-dose CT"


def default_rules(options: Optional[ProcessingOptions] = None) -> RuleSet:
    """Return the built-in rule: low-dose CT is processed."""
    options = options or ProcessingOptions()
    return RuleSet((Rule(DEFAULT_NAME, (DoseCondition(True),), True, options),), options)


def choose(rules: RuleSet, facts: Facts) -> Choice:
    """Return the first rule whose conditions all hold, and why each before it did not take the series."""
    passed: List[Passed] = []
    for rule in rules.rules:
        verdicts = rule.judged(facts)
        against = [verdict.words for verdict in verdicts if not verdict.holds]
        if not against:
            why = ", ".join(verdict.words for verdict in verdicts)
            return Choice(rule, why or "it takes everything", tuple(passed))
        passed.append(Passed(rule.name, ", and ".join(against)))
    return Choice(None, _none_takes(passed), tuple(passed))


def in_words(scale: Factors) -> str:
    """Return the factors in words."""
    return f"{' x '.join(f'{factor:g}' for factor in scale)} (z, y, x)"


def _none_takes(passed: List[Passed]) -> str:
    listed = [f"{one.name!r}: {one.why}" for one in passed[:LONGEST_LIST]]
    if len(passed) > LONGEST_LIST:
        listed.append(f"and {len(passed) - LONGEST_LIST} more")
    return "; ".join(listed)

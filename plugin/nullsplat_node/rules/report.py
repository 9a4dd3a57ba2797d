# SPDX-License-Identifier: AGPL-3.0-or-later
"""What `nullsplat rules check` and `nullsplat rules test` print; runs outside Orthanc, in any Python 3.11 or later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Mapping, Sequence

from nullsplat_node.rules.conditions import TEXTS, Facts, Origin, facts_of
from nullsplat_node.rules.eligibility import Candidate, Criteria, check_eligibility
from nullsplat_node.rules.rules import Choice, RuleSet, choose
from nullsplat_node.series.refusal import TITLES, Refused
from nullsplat_node.series.tags import Tags


@dataclass(frozen=True)
class Sample:
    """A series to try the rules on.

    Attributes:
        label: its name in the report.
        instances: simplified tags of every image; at least one.
    """

    label: str
    instances: Sequence[Tags]
    origin: Origin


def read_samples(content: Any) -> List[Sample]:
    """Return the samples out of [{"label", "instances", "called_aet", "calling_aet"}].

    Raises:
        ValueError: it is not that.
    """
    if not isinstance(content, list) or not all(
        isinstance(one, dict) and one.get("instances") for one in content
    ):
        raise ValueError("the request must hold a list of series, each with label and instances")
    return [
        Sample(
            str(one.get("label", "")),
            list(one["instances"]),
            Origin(str(one.get("called_aet", "")), str(one.get("calling_aet", ""))),
        )
        for one in content
    ]


def check_report(rules: RuleSet) -> str:
    """Return the rules in words, one a line."""
    count = len(rules.rules)
    lines = [
        f"{rules.source}: valid, {count} rule{'s' if count > 1 else ''}; the first that fits takes a series"
    ]
    lines += [f"  {number}. {rule.name!r}: {rule}" for number, rule in enumerate(rules.rules, 1)]
    if rules.destinations:
        named = ", ".join(rules.destinations)
        lines.append(
            f"  Orthanc's DicomModalities must name {named}; or DicomWebDestinations or Webhooks of NullSplat"
        )
    return "\n".join(lines)


def trial_report(samples: Sequence[Sample], criteria: Criteria) -> str:
    """Return for each series which rule takes it, why the others do not, and what would be done."""
    head = f"Rules: {criteria.rules.source or 'no file, so the settings alone decide'}"
    return "\n\n".join([head, *(_one(sample, criteria) for sample in samples)])


def _one(sample: Sample, criteria: Criteria) -> str:
    facts = facts_of(sample.instances, sample.origin, criteria.low_dose)
    choice = choose(criteria.rules, facts)
    count = len(sample.instances)
    lines = [f"{sample.label}: {count} image{'s' if count > 1 else ''}", f"  it says: {_facts(facts)}"]
    lines += [f"  rule {passed.name!r} does not take it: {passed.why}" for passed in choice.passed]
    lines += _chosen(choice)
    lines.append(f"  as it lies here: {_outcome(sample, criteria)}")
    return "\n".join(lines)


def _chosen(choice: Choice) -> List[str]:
    if choice.rule is None:
        return ["  no rule takes it, so it is not processed unless a person presses Run"]
    taken = f"  rule {choice.rule.name!r} takes it: {choice.why}"
    if not choice.rule.process:
        return [taken, "  the rule excludes it"]
    return [taken, f"  processing options: {choice.rule.options}"]


def _outcome(sample: Sample, criteria: Criteria) -> str:
    try:
        return f"would be done: {check_eligibility(Candidate(sample.instances, sample.origin), criteria).decision}"
    except Refused as refusal:
        return f"would not be done ({TITLES[refusal.code]}): {refusal.message}"


def _facts(facts: Facts) -> str:
    known: Mapping[str, str] = {TEXTS[key].title: value for key, value in facts.texts.items() if value}
    return (
        ", ".join(f"{title} {value[:64]!r}" for title, value in known.items()) or "nothing that rules look at"
    )

# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is the series low dose? Several kinds of evidence, because no single field can be relied on.

A rule of the settings decides first, since it was written for this purpose. Then the strongest measurement
available: CTDIvol (0018,9345), else the exposure in mAs as far as it can be compared (`xray_exposure`). Only where nothing was measured do words in the
descriptions count. Unusable values (absent, zero, NaN, text) say nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional, Sequence

from nullsplat_node.series.tags import Tags, text
from nullsplat_node.series.xray_exposure import mean_exposure, usable

DESCRIPTIONS = ("ProtocolName", "SeriesDescription", "StudyDescription")


@dataclass(frozen=True)
class LowDoseRules:
    """What counts as low dose.

    Attributes:
        max_ctdivol: mGy. 3 mGy is the limit for lung cancer screening of a standard patient
            (ACR-STR practice parameter; CMS decision memo CAG-00439N).
        max_mas: exposure in mAs, used where there is no CTDIvol. Screening protocols use 20-40 mAs at
            120 kV (NLST: 20-30 effective mAs), routine chest protocols 100 and more.
        words: regular expression for protocol, series and study description, whatever the case.
        called_aets, stations, body_parts: series that reach this AE title, come from this station or show
            this body part are low dose because the settings say so.
    """

    max_ctdivol: float = 3.0
    max_mas: float = 50.0
    words: str = r"LDCT|LOW.?DOSE|LUNG.?SCREEN"
    called_aets: Sequence[str] = ()
    stations: Sequence[str] = ()
    body_parts: Sequence[str] = ()


@dataclass(frozen=True)
class Finding:
    """The verdict and the evidence for it, as the end of a sentence that starts with 'because'."""

    low: bool
    why: str


def judge(instances: Sequence[Tags], called_aet: str, rules: LowDoseRules) -> Finding:
    """Say whether the series is low dose, and why.

    Args:
        instances: simplified tags of every instance.
        called_aet: the AE title that the sender called, empty when it did not come by DICOM.
    """
    measured = _by_ctdivol(instances, rules) or _by_exposure(instances, rules)
    rule = _by_rule(instances[0], called_aet, rules)
    if rule:
        return _overruling(rule, measured)
    return measured or _by_words(instances[0], rules) or _nothing(rules)


def mean_of(instances: Sequence[Tags], keyword: str) -> Optional[float]:
    """Return the mean of a positive number over the slices that have a usable one, None when none has."""
    found = [value for value in (usable(tags, keyword) for tags in instances) if value is not None]
    return sum(found) / len(found) if found else None


def _overruling(rule: str, measured: Optional[Finding]) -> Finding:
    against = f", although {measured.why}" if measured and not measured.low else ""
    return Finding(True, f"{rule} is low dose by rule{against}")


def _by_rule(tags: Tags, called_aet: str, rules: LowDoseRules) -> str:
    subjects = (
        ("called AE title", called_aet, rules.called_aets),
        ("station", text(tags, "StationName"), rules.stations),
        ("body part", text(tags, "BodyPartExamined"), rules.body_parts),
    )
    for kind, value, listed in subjects:
        if value and value.upper() in {name.upper() for name in listed}:
            return f"{kind} {value}"
    return ""


def _by_ctdivol(instances: Sequence[Tags], rules: LowDoseRules) -> Optional[Finding]:
    return _against_limit("CTDIvol", "mGy", mean_of(instances, "CTDIvol"), rules.max_ctdivol)


def _by_exposure(instances: Sequence[Tags], rules: LowDoseRules) -> Optional[Finding]:
    return _against_limit("exposure", "mAs", mean_exposure(instances), rules.max_mas)


def _against_limit(name: str, unit: str, value: Optional[float], limit: float) -> Optional[Finding]:
    if value is None:
        return None
    low = value <= limit
    return Finding(low, f"{name} {value:.4g} {unit} {'<=' if low else '>'} {limit:g} {unit}")


def _by_words(tags: Tags, rules: LowDoseRules) -> Optional[Finding]:
    for keyword in DESCRIPTIONS:
        match = re.search(rules.words, text(tags, keyword), re.IGNORECASE)
        if match:
            return Finding(True, f"{keyword} says {match.group(0)!r}")
    return None


def _nothing(rules: LowDoseRules) -> Finding:
    return Finding(
        False,
        f"there is no usable CTDIvol, no exposure, no word matching {rules.words} in the descriptions "
        "and no rule for it in the settings",
    )

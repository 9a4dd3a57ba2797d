# SPDX-License-Identifier: AGPL-3.0-or-later
"""The conditions of a rule on text, numbers and dose, each with its verdict in words.

Total: whatever the headers contain, a condition holds or does not, and says why. The words never
quote descriptions, which are typed and may therefore contain anything, names included.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from typing import Dict, Mapping, Optional, Sequence, Tuple, Union

from nullsplat_node.series.dose import Finding, LowDoseRules, judge, mean_of
from nullsplat_node.series.kinds import is_derived
from nullsplat_node.series.tags import Tags, joined, text
from nullsplat_node.series.xray_exposure import mean_exposure


@dataclass(frozen=True)
class Subject:
    """A property of a series that a rule may test.

    Attributes:
        title: in words.
        keyword: the DICOM attribute, empty where it is none.
        unit: of a number.
        typed: free text, typed by people; never quoted.
    """

    title: str
    keyword: str = ""
    unit: str = ""
    typed: bool = False


TEXTS: Mapping[str, Subject] = {
    "called_aet": Subject("called AE title"),
    "calling_aet": Subject("calling AE title"),
    "institution": Subject("institution", "InstitutionName"),
    "station": Subject("station", "StationName"),
    "manufacturer": Subject("manufacturer", "Manufacturer"),
    "model": Subject("model", "ManufacturerModelName"),
    "study_description": Subject("study description", "StudyDescription", typed=True),
    "series_description": Subject("series description", "SeriesDescription", typed=True),
    "protocol": Subject("protocol", "ProtocolName", typed=True),
    "body_part": Subject("body part", "BodyPartExamined"),
    "kernel": Subject("kernel", "ConvolutionKernel"),
    "image_type": Subject("image type", "ImageType"),
    "scan_options": Subject("scan options", "ScanOptions"),
}
"""Texts by the key that rules name them by. Several values of one attribute are joined by backslashes."""

NUMBERS: Mapping[str, Subject] = {
    "slice_thickness": Subject("slice thickness", "SliceThickness", "mm"),
    "ctdivol": Subject("CTDIvol", "CTDIvol", "mGy"),
    "exposure": Subject("exposure", "", "mAs"),
    "kvp": Subject("tube voltage", "KVP", "kV"),
    "slices": Subject("number of slices"),
}
"""Numbers by the key that rules name them by: the mean over all slices that give a usable value."""


@dataclass(frozen=True)
class Facts:
    """The properties that rules test.

    Attributes:
        texts: by the keys of `TEXTS`, empty where there is none.
        numbers: by the keys of `NUMBERS`, None where there is none.
        dose: whether it is low, by the section LowDose of the settings.
        derived: whether slices are reformats, or copies compressed with loss.
    """

    texts: Mapping[str, str]
    numbers: Mapping[str, Optional[float]]
    dose: Finding
    derived: bool = False


@dataclass(frozen=True)
class Origin:
    """How a series came: the AE titles that were called and that called, empty when it did not come by DICOM."""

    called_aet: str = ""
    calling_aet: str = ""


def facts_of(instances: Sequence[Tags], origin: Origin, low_dose: LowDoseRules) -> Facts:
    """Return the facts of a series out of the simplified tags of all its instances; at least one."""
    texts = {key: _first(instances, subject) for key, subject in TEXTS.items() if subject.keyword}
    texts.update(called_aet=origin.called_aet.strip(), calling_aet=origin.calling_aet.strip())
    numbers: Dict[str, Optional[float]] = {
        key: mean_of(instances, subject.keyword) for key, subject in NUMBERS.items() if subject.keyword
    }
    numbers.update(exposure=mean_exposure(instances), slices=float(len(instances)))
    dose = judge(instances, origin.called_aet, low_dose)
    return Facts(texts, numbers, dose, any(is_derived(tags) for tags in instances))


@dataclass(frozen=True)
class Verdict:
    """Whether a condition holds, and why, as a clause."""

    holds: bool
    words: str


@dataclass(frozen=True)
class Pattern:
    """A pattern as it is written, and its compiled form."""

    written: str
    compiled: "re.Pattern[str]"

    def fits(self, value: str) -> bool:
        """Return whether the text fits."""
        return self.compiled.search(value) is not None


def read_pattern(written: str) -> Pattern:
    """Return the pattern: between slashes a regular expression found anywhere, else a glob for all of the text.

    Case does not matter. In a glob * stands for anything, ? for one character, [ab] for one of these.

    Raises:
        re.error: it is not a regular expression.
    """
    if len(written) > 2 and written.startswith("/") and written.endswith("/"):
        return Pattern(written, re.compile(written[1:-1], re.IGNORECASE))
    return Pattern(written, re.compile(r"\A(?:" + fnmatch.translate(written) + ")", re.IGNORECASE))


@dataclass(frozen=True)
class TextCondition:
    """The text fits one of the patterns."""

    key: str
    patterns: Tuple[Pattern, ...]

    def judged(self, facts: Facts) -> Verdict:
        """Return whether it holds, and why."""
        subject, value = TEXTS[self.key], facts.texts[self.key]
        fitting = next((pattern.written for pattern in self.patterns if pattern.fits(value)), None)
        shown = subject.title if subject.typed else f"{subject.title} {value[:64]}"
        if fitting is not None:
            return Verdict(True, f"{shown if value else f'no {subject.title}'} matches {fitting}")
        if not value:
            return Verdict(False, f"it has no {subject.title}, needed is {self._needed}")
        return Verdict(False, f"{shown} does not match {self._needed}")

    def __str__(self) -> str:
        """Return it in words."""
        return f"{TEXTS[self.key].title} matches {self._needed}"

    @property
    def _needed(self) -> str:
        return " or ".join(pattern.written for pattern in self.patterns)


@dataclass(frozen=True)
class RangeCondition:
    """The number lies between two limits, which belong to the range; None where there is no limit."""

    key: str
    least: Optional[float]
    most: Optional[float]

    def judged(self, facts: Facts) -> Verdict:
        """Return whether it holds, and why; a number that is not there never lies in a range."""
        subject, value = NUMBERS[self.key], facts.numbers[self.key]
        if value is None:
            return Verdict(False, f"it has no usable {subject.title}, needed is {self._needed}")
        shown = f"{subject.title} {_measure(value, subject)}"
        if (self.least is not None and value < self.least) or (self.most is not None and value > self.most):
            return Verdict(False, f"{shown} is not {self._needed}")
        return Verdict(True, f"{shown} is {self._needed}")

    def __str__(self) -> str:
        """Return it in words."""
        return f"{NUMBERS[self.key].title} is {self._needed}"

    @property
    def _needed(self) -> str:
        subject = NUMBERS[self.key]
        if self.least is None:
            return f"at most {_measure(self.most or 0, subject)}"
        if self.most is None:
            return f"at least {_measure(self.least, subject)}"
        return f"from {self.least:g} to {_measure(self.most, subject)}"


@dataclass(frozen=True)
class DoseCondition:
    """The series is low dose by the section LowDose of the settings, or is not."""

    low: bool

    def judged(self, facts: Facts) -> Verdict:
        """Return whether it holds, and why."""
        found = f"{'low dose' if facts.dose.low else 'not low dose'} because {facts.dose.why}"
        return Verdict(facts.dose.low == self.low, found)

    def __str__(self) -> str:
        """Return it in words."""
        return "it is low dose" if self.low else "it is not low dose"


@dataclass(frozen=True)
class DerivedCondition:
    """The slices are derived (reformatted, or compressed with loss), or are original."""

    derived: bool

    def judged(self, facts: Facts) -> Verdict:
        """Return whether it holds, and why."""
        found = "its slices are derived" if facts.derived else "its slices are original"
        return Verdict(facts.derived == self.derived, found)

    def __str__(self) -> str:
        """Return it in words."""
        return "its slices are derived" if self.derived else "its slices are original"


Condition = Union[TextCondition, RangeCondition, DoseCondition, DerivedCondition]


def _first(instances: Sequence[Tags], subject: Subject) -> str:
    """Return the text of the first slice that has one."""
    read = text if subject.typed else joined
    return next(filter(None, (read(tags, subject.keyword) for tags in instances)), "")


def _measure(value: float, subject: Subject) -> str:
    return f"{value:.4g} {subject.unit}".rstrip()

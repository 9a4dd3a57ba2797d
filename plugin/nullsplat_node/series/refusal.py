# SPDX-License-Identifier: AGPL-3.0-or-later
"""Why a series is not taken: stable codes for machines, with a short title for people."""

from __future__ import annotations

TITLES = {
    "ours": "made by NullSplat",
    "not-ct": "not a CT image series",
    "enhanced-not-supported": "multi-frame CT of a kind that is not supported",
    "multi-stack": "several stacks in one multi-frame image",
    "localizer": "a localizer (scout)",
    "derived": "a derived series",
    "derived-slices": "reformatted or compressed slices",
    "for-processing": "raw data for processing",
    "multi-energy": "a multi-energy series",
    "too-few-slices": "too few slices",
    "incomplete-header": "required attributes are missing or malformed",
    "unsupported-transfer-syntax": "pixels in a form that the engine cannot decode",
    "not-hounsfield": "values are not in Hounsfield units",
    "not-finite": "values are infinite",
    "series-not-unique": "several series with one UID",
    "mixed-patient": "slices of several patients",
    "mixed-acquisition": "slices of several acquisitions",
    "mixed-frame-of-reference": "slices of different frames of reference",
    "mixed-orientation": "slices of different orientation",
    "inconsistent-size": "slices of different size or pixel spacing",
    "not-axial": "not an axial stack",
    "gantry-tilt": "acquired with a tilted gantry",
    "duplicate-slices": "several slices at the same position",
    "missing-slice": "a slice is missing",
    "irregular-spacing": "slices are not evenly spaced",
    "slice-gaps": "gaps between the slices",
    "implausible-thickness": "an implausible slice thickness",
    "non-square-pixels": "pixels that are not square",
    "already-fine": "already as fine as the target",
    "not-low-dose": "not a low-dose series",
    "no-rule": "no rule takes it",
    "left-alone": "excluded by a rule",
    "not-automatic": "automatic processing is switched off",
    "too-old": "arrived long ago",
}
"""Every code that a refusal can carry."""

FORCIBLE = frozenset({"derived-slices", "not-low-dose", "no-rule", "left-alone", "not-automatic", "too-old"})
"""Refusals of policy, which a person may overrule; the others say that the images cannot be used."""

PASSING = frozenset({"series-not-unique"})
"""Refusals because of other series, which may disappear: checked again although the instances do not change."""


class Refused(Exception):
    """The series is not taken.

    Args:
        code: one of `TITLES`.
        message: what was needed, what came, what to do; never patient data.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        if code not in TITLES:
            raise ValueError(f"refusal code must be one of {sorted(TITLES)}, got {code!r}")
        self.code = code
        self.message = message

    @property
    def forcible(self) -> bool:
        """Whether a person may have the series processed nevertheless."""
        return self.code in FORCIBLE

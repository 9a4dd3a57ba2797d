# SPDX-License-Identifier: AGPL-3.0-or-later
"""The mAs at one point of the patient, where the headers state it; else it counts as not measured.

Manufacturers write different things into Exposure (0018,1152): the mAs of a rotation, that over the pitch, the share of one
slice, or all of the scan. Only comparable values may be compared with a limit:

- Tube current x revolution time / pitch, where all three are given. PS3.3 C.8.15.3.8.1 defines the exposure time of a
  spiral so. A scan without a pitch is a rotation at one place.
- Exposure in mAs of an Enhanced CT image, which PS3.3 C.8.15.3.8 defines by that exposure time.
- Exposure of others, as long as it is what the tube current gives in the time of one rotation, over a pitch or not. A share
  of a slice is far less, a whole scan far more.
- Never Exposure or Exposure Time of GE: "exposure time = total x-ray on time" and "exposure = (exposure time) * (image avg
  mA) * (slice thickness) / (total coverage)" (GE LightSpeed DICOM conformance statement, DOC0500644 rev. 4, page 147).
"""

from __future__ import annotations

from typing import Optional, Sequence, Tuple

from nullsplat_node.series.tags import BadTag, Tags, number, text

ROTATION: Tuple[float, float] = (0.08, 2.0)
"""Seconds of X-rays that one point gets: from the fastest rotation at a pitch of 3.2 to a slow one, or a pitch of 0.2."""
OF_THEIR_OWN = ("GE ", "GENERAL ELECTRIC", "IMATRON")
"""Manufacturers, by the beginning of their name, whose Exposure and Exposure Time mean something else."""


def mas(tags: Tags) -> Optional[float]:
    """Return the mAs at a point in this slice, None where the headers do not state it."""
    current = usable(tags, "XRayTubeCurrent")
    revolution, pitch = usable(tags, "RevolutionTime"), usable(tags, "SpiralPitchFactor") or 1.0
    if current and revolution and _within(revolution / pitch):
        return current * revolution / pitch
    exposure, milliseconds = _exposure(tags), usable(tags, "ExposureTime")
    if _is_of_its_own(tags) or not current:
        return None
    if exposure:
        return exposure if _within(exposure / current) else None
    return current * milliseconds / 1000.0 if milliseconds and _within(milliseconds / 1000.0) else None


def mean_exposure(instances: Sequence[Tags]) -> Optional[float]:
    """Return the mean over the slices that state it, None when none does."""
    found = [value for value in map(mas, instances) if value is not None]
    return sum(found) / len(found) if found else None


def usable(tags: Tags, keyword: str) -> Optional[float]:
    """Return a positive number, None where there is none."""
    try:
        value = number(tags, keyword)
    except BadTag:
        return None
    return value if value and value > 0 else None


def _exposure(tags: Tags) -> Optional[float]:
    direct, micro = usable(tags, "Exposure"), usable(tags, "ExposureInuAs")
    return direct if direct is not None or micro is None else micro / 1000.0


def _is_of_its_own(tags: Tags) -> bool:
    is_enhanced = "ExposureInmAs" in tags
    return not is_enhanced and f"{text(tags, 'Manufacturer').upper()} ".startswith(OF_THEIR_OWN)


def _within(seconds: float) -> bool:
    return ROTATION[0] <= seconds <= ROTATION[1]

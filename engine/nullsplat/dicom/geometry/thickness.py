"""How thick the slices are, against how far they lie apart: whether the stack was measured whole.

Where slices are thinner than their distance (1 mm every 10 mm, as in high-resolution CT of the lung) what lies between them
was never measured; a result would fill it with invention, and agree with the measurement all the same.
Source: PS3.3 C.7.6.2.1.1 (Slice Thickness), C.7.6.2 (Image Plane).
"""

import math
from collections.abc import Sequence

from pydicom.dataset import Dataset

from nullsplat.dicom.geometry.limits import COVERAGE_RANGE, LEAST_COVERAGE, THICKEST, THICKNESS_TOLERANCE
from nullsplat.dicom.headers import named, number
from nullsplat.dicom.refusals import Refusal, refuse


def slice_thickness(headers: Sequence[Dataset], spacing: float, *, allow_gaps: bool = False) -> float | None:
    """The thickness of the slices in mm, None where no header says it; 0, as some makers write, says nothing.

    Args:
        headers: in the order of the stack.
        spacing: distance of neighbouring slices, mm.
        allow_gaps: take slices that are thinner than their distance.
    Raises:
        IneligibleSeries: `implausible-thickness`, no slice is so thick or thin; `mixed-acquisition`, several
            thicknesses; `slice-gaps`, and gaps are not allowed.
    """
    said = [(mm, header) for header in headers if (mm := _said(header)) is not None]
    if not said:
        return None
    thickness = said[0][0]
    for mm, header in said:
        _check_plausible(mm, spacing, header)
        if abs(mm - thickness) > THICKNESS_TOLERANCE * thickness:
            refuse(
                Refusal.MIXED_ACQUISITION,
                f"all slices must be equally thick: {named(said[0][1])} has {thickness:g} mm, {named(header)} {mm:g} mm; "
                "send each thickness as its own series",
            )
    if thickness < LEAST_COVERAGE * spacing and not allow_gaps:
        refuse(
            Refusal.SLICE_GAPS,
            f"slices must be at least {LEAST_COVERAGE:g} times as thick as they are apart, these are {thickness:.4g} mm thick "
            f"every {spacing:.4g} mm, and what lies between was not measured; send a contiguous reconstruction, or allow it: "
            "--allow-gaps, or allow_gaps in a rule",
        )
    return thickness


def unmeasured_share(thickness: float, spacing: float) -> float:
    """Which part of the length of a stack lies between its slices; 0 where they are as good as contiguous."""
    return 1 - thickness / spacing if thickness < LEAST_COVERAGE * spacing else 0.0


def _said(header: Dataset) -> float | None:
    mm = number(header, "SliceThickness")
    return mm if mm is not None and math.isfinite(mm) and mm != 0 else None


def _check_plausible(mm: float, spacing: float, header: Dataset) -> None:
    least, most = (limit * spacing for limit in COVERAGE_RANGE)
    if not 0 < mm <= THICKEST or not least <= mm <= most:
        refuse(
            Refusal.IMPLAUSIBLE_THICKNESS,
            f"Slice Thickness must be a length in mm that fits slices {spacing:.4g} mm apart, {named(header)} says {mm:g}; "
            "correct it, or remove it if it is unknown",
        )

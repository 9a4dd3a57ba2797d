"""Whether slices lie at regular distances, or at which of them they stop doing so."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from pydicom.dataset import Dataset

from nullsplat.dicom.geometry.limits import DUPLICATE_DISTANCE, SPACING_TOLERANCE
from nullsplat.dicom.headers import named
from nullsplat.dicom.refusals import Refusal, refuse


def regular_spacing(along: Float[ndarray, "n"], headers: Sequence[Dataset]) -> float:
    """The distance of neighbouring slices, mm.

    Args:
        along: positions along the normal, sorted, mm.
        headers: of the same slices.
    Raises:
        IneligibleSeries: `duplicate-slices`, `missing-slice` or `irregular-spacing`, naming the first slice concerned.
    """
    gaps = np.diff(along)
    _check_places(gaps, headers)
    usual = float(np.median(gaps))
    _check_gaps(gaps, usual, headers)
    spacing = float(along[-1] - along[0]) / len(gaps)
    off = np.abs(along - (along[0] + spacing * np.arange(len(along))))
    if off.max() > SPACING_TOLERANCE * spacing:
        unusual = np.abs(gaps - usual) > SPACING_TOLERANCE * usual
        after = int(unusual.argmax()) if unusual.any() else int(off.argmax())
        refuse(
            Refusal.IRREGULAR_SPACING,
            f"slices must be evenly spaced to {SPACING_TOLERANCE:.0%} of their distance, got distances of "
            f"{gaps.min():.4g} to {gaps.max():.4g} mm, the first that differs after {named(headers[after])}; "
            "choose a reconstruction with constant increment",
        )
    return spacing


def _check_places(gaps: Float[ndarray, "n"], headers: Sequence[Dataset]) -> None:
    same = gaps <= min(DUPLICATE_DISTANCE, DUPLICATE_DISTANCE * float(gaps.max()))
    if same.any():
        first = int(same.argmax())
        refuse(
            Refusal.DUPLICATE_SLICES,
            f"each slice must have its own position, {int(same.sum())} lie(s) where another does, the first two are "
            f"{named(headers[first])} and {named(headers[first + 1])}; split repeated or multi-phase acquisitions into one "
            "series each",
        )


def _check_gaps(gaps: Float[ndarray, "n"], usual: float, headers: Sequence[Dataset]) -> None:
    """Refuse gaps of a whole number of spacings, which is what missing slices leave."""
    ratio = gaps / usual
    missing = np.rint(ratio).astype(int) - 1
    is_whole = np.abs(ratio - np.rint(ratio)) <= SPACING_TOLERANCE * np.maximum(np.rint(ratio), 1)
    if (missing > 0).any() and is_whole.all():
        after = int((missing > 0).argmax())
        refuse(
            Refusal.MISSING_SLICE,
            f"{int(missing.sum())} slice(s) are missing, the first between {named(headers[after])} and "
            f"{named(headers[after + 1])} ({gaps[after]:.2f} mm where {usual:.2f} mm is usual); send the series again",
        )

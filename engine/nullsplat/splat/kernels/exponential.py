"""exp(-q/2) inside the cut-off, as a polynomial that the compiler can turn into vector instructions.

In single precision, that is: numba calls the C library for `exp`, one number at a time, and that is what double
precision, which only tests use, gets. With u = -q/16 in [-1, 0], exp(-q/2) = exp(u)^8, and
a polynomial of degree 6 through the Chebyshev nodes of [-1, 0] is exp(u) to 4e-8 relative; three squarings
make that 3e-7, about what single precision holds anyway.
"""

import math
import typing

import numba
import numpy as np
from numba.extending import overload

CUTOFF = 4.0
"""Default radius, in standard deviations, at which a Gaussian is cut off.

At 4 a cut value is below 3.4e-4 of the peak, and the mass lost is exp(-8) = 0.034 % of a projection and
0.11 % of a volume.
"""

MAX_CUTOFF = 4.0
"""The polynomial holds for q <= 16."""

LANES = 16
"""Pixels that are computed side by side; rows are padded by as many, so that a block may overhang the border."""

FASTMATH = {"contract", "reassoc", "nsz", "arcp"}
"""Freedoms that leave NaN and infinity as they are, so that the guards against them work."""

_DEGREE = 6
_C0, _C1, _C2, _C3, _C4, _C5, _C6 = (
    np.float32(c)
    for c in np.polynomial.Chebyshev.interpolate(np.exp, _DEGREE, domain=[-1, 0])
    .convert(kind=np.polynomial.Polynomial)
    .coef
)
_TO_UNIT = np.float32(-1 / 16)


@typing.no_type_check
def gaussian(q):
    """exp(-q/2) for 0 <= q <= 16."""
    return math.exp(-0.5 * q)


@typing.no_type_check
def _polynomial(q):
    u = q * _TO_UNIT
    p = _C0 + u * (_C1 + u * (_C2 + u * (_C3 + u * (_C4 + u * (_C5 + u * _C6)))))
    p = p * p
    p = p * p
    return p * p


@typing.no_type_check
@overload(gaussian, inline="always")
def _compiled(q):
    return _polynomial if q == numba.float32 else gaussian


@typing.no_type_check
@numba.njit(inline="always")
def overlap(centre, reach, start, stop):
    """Whole numbers in [start, stop) that lie within `reach` of `centre`, as (first, past the last); maybe none.

    Huge or undefined reaches are met with comparisons, not with casts, which would be undefined.
    """
    low, high = centre - reach, centre + reach
    if not (low < stop and high >= start):  # also when either is NaN
        return start, start
    first = start if low <= start else int(np.ceil(low))
    last = stop if high >= stop - 1 else int(np.floor(high)) + 1
    return first, last

# SPDX-License-Identifier: AGPL-3.0-or-later
"""How far the headers of a series may be off. The engine has the same limits, and tests/contract compares them."""

from __future__ import annotations

ORIENTATION_TOLERANCE = 1e-3
"""Largest difference between the direction cosines of two slices, where they are written with three digits or more."""

UNIT_TOLERANCE = 0.02
"""How far the direction cosines may be off unit length and right angles; two digits after the point are off by 0.0175."""

PIXEL_SPACING_TOLERANCE = 5e-4
"""Largest difference of a slice's pixel spacing from the first one's, relative; a quarter of a pixel over 512."""

SPACING_TOLERANCE = 0.05
"""Largest distance of a slice from the regular grid, in slice spacings; positions rounded to 0.1 mm pass."""

DUPLICATE_DISTANCE = 0.01
"""Slices nearer than this many mm share a position, or nearer than this share of the largest distance."""

LARGEST_TILT = 35.0
"""Degrees; gantries tilt by up to 30, and a stack sheared by more is not from one gantry tilt."""

LEAST_COVERAGE = 0.8
"""Least slice thickness, in slice spacings, of a stack without gaps."""

THICKEST = 50.0
"""Largest slice thickness in mm that a scanner makes."""

COVERAGE_RANGE = (0.01, 20.0)
"""Slice thickness in slice spacings beyond which one of both must be in another unit."""

THICKNESS_TOLERANCE = 0.02
"""Largest difference between the slice thicknesses of a series, relative."""

SQUARE_TOLERANCE = 1e-3
"""Largest difference between the two pixel spacings of square pixels, relative."""

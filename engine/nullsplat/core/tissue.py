"""Ranges of Hounsfield units by which figures are told apart."""

TISSUE_HU: dict[str, tuple[float, float]] = {
    "lung": (-950.0, -500.0),
    "soft tissue": (-150.0, 200.0),
    "bone": (300.0, 3071.0),
}
"""Lowest and highest HU of each. What lies between is a mixture at an edge and belongs to none."""

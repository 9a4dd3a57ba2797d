"""Do the data speak for the assumed slice profile? The noise of neighbouring slices tells.

What a scanner's slices share of the rays that went through the patient, they share of its noise: the correlation of the
noise of two slices is the autocorrelation of the slice profile at their distance. For slices as far apart as they are
thick it is 0 for a box and 1/6 for a bell. Structure, which neighbours share too, is kept out by looking at the highest
frequencies in plane of flat tissue, and what is left of it by the correlation of slices too far apart to share a ray.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from nullsplat.physics.noise import DEVIATION_PER_MAD, flat_tissue, highest_frequencies
from nullsplat.physics.point_spread import PointSpread, voxel_weights
from nullsplat.physics.profile import BELL, Profile, Resolution

Verdict = Literal["supported", "contradicted", "undecided"]

WIDTH_TOLERANCE = 0.1
"""A profile is contradicted by a correlation that it would not have if it were so much wider or narrower."""

_MARGIN = 0.02  # of a correlation: scatter between patients and scanners of one kind
_FEWEST_PAIRS = 2000
_FEWEST_SLICES = 6
_LEAST_RATIO = 0.8  # thinner slices share no ray, whatever their profile
_NEGLIGIBLE = 0.01
_MOST_STRUCTURE = 0.2  # correlation of slices that share no ray; on six real scans it was 0.08 at most
_MOST_SLICES = 64  # from the middle of the series: more change nothing but the time
_MOST_ROUNDING = 0.7  # of the noise's variance
_CUT = 3.0  # deviations: beyond lies structure
_POINTS = 4096  # at which profiles are compared
_FACTORS = np.arange(0.5, 2.51, 0.05)


@dataclass(frozen=True)
class ProfileCheck:
    """How plausible an assumed profile is.

    Attributes:
        verdict: `undecided` where there is too little noise, tissue or overlap to tell.
        noise_correlation: of neighbouring slices, measured; None where it cannot be.
        expected: by the assumed profile; None where it plays no part.
        apparent: factor of the bell that would have the measured correlation.
        why: the verdict in a sentence.
    """

    verdict: Verdict
    noise_correlation: float | None
    expected: float | None
    apparent: float | None
    why: str

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "verdict": self.verdict,
            "noise_correlation": self.noise_correlation,
            "expected_noise_correlation": self.expected,
            "apparent_bell_factor": self.apparent,
            "why": self.why,
        }


def check_profile(hu: Float[ndarray, "z y x"], resolution: Resolution, distance_mm: float) -> ProfileCheck:
    """Compare the noise of neighbouring slices with what an assumed profile leads to expect.

    Args:
        hu: measured volume in HU, not resampled.
        resolution: what is assumed of its slices.
        distance_mm: of slices.
    """
    assumed, ratio = resolution.slice_profile, resolution.slice_thickness_ratio
    expected = shared_noise(assumed.spread(ratio, distance_mm))
    if ratio < _LEAST_RATIO:
        why = f"slices that are {1 - ratio:.0%} thinner than they are far apart share no noise"
        return ProfileCheck("undecided", None, expected, None, why)
    first = max(len(hu) - _MOST_SLICES, 0) // 2
    measured = noise_correlation(hu[first : first + _MOST_SLICES], ratio)
    if measured is None:
        why = "the series has too few slices, or too little noise in flat tissue beside structure and rounding, to tell"
        return ProfileCheck("undecided", None, expected, None, why)
    apparent = _apparent_factor(measured, ratio, distance_mm)
    low, high = (_scaled(assumed, 1 + side * WIDTH_TOLERANCE, ratio, distance_mm) for side in (-1, 1))
    found = f"the noise of neighbouring slices correlates by {measured:.2f}, {expected:.2f} was expected"
    if low - _MARGIN <= measured <= high + _MARGIN:
        return ProfileCheck("supported", measured, expected, apparent, found)
    advice = f"{found}; it would fit bell*{apparent:.2g}, which --slice-profile or a rule can set"
    return ProfileCheck("contradicted", measured, expected, apparent, advice)


def shared_noise(psf: PointSpread, lag: int = 1) -> float:
    """Correlation of the noise of samples `lag` apart that average white noise with a point-spread function."""
    reach = 2 * psf.width * max(len(psf.table), 1)
    scale = _POINTS / (2 * reach + lag)
    at = np.arange(_POINTS) - reach * scale
    one, other = voxel_weights(np.stack([at, at - lag * scale]), scale, psf)
    return float(one @ other / (one @ one))


def noise_correlation(hu: Float[ndarray, "z y x"], ratio: float) -> float | None:
    """Correlation of the noise of neighbouring slices; None where there is too little to measure it.

    Args:
        hu: volume in HU.
        ratio: slice thickness over the distance of slices; says how far apart slices share no ray.
    """
    wide = BELL.spread(1.3 * ratio, 1.0)
    far = next((lag for lag in range(2, len(hu) - 1) if shared_noise(wide, lag) < _NEGLIGIBLE), None)
    if far is None or len(hu) < _FEWEST_SLICES or min(hu.shape[1:]) < 3:
        return None
    noise, flat = highest_frequencies(hu), flat_tissue(hu)
    near, rest = (_correlation(noise, flat, lag) for lag in (1, far))
    rounding = _rounding_variance(hu) / max(_deviation(noise, flat) ** 2, 1e-12)
    if near is None or rest is None or rest > _MOST_STRUCTURE or rounding > _MOST_ROUNDING:
        return None
    structure = max(rest, 0.0)
    return float(np.clip((near / (1 - rounding) - structure) / (1 - structure), 0, 1))


def _correlation(noise: Float[ndarray, "z y x"], flat: Bool[ndarray, "z y x"], lag: int) -> float | None:
    both = flat[lag:] & flat[:-lag]
    a, b = noise[lag:][both], noise[:-lag][both]
    if len(a) < _FEWEST_PAIRS:
        return None
    inside = a**2 + b**2 < 2 * (_CUT * max(_deviation(noise, flat), 1e-6)) ** 2
    a, b = a[inside].astype(np.float64), b[inside].astype(np.float64)
    power = np.sqrt(np.mean(a * a) * np.mean(b * b))
    return float(np.mean(a * b) / power) if power > 0 else None


def _deviation(noise: Float[ndarray, "z y x"], flat: Bool[ndarray, "z y x"]) -> float:
    return DEVIATION_PER_MAD * float(np.median(np.abs(noise[flat])))


def _rounding_variance(hu: Float[ndarray, "z y x"]) -> float:
    """Variance that storing whole numbers of some step has added, which no slice shares with another."""
    levels = np.unique(hu[len(hu) // 2])
    steps = np.diff(levels)
    step = float(np.median(steps)) if len(steps) else 0.0
    return step**2 / 12 if step > 0.1 else 0.0


def _apparent_factor(measured: float, ratio: float, distance_mm: float) -> float:
    expected = [_scaled(BELL, factor, ratio, distance_mm) for factor in _FACTORS]
    return round(float(_FACTORS[int(np.argmin(np.abs(np.array(expected) - measured)))]), 2)


def _scaled(profile: Profile, factor: float, ratio: float, distance_mm: float) -> float:
    """What slices with a wider or narrower profile would share."""
    if profile.kind == "table":
        return shared_noise(profile.spread(ratio, distance_mm / factor))
    return shared_noise(profile.spread(ratio * factor, distance_mm))

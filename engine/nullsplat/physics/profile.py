"""Sensitivity profiles: what a sample is assumed to average over, in the words of a command line or a rule."""

import re
from dataclasses import dataclass
from typing import Literal

from nullsplat.core.errors import ConfigurationError
from nullsplat.core.volume import Axes3, Volume
from nullsplat.physics.point_spread import PointSpread

AUTO = "auto"
"""The profile that the header speaks for."""

GRAMMAR = (
    "bell, box or gaussian, with a factor from 0.2 to 5 such as bell*0.9, or a measured curve such as "
    "1mm:0.1,0.2,0.4,0.2,0.1 (an odd number of weights, 101 at most, with a positive sum)"
)

_FACTOR = r"0\.[2-9][0-9]{0,8}|[1-4](?:\.[0-9]{1,9})?|5(?:\.0{1,9})?"
_NUMBER = r"[0-9]{1,4}(?:\.[0-9]{1,9})?"
_NAMED = re.compile(rf"(bell|box|gaussian)(?:\*({_FACTOR}))?")
_MEASURED = re.compile(rf"(?=[0.]*[1-9])({_NUMBER})mm:(-?{_NUMBER}(?:,-?{_NUMBER},-?{_NUMBER}){{1,50}})")


@dataclass(frozen=True)
class Profile:
    """How sensitivity varies across a slice, or across a pixel.

    Attributes:
        kind: `bell`, `box` and `gaussian` as in `PointSpread`, or `table`, a measured curve.
        factor: FWHM in slice thicknesses (across slices) or in pixel distances (in plane); not for a table.
        step_mm: distance of a table's entries.
        table: an odd number of weights about the middle.
    """

    kind: Literal["bell", "box", "gaussian", "table"]
    factor: float = 1.0
    step_mm: float = 0.0
    table: tuple[float, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Profile":
        """The profile that a text stands for; see `GRAMMAR`.

        Raises:
            ConfigurationError: it stands for none.
        """
        if named := _NAMED.fullmatch(text):
            return cls(_kind(named[1]), float(named[2] or 1))
        if measured := _MEASURED.fullmatch(text):
            table = tuple(float(weight) for weight in measured[2].split(","))
            if sum(table) > 0:
                return cls("table", step_mm=float(measured[1]), table=table)
        raise ConfigurationError(f"a profile must be {GRAMMAR}, got {text!r}")

    def __str__(self) -> str:
        """The text that `parse` takes."""
        if self.kind == "table":
            return f"{_plain(self.step_mm)}mm:" + ",".join(map(_plain, self.table))
        return self.kind if self.factor == 1 else f"{self.kind}*{_plain(self.factor)}"

    def spread(self, ratio: float, distance_mm: float) -> PointSpread:
        """The profile for samples at a certain distance.

        Args:
            ratio: slice thickness over the distance of slices; 1 in plane.
            distance_mm: between samples.
        """
        if self.kind == "table":
            return PointSpread("table", self.step_mm / distance_mm, self.table)
        return PointSpread(self.kind, self.factor * ratio)

    def fwhm_mm(self, thickness_mm: float) -> float | None:
        """Full width at half maximum for a nominal thickness; None of a measured curve, which says it itself."""
        return None if self.kind == "table" else self.factor * thickness_mm


BELL, BOX, GAUSSIAN = Profile("bell"), Profile("box"), Profile("gaussian")


@dataclass(frozen=True)
class Resolution:
    """What the samples of a measured volume are taken to average over.

    Attributes:
        slice_thickness_ratio: slice thickness over the distance of slices.
        slice_profile: how sensitivity varies across a slice; a bell unless more is known (docs/adr/0013).
        in_plane_profile: how it varies across a pixel, where the axial plane is refined.
        why: the evidence for the slice profile, in a few words without patient data; decides nothing.
    """

    slice_thickness_ratio: float = 1.0
    slice_profile: Profile = BELL
    in_plane_profile: Profile = GAUSSIAN
    why: str = "assumed"

    @classmethod
    def of(cls, volume: Volume) -> "Resolution":
        """What a volume tells of its slices.

        Raises:
            ConfigurationError: its slice profile is none.
        """
        distance = volume.geometry.spacing[0]
        ratio = (volume.slice_thickness or distance) / distance
        return cls(ratio, Profile.parse(volume.slice_profile), why=volume.profile_evidence)

    def point_spreads(self, spacing: Axes3) -> tuple[PointSpread, PointSpread, PointSpread]:
        """Point-spread functions along (z, y, x) of samples of a spacing in mm."""
        in_plane = self.in_plane_profile.spread(1.0, spacing[2])
        return self.slice_profile.spread(self.slice_thickness_ratio, spacing[0]), in_plane, in_plane


def _kind(name: str) -> Literal["bell", "box", "gaussian"]:
    return "bell" if name == "bell" else "box" if name == "box" else "gaussian"


def _plain(value: float) -> str:
    """All digits that `parse` takes, and no exponent."""
    return f"{value:.9f}".rstrip("0").rstrip(".")

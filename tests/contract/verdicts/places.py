"""Rows about where slices lie and how thick they are."""

import math
from collections.abc import Callable

from pydicom.uid import generate_uid
from tests.contract.verdicts.table import (
    Row,
    Series,
    at,
    each,
    every,
    kept,
    odd,
    raw,
    row,
    some,
    then,
    up,
    upper,
    without,
)
from tests.support.dicom.series import CORONAL, OBLIQUE, PRONE, SAGITTAL, Spec

NODE_TAKES_AXIAL = "the node takes axial stacks only; a person at the command line chooses what to read"
TURNED = [0, 1, 0, 0, 0, -1]


def oriented(cosines: tuple[float, ...]) -> Spec:
    return Spec(shape=(6, 8, 8), spacing=(5.0, 0.7, 0.7), orientation=cosines)


def spaced(z: float, thickness: object = None) -> Spec:
    extra = {} if thickness is None else {"SliceThickness": thickness}
    return Spec(shape=(6, 8, 8), spacing=(z, 0.7, 0.7), extra=extra)


def tilted(degrees: float) -> tuple[float, ...]:
    return (1.0, 0.0, 0.0, 0.0, math.cos(math.radians(degrees)), math.sin(math.radians(degrees)))


def turned(degrees: float) -> tuple[float, ...]:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return (c, s, 0.0, -s, c, 0.0)


def leaning(degrees: float) -> Callable[[int], tuple[float, float, float]]:
    return lambda i: (-100.0, -90 + 5 * i * math.tan(math.radians(degrees)), 5.0 * i)


def again(series: Series) -> Series:
    """The same slices with other UIDs, as a second phase has them."""
    from copy import deepcopy

    copies = deepcopy(series)
    for index, dataset in enumerate(copies):
        dataset.SOPInstanceUID = generate_uid(entropy_srcs=[dataset.SOPInstanceUID, "again"])
        dataset.InstanceNumber = len(series) + index + 1
    return copies


POSITIONS = [
    row("fed upside down", "taken", spec=Spec(shape=(6, 8, 8), spacing=(5.0, 0.7, 0.7), descending=True)),
    row("in no order", "taken", lambda series: series[::3] + series[1::3] + series[2::3]),
    row("numbered at random", "taken", each("InstanceNumber", lambda i: (i * 5) % 6)),
    row("no instance numbers", "taken", without("InstanceNumber")),
    row("no position", "incomplete-header", without("ImagePositionPatient")),
    row("no position on one slice", "incomplete-header", without("ImagePositionPatient", which=range(5, 6))),
    row("position nan", "incomplete-header", raw("ImagePositionPatient", "DS", b"nan\\0\\0", range(1, 2))),
    row("position of two values", "incomplete-header", raw("ImagePositionPatient", "DS", b"0\\0")),
    row("position with decimal commas", "incomplete-header", raw("ImagePositionPatient", "DS", b"1,5\\0,0\\0,0")),
    row("positions rounded to a tenth", "taken", up(lambda i: round(3.3333 * i, 1)), every(SliceThickness=3.3)),
    row("a slice missing", "missing-slice", kept(lambda i: i != 2)),
    row("two slices missing", "missing-slice", kept(lambda i: i not in (2, 5)), spec=Spec(shape=(10, 8, 8), spacing=(5.0, 0.7, 0.7))),
    row("two neighbours missing", "missing-slice", kept(lambda i: i not in (2, 3))),
    row("one slice 0.4 mm off", "irregular-spacing", up(lambda i: 5 * i + 0.4 * (i == 4))),
    row("one slice 0.2 mm off", "taken", up(lambda i: 5 * i + 0.2 * (i == 4))),
    row("a step in the spacing", "irregular-spacing", up(lambda i: 5 * i + 2 * (i >= 3))),
    row("4 mm, then 7 mm", "irregular-spacing", up(lambda i: 4 * i if i < 3 else 8 + 7 * (i - 2)), every(SliceThickness=4)),
    row("growing distances", "irregular-spacing", up(lambda i: 5 * i * (1 + 0.02 * i))),
    row("the last slice far away", "missing-slice", up(lambda i: 5 * i + 50 * (i == 5))),
    row("a repeated slice", "duplicate-slices", then(lambda series: again(series[2:3]))),
    row("two phases", "duplicate-slices", then(again)),
    row("all at one place", "duplicate-slices", up(lambda i: 0.0)),
    row("two passes that overlap", "irregular-spacing", up(lambda i: 5.0 * i if i < 3 else 5.0 * (i - 2) + 1.7)),
    row("9 micrometres apart", "taken", up(lambda i: 0.009 * i), without("SliceThickness"), plugin="already-fine",
        why="the default rule aims at 1.25 mm"),
    row("1 mm apart", "taken", spec=spaced(1.0), plugin="already-fine", why="the default rule aims at 1.25 mm"),
    row("2.5 mm apart", "taken", spec=spaced(2.5)),
    row("one slice aside", "irregular-spacing", at(lambda i: (-100 + 3 * (i == 3), -90, 5 * i))),
    row("the last slice aside", "irregular-spacing", at(lambda i: (-100 + 3 * (i == 5), -90, 5 * i))),
    row("the first slice aside", "irregular-spacing", at(lambda i: (-100 + 3 * (i == 0), -90, 5 * i))),
    row("the table moved half-way", "irregular-spacing", at(lambda i: (-100 + 3 * (i >= 3), -90, 5 * i))),
    row("a third of a pixel aside", "taken", at(lambda i: (-100 + 0.2 * (i == 3), -90, 5 * i))),
    row("leaning by 15 degrees", "taken", at(leaning(15))),
    row("leaning by 34 degrees", "taken", at(leaning(34))),
    row("leaning by 36 degrees", "gantry-tilt", at(leaning(36))),
    row("leaning by 15 degrees, one slice aside", "irregular-spacing", at(leaning(15)), some((3,), ImagePositionPatient=[-97, -85, 15])),
    row("leaning by 15 degrees, air at 0", "not-hounsfield", at(leaning(15)), every(RescaleIntercept=0), without("RescaleType"),
        plugin="taken", why="only the pixels tell, which the plugin does not read"),
    row("leaning by 2 degrees", "taken", at(leaning(2))),
    row("tilted slices on a straight table", "taken", every(ImageOrientationPatient=list(tilted(15)))),
    row("tilt in the header of a straight stack", "taken", every(GantryDetectorTilt=12.5)),
    row("negative tilt in the header of a straight stack", "taken", every(GantryDetectorTilt=-12.5)),
    row("tilt in one header", "taken", some((3,), GantryDetectorTilt=3)),
    row("tilt 0", "taken", every(GantryDetectorTilt=0)),
    row("tilt 0.05", "taken", every(GantryDetectorTilt=0.05)),
    row("tilt left empty", "taken", every(GantryDetectorTilt=None)),
    row("tilt of blanks", "taken", raw("GantryDetectorTilt", "DS", b"    ")),
    row("tilt in words", "taken", raw("GantryDetectorTilt", "DS", b"none")),
]  # fmt: skip

ORIENTATIONS = [
    row("prone", "taken", spec=oriented(PRONE)),
    row("decubitus", "taken", spec=oriented((0.0, 1.0, 0.0, -1.0, 0.0, 0.0))),
    row("normal to the feet", "taken", spec=oriented((1.0, 0.0, 0.0, 0.0, -1.0, 0.0))),
    row("straight stack of 12 degrees", "taken", spec=oriented(tilted(12))),
    row("in-plane turn of 1 degree, many digits", "taken", spec=oriented(turned(1))),
    row("in-plane turn of 1 degree, two digits", "taken", every(ImageOrientationPatient=[1.0, 0.02, 0.0, -0.02, 1.0, 0.0]), spec=oriented(turned(1))),
    row("in-plane turn of 10 degrees, two digits", "taken", every(ImageOrientationPatient=[0.98, 0.17, 0.0, -0.17, 0.98, 0.0]), spec=oriented(turned(10))),
    row("12 degrees, two digits", "taken", every(ImageOrientationPatient=[1.0, 0.0, 0.0, 0.0, 0.98, 0.21]), spec=oriented(tilted(12))),
    row("two digits that fall to either side", "taken", every(ImageOrientationPatient=[1.0, 0.02, 0.0, -0.02, 1.0, 0.0]),
        odd(ImageOrientationPatient=[1.0, 0.01, 0.0, -0.01, 1.0, 0.0]), spec=oriented(turned(0.86))),
    row("noise in the last digit of the cosines", "taken", odd(ImageOrientationPatient=[1, 1e-6, 0, -1e-6, 1, 0])),
    row("sagittal", "taken", spec=oriented(SAGITTAL), plugin="not-axial", why=NODE_TAKES_AXIAL),
    row("coronal", "taken", spec=oriented(CORONAL), plugin="not-axial", why=NODE_TAKES_AXIAL),
    row("oblique", "taken", spec=oriented(OBLIQUE), plugin="not-axial", why=NODE_TAKES_AXIAL),
    row("straight stack of 30 degrees", "taken", spec=oriented(tilted(30)), plugin="not-axial", why=NODE_TAKES_AXIAL),
    row("one turned slice", "mixed-orientation", some((4,), ImageOrientationPatient=TURNED)),
    row("one mirrored slice", "mixed-orientation", some((4,), ImageOrientationPatient=[-1, 0, 0, 0, 1, 0])),
    row("half of the slices turned by a degree", "mixed-orientation", upper(ImageOrientationPatient=list(turned(1)))),
    row("no orientation", "incomplete-header", without("ImageOrientationPatient")),
    row("no orientation on one slice", "incomplete-header", without("ImageOrientationPatient", which=range(2, 3))),
    row("orientation of three values", "incomplete-header", raw("ImageOrientationPatient", "DS", b"1\\0\\0")),
    row("orientation all zero", "incomplete-header", every(ImageOrientationPatient=[0, 0, 0, 0, 0, 0])),
    row("orientation not perpendicular", "incomplete-header", every(ImageOrientationPatient=[1, 0, 0, 0.1, 1, 0])),
    row("orientation too long", "incomplete-header", every(ImageOrientationPatient=[1.1, 0, 0, 0, 1, 0])),
    row("orientation nan", "incomplete-header", raw("ImageOrientationPatient", "DS", b"nan\\0\\0\\0\\1\\0")),
]  # fmt: skip

SIZES = [
    row("no pixel spacing", "incomplete-header", without("PixelSpacing")),
    row("empty pixel spacing", "incomplete-header", every(PixelSpacing=None)),
    row("one value of pixel spacing", "incomplete-header", raw("PixelSpacing", "DS", b"0.7 ")),
    row("pixel spacing 0", "incomplete-header", every(PixelSpacing=[0, 0])),
    row("negative pixel spacing", "incomplete-header", every(PixelSpacing=[-0.7, 0.7])),
    row("pixel spacing nan", "incomplete-header", raw("PixelSpacing", "DS", b"nan\\nan ")),
    row("pixel spacing padded with NUL", "taken", raw("PixelSpacing", "DS", b"0.7\\0.70\0")),
    row("pixel spacing with noise of 1e-9", "taken", some((5,), PixelSpacing=["0.700000001", "0.700000001"])),
    row("pixel spacing with noise of 1e-6", "taken", some((5,), PixelSpacing=["0.700001", "0.700001"])),
    row("pixel spacing with noise of 4e-5", "taken", some((5,), PixelSpacing=["0.70004", "0.70004"])),
    row("pixel spacing off by 0.001", "inconsistent-size", some((5,), PixelSpacing=[0.701, 0.701])),
    row("another pixel spacing", "inconsistent-size", some((5,), PixelSpacing=[0.5, 0.5])),
    row("pixel spacing that drifts", "inconsistent-size", each("PixelSpacing", lambda i: [0.7 + 0.0002 * i, 0.7])),
    row("pixels that are not square", "taken", every(PixelSpacing=[0.9, 0.6])),
    row("another number of rows", "inconsistent-size", some((5,), Rows=4, PixelData=bytes(64))),
    row("another number of columns", "inconsistent-size", some((5,), Columns=4, PixelData=bytes(64))),
    row("no rows", "incomplete-header", without("Rows")),
    row("no columns on one slice", "incomplete-header", without("Columns", which=range(1, 2))),
    row("rows 0", "incomplete-header", every(Rows=0)),
]  # fmt: skip

THICKNESS = [
    row("no thickness", "taken", without("SliceThickness")),
    row("empty thickness", "taken", every(SliceThickness=None)),
    row("thickness 0", "taken", every(SliceThickness=0)),
    row("negative thickness", "implausible-thickness", every(SliceThickness=-5)),
    row("thickness in words", "taken", raw("SliceThickness", "DS", b"thin")),
    row("thickness in micrometres", "implausible-thickness", spec=spaced(5.0, 5000)),
    row("thickness in metres", "implausible-thickness", spec=spaced(5.0, 0.005)),
    row("positions in metres", "implausible-thickness", spec=spaced(0.005, 5)),
    row("5 mm every 2.5 mm", "taken", spec=spaced(2.5, 5)),
    row("5 mm every 5 mm", "taken", spec=spaced(5.0, 5)),
    row("4.5 mm every 5 mm", "taken", spec=spaced(5.0, 4.5)),
    row("3.9 mm every 5 mm", "slice-gaps", spec=spaced(5.0, 3.9)),
    row("1 mm every 10 mm", "slice-gaps", spec=spaced(10.0, 1)),
    row("1 mm every 10 mm, and said to be 10 mm apart", "slice-gaps", every(SpacingBetweenSlices=10), spec=spaced(10.0, 1)),
    row("2.5 mm every 5 mm", "slice-gaps", spec=spaced(5.0, 2.5)),
    row("thickness alternates", "mixed-acquisition", odd(SliceThickness=1)),
    row("thickness changes half-way", "mixed-acquisition", upper(SliceThickness=2.5)),
    row("thickness missing on some slices", "taken", some((1, 2, 4), SliceThickness=None)),
    row("thickness with noise", "taken", odd(SliceThickness=5.0002)),
]  # fmt: skip

ROWS: list[Row] = [*POSITIONS, *ORIENTATIONS, *SIZES, *THICKNESS]

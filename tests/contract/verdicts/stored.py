"""Rows about stored values and how they become Hounsfield units."""

from pydicom.dataset import Dataset
from tests.contract.verdicts.table import Row, Series, each, every, raw, row, sequence, some, without
from tests.support.dicom.series import Spec

ONLY_PIXELS_TELL = "only the pixels tell, which the plugin does not read; the engine refuses after fetching"
NOT_MEANT_FOR_PEOPLE = (
    "the file is damaged in a way that only decoding shows; the engine refuses after fetching"
)


def lut(series: Series) -> None:
    for dataset in series:
        del dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType
        item = Dataset()
        item.LUTDescriptor, item.ModalityLUTType = [16, 0, 16], "HU"
        item.add_new(0x00283006, "OW", bytes(32))
        dataset.ModalityLUTSequence = [item]


def bits(stored: int, high: int) -> dict[str, object]:
    return {"BitsStored": stored, "HighBit": high}


RESCALE = [
    row("no rescale", "incomplete-header", without("RescaleSlope", "RescaleIntercept", "RescaleType")),
    row("no slope", "incomplete-header", without("RescaleSlope")),
    row("no intercept", "incomplete-header", without("RescaleIntercept")),
    row("no intercept on one slice", "incomplete-header", without("RescaleIntercept", which=range(4, 5))),
    row("empty slope", "incomplete-header", every(RescaleSlope=None)),
    row("empty intercept", "incomplete-header", every(RescaleIntercept=None)),
    row("a modality LUT", "incomplete-header", lut),
    row("slope -1", "not-hounsfield", every(RescaleSlope=-1)),
    row("slope 0", "not-hounsfield", every(RescaleSlope=0)),
    row("slope 0 on one slice", "not-hounsfield", some((5,), RescaleSlope=0)),
    row("slope 0.5", "taken", every(RescaleSlope=0.5)),
    row("slope 10", "taken", every(RescaleSlope=10, RescaleIntercept=-10240), plugin="taken"),
    row("slope of each slice", "taken", each("RescaleSlope", lambda i: 1 + i / 10)),
    row("slope in words", "incomplete-header", raw("RescaleSlope", "DS", b"one ")),
    row("slope nan", "not-finite", raw("RescaleSlope", "DS", b"nan ")),
    row("slope inf", "not-finite", raw("RescaleSlope", "DS", b"inf ")),
    row("intercept nan on one slice", "not-finite", raw("RescaleIntercept", "DS", b"nan ", range(2, 3))),
    row("intercept of two values", "incomplete-header", raw("RescaleIntercept", "DS", b"-1024\\-1024")),
    row("intercept with a decimal comma", "incomplete-header", raw("RescaleIntercept", "DS", b"-1024,0")),
    row("slope padded with NUL", "taken", raw("RescaleSlope", "DS", b"1.0\0")),
    row("slope with an exponent", "taken", raw("RescaleSlope", "DS", b"1.0E0 ")),
    row("huge slope", "not-hounsfield", every(RescaleSlope="1e30"), plugin="taken", why=ONLY_PIXELS_TELL),
    row("values above what can be written", "not-hounsfield", every(RescaleSlope=20), plugin="taken", why=ONLY_PIXELS_TELL),
    row("air at 0, and no rescale type", "not-hounsfield", every(RescaleIntercept=0), without("RescaleType"), plugin="taken", why=ONLY_PIXELS_TELL),
    row("air at 0 of an unspecified type", "not-hounsfield", every(RescaleIntercept=0, RescaleType="US"), plugin="taken", why=ONLY_PIXELS_TELL),
    row("nothing below 0 that says HU", "taken", every(RescaleIntercept=0)),
    row("rescale type HU", "taken", every(RescaleType="HU")),
    row("rescale type padded with NUL", "taken", raw("RescaleType", "LO", b"HU\0\0")),
    row("rescale type in lower case", "taken", raw("RescaleType", "LO", b"hu")),
    row("rescale type unspecified", "taken", every(RescaleType="US")),
    row("no rescale type", "taken", without("RescaleType")),
    row("rescale type Hounsfield", "not-hounsfield", every(RescaleType="Hounsfield")),
    *(row(f"rescale type {unit}", "not-hounsfield", every(RescaleType=unit)) for unit in ("OD", "MGML", "Z_EFF", "ED", "EDW", "HU_MOD", "PCT", "IOD")),
    row("rescale type of another kind on one slice", "not-hounsfield", some((3,), RescaleType="Z_EFF")),
]  # fmt: skip

PIXELS = [
    row("colour", "not-hounsfield", every(SamplesPerPixel=3)),
    row("RGB", "not-hounsfield", every(PhotometricInterpretation="RGB")),
    row("palette", "not-hounsfield", every(PhotometricInterpretation="PALETTE COLOR")),
    row("palette on one slice", "not-hounsfield", some((2,), PhotometricInterpretation="PALETTE COLOR")),
    row("inverted display", "taken", every(PhotometricInterpretation="MONOCHROME1")),
    row("no photometric interpretation", "incomplete-header", without("PhotometricInterpretation")),
    row("photometric interpretation in lower case", "not-hounsfield", raw("PhotometricInterpretation", "CS", b"monochrome2 ")),
    row("no samples per pixel", "incomplete-header", without("SamplesPerPixel")),
    row("no bits allocated", "incomplete-header", without("BitsAllocated")),
    row("no bits stored", "incomplete-header", without("BitsStored")),
    row("no high bit", "taken", without("HighBit")),
    row("no pixel representation", "incomplete-header", without("PixelRepresentation")),
    row("high bit 15 of 12", "incomplete-header", every(HighBit=15)),
    row("high bit 15 of 12 on one slice", "incomplete-header", some((1,), HighBit=15)),
    row("16 bits", "taken", every(**bits(16, 15))),
    row("10 bits", "values-beyond-bits-stored", every(**bits(10, 9)), plugin="taken", why=ONLY_PIXELS_TELL),
    row("more bits stored than allocated", "incomplete-header", every(**bits(20, 19))),
    row("13 bits allocated", "incomplete-header", every(BitsAllocated=13)),
    row("signed pixels", "taken", spec=Spec(shape=(6, 8, 8), spacing=(5.0, 0.7, 0.7), signed=True)),
    row("pixel representation 2", "incomplete-header", every(PixelRepresentation=2)),
    row("padding below air", "taken", every(PixelPaddingValue=0)),
    row("padding above tissue", "taken", every(PixelPaddingValue=63536)),
    row("no pixels", "unreadable-file", without("PixelData"), plugin="taken", why=NOT_MEANT_FOR_PEOPLE),
    row("half of the pixels", "unreadable-file", some((3,), PixelData=bytes(64)), plugin="taken", why=NOT_MEANT_FOR_PEOPLE),
    row("a lossy past", "taken", every(LossyImageCompression="01", LossyImageCompressionRatio=10)),
    row("a window of width 0", "taken", every(WindowWidth=0)),
    row("a VOI LUT", "taken", every(VOILUTSequence=sequence(LUTExplanation="none"))),
]  # fmt: skip

ROWS: list[Row] = [*RESCALE, *PIXELS]

"""What a reader of a result must know about its source, in sentences that hold nothing about the patient."""

from collections.abc import Sequence

from pydicom.dataset import Dataset

from nullsplat.dicom.headers import number, text, words
from nullsplat.dicom.leaning import Lean


def on_source(headers: Sequence[Dataset], left_out: int, made_frame: bool, lean: Lean) -> list[str]:
    """The remarks on a series.

    Args:
        headers: of its slices.
        left_out: how many images of the series are no slices.
        made_frame: whether its frame of reference was made up here.
        lean: how its slices stack.
    """
    remarks = []
    if lean.degrees:
        remarks.append(
            f"the gantry was tilted by {lean.degrees:.1f} degrees: each slice was shifted in its plane by its known "
            "offset, band-limited, and stacked along its normal"
        )
    if made_frame:
        remarks.append("the source has no Frame of Reference UID, one was made from its Series Instance UID")
    if left_out:
        remarks.append(f"{left_out} image(s) of the series are no slices and were left out")
    return [*remarks, *_processed(headers[0])]


def _processed(header: Dataset) -> list[str]:
    remarks = []
    if words(header, "ImageType")[:1] == ("DERIVED",):
        remarks.append("the source is itself derived from other images")
    if text(header, "LossyImageCompression") == "01":
        ratio = number(header, "LossyImageCompressionRatio")
        by = f", {ratio:g} to 1" if ratio else ""
        remarks.append(f"the source was compressed with loss{by}")
    return remarks

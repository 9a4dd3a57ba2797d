"""What a reader of a result must know about its source, in sentences that hold nothing about the patient."""

from collections.abc import Sequence

from pydicom.dataset import Dataset

from nullsplat.dicom.geometry.thickness import unmeasured_share
from nullsplat.dicom.geometry.tilt import Lean
from nullsplat.dicom.headers import number, text, words


def on_thickness(thickness: float | None, spacing: float) -> list[str]:
    """The remarks on how thick the slices are.

    Args:
        thickness: mm, None where no header says it.
        spacing: distance of neighbouring slices, mm.
    """
    if thickness is None:
        return [
            f"the source does not say its slice thickness, it was taken for the distance, {spacing:.4g} mm"
        ]
    share = unmeasured_share(thickness, spacing)
    gaps = f"the source has gaps: slices of {thickness:.4g} mm every {spacing:.4g} mm"
    return [f"{gaps}, {share:.0%} of the length was never measured and is invented"] if share else []


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
    return [*remarks, *_processed(headers)]


def _processed(headers: Sequence[Dataset]) -> list[str]:
    remarks = []
    if any(words(header, "ImageType")[:1] == ("DERIVED",) for header in headers):
        remarks.append("the source is itself derived from other images")
    lossy = [header for header in headers if text(header, "LossyImageCompression") == "01"]
    if lossy:
        ratio = number(lossy[0], "LossyImageCompressionRatio")
        by = f", {ratio:g} to 1" if ratio else ""
        remarks.append(f"the source was compressed with loss{by}")
    return remarks

"""Texts by which people tell a derived series from its source."""

from pydicom.dataset import Dataset

from nullsplat.dicom.headers import number, text
from nullsplat.dicom.provenance import METHODS, Provenance
from nullsplat.dicom.read.eligibility import PRODUCT_NAME

_LO_CHARACTERS = 64
_ST_CHARACTERS = 1024
_LARGEST_IS = 2**31 - 1


def series_description(header: Dataset, provenance: Provenance, kind: str = "") -> str:
    """`[SuperRes 4x RESEARCH]`, a space and the source's description, shortened to the 64 characters of an LO.

    The label stands first because viewers cut what does not fit their list; it is not `SR`, a Structured Report (ADR 0028).

    Args:
        kind: goes before RESEARCH where the series holds something else than the result, such as `STDDEV` and a space.
    """
    label = f"[SuperRes {max(provenance.scale):.3g}x {kind}RESEARCH]"
    original = " ".join(text(header, "SeriesDescription").replace("\\", " ").split())
    return f"{label} {original}"[:_LO_CHARACTERS].rstrip()


def series_number(header: Dataset, offset: int) -> int:
    """The source's number plus the offset; the offset alone where the source has none or the sum is no IS."""
    original = number(header, "SeriesNumber")
    if original is None or not 0 <= original + offset <= _LARGEST_IS:
        return offset
    return int(original) + offset


def derivation_description(provenance: Provenance, caution: str = "") -> str:
    """A caution, method, factors, settings and measured consistency, in the 1024 characters of an ST."""
    z, y, x = provenance.scale
    text = (
        f"{caution}Super-resolved {z:.4g} x {y:.4g} x {x:.4g} (z, y, x) by {PRODUCT_NAME} {provenance.software_version}: "
        f"{METHODS[provenance.stage1]}, signed Gaussian splatting, 3D consistency. "
        f"Preset {provenance.preset}, {provenance.steps} step(s), {provenance.samples} sample(s), "
        f"seed {provenance.seed}, attempt {provenance.attempt}, weights {provenance.model_hash}, "
        f"configuration {provenance.config_hash}. "
        f"Slice profile {provenance.slice_profile}. "
        f"Downsampled again it differs from the source by {provenance.lr_consistency_rmse_hu:.2f} HU (RMSE). "
        "Fine detail is partly synthesised by a model. Research use only."
    )
    if not provenance.outside_training:
        return _with_remarks(text, provenance.remarks)
    warned = f"{text} The source lies OUTSIDE what the model was trained on."
    return _with_remarks(warned, (*provenance.outside_training.split("; "), *provenance.remarks))


def _with_remarks(text: str, remarks: tuple[str, ...]) -> str:
    """The text with as many whole remarks on the source as an ST can hold."""
    for remark in remarks:
        longer = f"{text} {remark[0].upper()}{remark[1:]}."
        if len(longer) <= _ST_CHARACTERS:
            text = longer
    return text

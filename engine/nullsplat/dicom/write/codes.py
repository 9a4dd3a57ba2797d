"""Coded concepts: those that the standard lacks, and those of the standard that stand for our own words.

The private scheme begins with 99, and every object that uses it says whose it is (PS3.3 C.12.1, Coding Scheme
Identification Sequence).
Source: PS3.16 chapter 8.
"""

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from nullsplat.dicom.read.eligibility import PRODUCT_NAME

SCHEME = "99NULLSPLAT"

NULL_SPACE_CHANGE = Code("NULLSPACE", SCHEME, "Change in the null space of the measurement")
CONSISTENCY = Code("LRCONSISTENCY", SCHEME, "Difference of degraded result and source")
SOURCE_NOISE = Code("SOURCENOISE", SCHEME, "Estimated noise of the source")
SAMPLE_DEVIATION = Code("SAMPLEDEVIATION", SCHEME, "Standard deviation of the samples")
HALF_WIDTH = Code("HALFWIDTH90", SCHEME, "Half width of the interval that holds 90 % of the truth")
HIGH_FREQUENCY_GAIN = Code("HFGAIN", SCHEME, "Energy beyond the source's resolution over interpolation")
SERIES_ROLE = Code("SERIESROLE", SCHEME, "Role of the series")
DERIVED_SERIES = Code("DERIVEDSERIES", SCHEME, "Series derived by super-resolution")
SAMPLE_SERIES = Code("SAMPLESERIES", SCHEME, "One sample of the prior, whose mean the derived series is")
STAGE_DURATIONS = {
    "stage1": Code("STAGE1TIME", SCHEME, "Duration of stage 1 (diffusion)"),
    "stage2": Code("STAGE2TIME", SCHEME, "Duration of stage 2 (Gaussian splatting)"),
    "consistency": Code("CONSISTENCYTIME", SCHEME, "Duration of the consistency stage"),
}
"""By the pipeline's names of its stages."""
ORDER_PARAMETERS = {
    "preset": Code("PRESET", SCHEME, "Preset"),
    "scale": Code("SCALE", SCHEME, "Factors along z, y, x"),
    "seed": Code("SEED", SCHEME, "Seed"),
    "samples": Code("SAMPLES", SCHEME, "Number of samples"),
    "slice_profile": Code("SLICEPROFILE", SCHEME, "Slice profile"),
    "allow_gaps": Code("ALLOWGAPS", SCHEME, "Take slices with gaps between them"),
    "attempt": Code("ATTEMPT", SCHEME, "Number of the run"),
}
"""Of a workitem, by the contract's names."""

PRIVATE = (
    NULL_SPACE_CHANGE, CONSISTENCY, SOURCE_NOISE, SAMPLE_DEVIATION, HALF_WIDTH, HIGH_FREQUENCY_GAIN, SERIES_ROLE, DERIVED_SERIES, SAMPLE_SERIES,
    *STAGE_DURATIONS.values(), *ORDER_PARAMETERS.values(),
)  # fmt: skip
"""All codes of the private scheme."""

TISSUES = {"lung": codes.SCT.Lung, "soft tissue": codes.SCT.SoftTissue, "bone": codes.SCT.Bone}
"""By the names in `core.tissue.TISSUE_HU`."""


def coding_schemes() -> list[CodingSchemeIdentificationItem]:
    """Who is responsible for the private scheme."""
    return [
        CodingSchemeIdentificationItem(
            designator=SCHEME,
            name=f"{PRODUCT_NAME} private codes",
            responsible_organization=f"The {PRODUCT_NAME} authors",
        )
    ]

# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an image is to a scan: a slice, a reformat of slices, or something that a scan comes with.

The engine decides alike (`dicom/read/choosing.py`, `dicom/read/derived_kinds.py`), and tests/contract compares the two.
Source: PS3.3 C.7.6.1.1.2 (Image Type), C.7.6.1.1.5 (Lossy Image Compression), C.8.16.2.1.3 (Volume Based Calculation
Technique); PS3.4 B.5 (storage SOP classes).
"""

from __future__ import annotations

import re
from typing import List, Optional, Sequence

from nullsplat_node.series.tags import Tags, text, values

COMPANIONS = (
    "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture, also of several frames: dose pages
    "1.2.840.10008.5.1.4.1.1.11.",  # presentation states
    "1.2.840.10008.5.1.4.1.1.66",  # raw data, registrations, segmentations
    "1.2.840.10008.5.1.4.1.1.88.",  # structured reports: radiation dose, key objects
)
"""Beginnings of the storage classes that accompany a scan and hold no slice of it."""

SLICES = re.compile(
    r"|AXIAL|HELICAL|VOLUME|OTHER|NONE|NORM|MPR|REFORMATTED|RESAMPLED|AVERAGE|MEAN|LOSSY|THICK|THIN|RANGE|PARALLEL"
    r"|<?(CSA )?MPR( (THICK|THIN))?( RANGE)?>?|CSA (AVERAGE|RESAMPLED|PARALLEL)|CSAPARALLEL|CSAMANIP"
    r"|CT_SOM\d+ (SPI|SPO|MPR)|\d+(\.\d+)?"
)
"""Words after the second of an Image Type that begins with DERIVED, by which the image is still a slice in HU."""

TECHNIQUES = frozenset({"", "NONE", "MPR"})
"""Volume Based Calculation Techniques whose pixels are still slices; the others are projections and surfaces."""


def slices_among(instances: Sequence[Tags]) -> List[Tags]:
    """Return the instances that may be slices; all where none may, so that the refusal says what they are."""
    return [tags for tags in instances if not _accompanies(tags)] or list(instances)


def is_derived(tags: Tags) -> bool:
    """Return whether the image was made of others."""
    return values(tags, "ImageType")[:1] == ("DERIVED",)


def strange_word(tags: Tags) -> Optional[str]:
    """Return the word by which an image is no slice in HU, None where it is one."""
    technique = text(tags, "VolumeBasedCalculationTechnique").upper()
    if technique not in TECHNIQUES:
        return technique
    if not is_derived(tags):
        return None
    strange = (word for word in values(tags, "ImageType")[2:] if not SLICES.fullmatch(word))
    synthetic = "synthetic data" if text(tags, "SyntheticData").upper() == "YES" else None
    return next(strange, synthetic)


def is_lossy(tags: Tags) -> bool:
    """Return whether the image was ever compressed with loss."""
    return text(tags, "LossyImageCompression") == "01"


def _accompanies(tags: Tags) -> bool:
    sop_class = text(tags, "SOPClassUID")
    is_page = any(sop_class == stem or sop_class.startswith(stem.rstrip(".") + ".") for stem in COMPANIONS)
    return is_page or "LOCALIZER" in values(tags, "ImageType")

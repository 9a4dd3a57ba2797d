"""Derived images that are still slices of HU: thick or straight reformats, and copies that an archive compressed.

A list of what is a slice, since what else a workstation may compute (projections, perfusion, subtraction, fusion) has no
end. The plugin holds the same list, and tests/contract compares them.
Source: PS3.3 C.7.6.1.1.2 (Image Type), C.8.2.1.1.1 (Image Type of CT), C.8.16.2.1.3 (Volume Based
Calculation Technique); conformance statements of the makers for the
values of their own.
"""

import re

SLICES = re.compile(
    r"|AXIAL|HELICAL|VOLUME|OTHER|NONE|NORM|MPR|REFORMATTED|RESAMPLED|AVERAGE|MEAN|LOSSY|THICK|THIN|RANGE|PARALLEL"
    r"|<?(CSA )?MPR( (THICK|THIN))?( RANGE)?>?|CSA (AVERAGE|RESAMPLED|PARALLEL)|CSAPARALLEL|CSAMANIP"
    r"|CT_SOM\d+ (SPI|SPO|MPR)|\d+(\.\d+)?"
)
"""Words after the second of an Image Type that begins with DERIVED; in capitals."""


TECHNIQUES = frozenset({"", "NONE", "MPR"})
"""Volume Based Calculation Techniques whose pixels are still slices; the others are projections and surfaces."""


def strange_word(image_type: tuple[str, ...]) -> str | None:
    """The first word by which a derived image is no slice in HU, None where it is one."""
    return next((word for word in image_type[2:] if not SLICES.fullmatch(word)), None)

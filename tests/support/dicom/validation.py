"""dciodvfy of dicom3tools as a judge that is not ours."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

DCIODVFY = shutil.which("dciodvfy")

ALLOWED = {
    r"Attribute with an even group number is not a recognized standard attribute - \(0x0008,0x001c\)": (
        "Synthetic Data is younger than DICOM 2023b, the validator in Debian is of 2022"
    ),
    r"Attribute is not present in standard DICOM IOD - \(0x0008,0x001c\)": "the same",
    r"Attribute is not present in standard DICOM IOD - \(0x0018,0x1002\)": (
        "PS3.3 C.12.1 has Device UID in the Contributing Equipment Sequence (type 3), the validator only elsewhere"
    ),
    r"contains attributes not present in standard DICOM IOD - this is a Standard Extended SOP Class": (
        "follows from the one before, and others are named one by one"
    ),
    r"condition unsatisfied .* Element=<(Red|Green|Blue)PaletteColorLookupTable\w+> Module=<ImagePixelDescriptionMacro>": (
        "PS3.3 C.7.9: where the Palette Color Lookup Table Module is present its conditions go before these"
    ),
    r"Non-string attribute while verifying string enumerated value for attribute <M\w+imum Stored Value Mappe": (
        "the validator compares numbers (FD) with words; of values that it would allow, the standard names none"
    ),
    r"Unrecognized defined term <QUANTITY> for value 4 of attribute <(Frame|Image) Type>": (
        "a list of defined terms may be extended; highdicom writes this one for maps of a quantity"
    ),
    r"Unrecognized defined term <99NULLSPLAT> for value 1 of attribute <Coding Scheme Designator>": (
        "a private scheme, as PS3.16 chapter 8 allows; the object says whose it is"
    ),
}
"""Complaints that are not about us, with the reason."""

needs_validator = pytest.mark.skipif(
    DCIODVFY is None, reason="dciodvfy (Debian package dicom3tools) is not installed"
)


def errors_of(path: Path) -> list[str]:
    """What the validator calls errors, without the allowed ones."""
    return _complaints(path, "Error")


def warnings_of(path: Path) -> list[str]:
    """What the validator only warns of, without the allowed ones."""
    return _complaints(path, "Warning")


def _complaints(path: Path, kind: str) -> list[str]:
    assert DCIODVFY is not None
    verdict = subprocess.run(
        [DCIODVFY, str(path)], capture_output=True, text=True, check=False, errors="replace"
    )
    assert verdict.returncode in (0, 1), verdict.stderr
    assert verdict.stderr.strip(), "the validator names at least the kind of object that it found"
    complaints = [line for line in verdict.stderr.splitlines() if line.startswith(kind)]
    return [line for line in complaints if not any(re.search(pattern, line) for pattern in ALLOWED)]

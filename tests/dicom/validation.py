"""dciodvfy of dicom3tools as a judge that is not ours."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

DCIODVFY = shutil.which("dciodvfy")

ALLOWED = {
    r"Attribute with an even group number is not a recognized standard attribute - \(0x0008,0x001c\)": (
        "Synthetic Data came with DICOM 2023b, the validator in Debian is of 2022"
    ),
}
"""Errors that are not ours, with the reason."""

needs_validator = pytest.mark.skipif(
    DCIODVFY is None, reason="dciodvfy (Debian package dicom3tools) is not installed"
)


def errors_of(path: Path) -> list[str]:
    """What the validator calls errors, without the allowed ones."""
    assert DCIODVFY is not None
    verdict = subprocess.run(
        [DCIODVFY, str(path)], capture_output=True, text=True, check=False, errors="replace"
    )
    assert verdict.returncode in (0, 1), verdict.stderr
    assert verdict.stderr.strip(), "the validator names at least the kind of object that it found"
    errors = [line for line in verdict.stderr.splitlines() if line.startswith("Error")]
    return [line for line in errors if not any(re.search(pattern, line) for pattern in ALLOWED)]

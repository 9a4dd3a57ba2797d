"""How a series was scanned, and so which slice profile its header speaks for.

A helical scan interpolates between detector rows while the table moves, which rounds the profile off to a bell; a
sequential scan adds rows up while the table stands, which leaves a box. Where nothing is said the bell is taken: it is
right more often (docs/adr/0013).
Source: PS3.3 C.8.2.1 (CT Image), C.8.15.3.2 (CT Acquisition Type), C.8.15.3.3 (CT Acquisition Details), C.8.15.3.4 (CT
Table Dynamics). Scan Options and what Image Type says after its third value are free text; their words are those of GE,
Philips, Canon and Siemens.
"""

import re
from collections.abc import Sequence

from pydicom.dataset import Dataset

from nullsplat.dicom.headers import number, text, words
from nullsplat.physics.profile import BELL, BOX, Profile

_TYPES = {"SPIRAL": BELL, "SEQUENCED": BOX, "STATIONARY": BOX, "CONSTANT_ANGLE": BOX}
_HELICAL = re.compile(r"HELI[XC]|SPIRAL")  # HELIX, HELICAL MODE, HELICAL_CT
_SEQUENTIAL = re.compile(r"\bAXIAL|SEQUEN|\bSTEP|\bCINE|VOLUME[ _]CT")  # AXIAL MODE, CINE MODE, DVOLUME_CT
_HELICAL_IMAGE = re.compile(r"\bSPI\b|HELIX")  # CT_SOM5 SPI, CT_SOM7 SPI DUAL
_SEQUENTIAL_IMAGE = re.compile(r"\bSEQ\b")  # CT_SOM5 SEQ
_PITCHES = (0.05, 4.0)
_MOST_ROWS = 640  # of a detector


def profile_of(headers: Sequence[Dataset]) -> tuple[Profile, str]:
    """The profile that the headers of a series speak for, and the evidence.

    The most telling attribute that any slice has decides; slices that contradict each other in it decide nothing.
    """
    for evidence in (_acquisition_type, _pitch, _scan_options, _image_type, _table_feed):
        found = {answer for header in headers if (answer := evidence(header)) is not None}
        if len({profile for profile, _ in found}) == 1:
            return min(found, key=lambda answer: answer[1])
    return BELL, "assumed, the header does not tell a helical scan from a sequential one"


_Answer = tuple[Profile, str] | None


def _acquisition_type(header: Dataset) -> _Answer:
    kind = text(header, "AcquisitionType").upper()
    return (_TYPES[kind], f"Acquisition Type {kind}") if kind in _TYPES else None


def _pitch(header: Dataset) -> _Answer:
    pitch = number(header, "SpiralPitchFactor")
    return (BELL, f"Spiral Pitch Factor {pitch:.3g}") if pitch is not None and _is_pitch(pitch) else None


def _scan_options(header: Dataset) -> _Answer:
    return _free_text("Scan Options", words(header, "ScanOptions"), _HELICAL, _SEQUENTIAL)


def _image_type(header: Dataset) -> _Answer:
    """Siemens says it nowhere else; the third value, such as AXIAL, is the orientation."""
    return _free_text("Image Type", words(header, "ImageType")[3:], _HELICAL_IMAGE, _SEQUENTIAL_IMAGE)


def _free_text(
    name: str, values: Sequence[str], helical: re.Pattern[str], sequential: re.Pattern[str]
) -> _Answer:
    joined = " ".join(values)
    if bool(helical.search(joined)) == bool(sequential.search(joined)):
        return None
    return (BELL, f"{name}: helical") if helical.search(joined) else (BOX, f"{name}: sequential")


def _table_feed(header: Dataset) -> _Answer:
    """A helical scan by how far the table moves in one revolution, in widths of the detector or of one of its rows."""
    moved = (number(header, "TableSpeed") or 0.0) * (number(header, "RevolutionTime") or 0.0)
    feed = number(header, "TableFeedPerRotation") or moved
    width, row = number(header, "TotalCollimationWidth"), number(header, "SingleCollimationWidth")
    if width is not None and width > 0:
        return (
            (BELL, f"Table Feed per Rotation, a pitch of {feed / width:.3g}")
            if _is_pitch(feed / width)
            else None
        )
    if row is not None and row > 0 and _is_pitch(feed / row, _MOST_ROWS):
        return BELL, f"Table Feed per Rotation, {feed / row:.3g} detector rows"
    return None


def _is_pitch(value: float, rows: int = 1) -> bool:
    return _PITCHES[0] <= value <= _PITCHES[1] * rows

"""How a series was scanned, and so which slice profile its header speaks for.

A helical scan interpolates between detector rows while the table moves, which rounds the profile off to a bell; a
sequential scan adds rows up while the table stands, which leaves a box. Where nothing is said the bell is taken: it is
right more often (docs/adr/0013).
Source: PS3.3 C.8.2.1 (CT Image), C.8.15.3.2 (CT Acquisition Type), C.8.15.3.3 (CT Acquisition Details), C.8.15.3.4 (CT
Table Dynamics). Scan Options is free text; its words are those of GE, Philips, Canon and Siemens.
"""

import re
from collections.abc import Callable, Sequence

from pydicom.dataset import Dataset

from nullsplat.dicom.headers import number, text, words
from nullsplat.physics.profile import BELL, BOX, Profile

_TYPES = {"SPIRAL": BELL, "SEQUENCED": BOX, "STATIONARY": BOX, "CONSTANT_ANGLE": BOX}
_HELICAL = re.compile(r"HELI[XC]|SPIRAL")  # HELIX, HELICAL MODE, HELICAL_CT
_SEQUENTIAL = re.compile(r"\bAXIAL|SEQUEN|\bSTEP|\bCINE|VOLUME[ _]CT")  # AXIAL MODE, CINE MODE, DVOLUME_CT
_PITCHES = (0.05, 4.0)


def profile_of(headers: Sequence[Dataset]) -> tuple[Profile, str]:
    """The profile that the headers of a series speak for, and the evidence.

    The most telling attribute that any slice has decides; slices that contradict each other in it decide nothing.
    """
    for evidence in (_acquisition_type, _pitch, _scan_options, _table_feed):
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
    options = " ".join(words(header, "ScanOptions"))
    kinds: list[tuple[Callable[[str], object], Profile, str]] = [
        (_HELICAL.search, BELL, "Scan Options: helical"),
        (_SEQUENTIAL.search, BOX, "Scan Options: sequential"),
    ]
    found = [(profile, why) for fits, profile, why in kinds if fits(options)]
    return found[0] if len(found) == 1 else None


def _table_feed(header: Dataset) -> _Answer:
    """A helical scan by how far the table moves in one revolution, in widths of the detector."""
    moved = (number(header, "TableSpeed") or 0.0) * (number(header, "RevolutionTime") or 0.0)
    feed, width = number(header, "TableFeedPerRotation") or moved, number(header, "TotalCollimationWidth")
    if width is None or not width > 0:
        return None
    return (
        (BELL, f"Table Feed per Rotation, a pitch of {feed / width:.3g}") if _is_pitch(feed / width) else None
    )


def _is_pitch(value: float) -> bool:
    return _PITCHES[0] <= value <= _PITCHES[1]

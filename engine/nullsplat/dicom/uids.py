"""Unique identifiers that the same run always gets again, and another run never."""

import hashlib
import uuid

import highdicom as hd

from nullsplat.dicom.provenance import Provenance


def derive_uid(provenance: Provenance, role: str, index: int = 0) -> str:
    """The identifier of one object of a run.

    Args:
        provenance: source fingerprint, model, configuration and attempt count; nothing else does.
        role: what the object is, such as `series` or `slice`.
        index: which of several in that role.
    """
    return hashed_uid(
        "derived",
        provenance.fingerprint,
        provenance.model_hash,
        provenance.config_hash,
        provenance.attempt,
        role,
        index,
    )


def hashed_uid(*parts: str | int) -> str:
    """A UID under 2.25 (PS3.5 B.2) from a hash-based UUID, version 8 of RFC 9562."""
    digest = hashlib.sha256("\n".join(str(part) for part in parts).encode()).digest()
    number = int.from_bytes(digest[:16], "big")
    number = number & ~(0xF << 76) | 0x8 << 76  # version 8: made by the application
    number = number & ~(0x3 << 62) | 0x2 << 62  # variant 2: RFC 9562
    return str(hd.UID.from_uuid(str(uuid.UUID(int=number))))

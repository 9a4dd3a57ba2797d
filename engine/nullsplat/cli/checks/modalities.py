"""`nullsplat doctor`'s check of the DICOM nodes that Orthanc knows: which of them may read the archive."""

import os
from typing import Any

import requests
from requests.auth import HTTPBasicAuth

from nullsplat.cli.checks.findings import Finding, Level
from nullsplat.service.settings import Settings

ADMIN, PASSWORD_VARIABLE = "admin", "NULLSPLAT_ADMIN_PASSWORD"
PERMISSIONS = ("AllowFind", "AllowFindWorklist", "AllowGet", "AllowMove")
"""Permissions with which a modality reads the archive."""
SUBJECT = "Modalities"
TIMEOUT = 10


def modalities(settings: Settings) -> Finding | None:
    """Modalities that may query or retrieve, whether configured or in Orthanc's database.

    Returns:
        None where Orthanc cannot be asked, as only its administrator may, whose password is not in the environment.
    """
    password = os.environ.get(PASSWORD_VARIABLE, "")
    if not password:
        return None
    root = settings.archive_url.rstrip("/").rpartition("/")[0]
    verify = str(settings.archive_ca_file) if settings.archive_ca_file else True
    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(
                f"{root}/modalities?expand",
                auth=HTTPBasicAuth(ADMIN.encode(), password.encode()),
                verify=verify,
                timeout=TIMEOUT,
            )
            answer.raise_for_status()
            known = answer.json()
            if not isinstance(known, dict) or not all(isinstance(entry, dict) for entry in known.values()):
                raise ValueError("modalities must be objects by name")
    except (requests.RequestException, ValueError) as error:
        return Finding(
            SUBJECT,
            Level.NOTE,
            f"{root} does not list them to {ADMIN} ({type(error).__name__}); look through DicomModalities by hand",
        )
    return _judged(known)


def _judged(known: dict[str, dict[str, Any]]) -> Finding:
    may_read = {
        name: [permission for permission in PERMISSIONS if entry.get(permission, True)]
        for name, entry in known.items()
    }
    named = "; ".join(f"{name} has {', '.join(granted)}" for name, granted in may_read.items() if granted)
    if not named:
        return Finding(SUBJECT, Level.OK, f"none of {len(known)} may query or retrieve")
    return Finding(
        SUBJECT,
        Level.NOTE,
        f"{named}: whoever has its AE title and address may query or retrieve all patients; where that is not meant, write "
        "false for each in DicomModalities, or PUT the modality again",
    )

# SPDX-License-Identifier: AGPL-3.0-or-later
"""Warnings, logged at start, about access that Orthanc's configuration grants, perhaps by accident."""

from __future__ import annotations

from typing import Any, List, Mapping

from nullsplat_node.access.roles import Roles, asks_for_passwords

PERMISSIONS = ("AllowFind", "AllowFindWorklist", "AllowGet", "AllowMove")
"""Permissions to read the archive; Orthanc grants each that an entry of DicomModalities leaves out."""


def exposures(configuration: Mapping[str, Any], roles: Roles) -> List[str]:
    """Return one sentence for each."""
    return [*_open_modalities(configuration), *_users_without_role(configuration, roles)]


def _open_modalities(configuration: Mapping[str, Any]) -> List[str]:
    modalities = configuration.get("DicomModalities", {})
    found = []
    for name, entry in modalities.items() if isinstance(modalities, dict) else ():
        silent = [one for one in PERMISSIONS if not isinstance(entry, dict) or one not in entry]
        if silent:
            found.append(
                f"DicomModalities: {name} does not say {', '.join(silent)}, so Orthanc allows it: whoever has its AE title "
                "and address may query or retrieve all patients; write the long form, with false (or true) for each"
            )
    return found


def added_modalities(known: Mapping[str, Any], configuration: Mapping[str, Any]) -> List[str]:
    """Return one sentence for each modality that may read the archive and is not in the configuration.

    Args:
        known: what Orthanc knows of all modalities, those included that came by REST and lie in its database.
    """
    configured = configuration.get("DicomModalities", {})
    found = []
    for name, entry in known.items():
        granted = [one for one in PERMISSIONS if entry.get(one, True)]
        if granted and name not in configured:
            found.append(
                f"modality {name}, which lies in Orthanc's database, has {', '.join(granted)}: whoever has its AE title and "
                "address may query or retrieve all patients; PUT it again with false for each, where that is not meant"
            )
    return found


def _users_without_role(configuration: Mapping[str, Any], roles: Roles) -> List[str]:
    users = configuration.get("RegisteredUsers", {})
    nameless = [user for user in users if user not in roles.by_user] if isinstance(users, dict) else []
    if not nameless or not asks_for_passwords(configuration):
        return []
    return [
        f"RegisteredUsers: users without a role in NullSplat.Roles may only read (role {roles.others}): {', '.join(nameless)}"
    ]

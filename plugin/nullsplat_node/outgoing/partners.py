# SPDX-License-Identifier: AGPL-3.0-or-later
"""The HTTP servers that results are sent to: their settings, checked at start, and their credentials.

A file with a credential is read again for each delivery, so that a token may be renewed without a restart.
"""

from __future__ import annotations

import base64
import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple

from nullsplat_node import checks
from nullsplat_node.checks import Check, SettingsError

SECTION = "NullSplat.DicomWebDestinations"


@dataclass(frozen=True)
class Partner:
    """A DICOMweb server, or the receiver of notifications.

    Attributes:
        name: what rules call it.
        url: of its DICOMweb root, without a slash at the end.
        ca_file: trusted certificates; empty for the system's.
        timeout: read timeout in seconds.
        token_file: its text is sent as bearer token; empty for none.
        user, password_file: for basic authentication; empty for none.
        section: of the settings, where its own stand.
    """

    name: str
    url: str
    ca_file: str = ""
    timeout: float = 60.0
    token_file: str = ""
    user: str = ""
    password_file: str = ""
    section: str = SECTION

    def check_files(self) -> None:
        """Refuse certificates and credentials that cannot be used.

        Raises:
            SettingsError: names the setting; never says what a file holds.
        """
        if self.ca_file:
            check_ca_file(f"{self.section}.{self.name}.CaFile", self.ca_file)
        self.authorization()

    def authorization(self) -> Optional[str]:
        """Return the current header `Authorization`, None where the server requires none.

        Raises:
            SettingsError: the file with the token or the password cannot be used; never says what it holds.
        """
        if self.token_file:
            return f"Bearer {_token(self.token_file, f'{self.section}.{self.name}.BearerTokenFile')}"
        if self.password_file:
            password = read_secret(self.password_file, f"{self.section}.{self.name}.PasswordFile")
            return f"Basic {base64.b64encode(f'{self.user}:{password}'.encode()).decode('ascii')}"
        return None


def read_secret(file: str, setting: str) -> str:
    """Return the stripped text of a file, without a byte order mark.

    Raises:
        SettingsError: there is none; never says what the file holds.
    """
    shown = checks.shown(file)
    try:
        text = Path(file).read_text(encoding="utf-8-sig").strip()
    except OSError as error:
        raise SettingsError(f"{setting} must name a readable file, {shown}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise SettingsError(f"{setting} must name a file of UTF-8 text, {shown} is none") from None
    if not text:
        raise SettingsError(f"{setting} must name a file with a secret in it, {shown} is empty")
    return text


def _token(file: str, setting: str) -> str:
    token = read_secret(file, setting)
    if not re.fullmatch("[!-~]+", token):
        raise SettingsError(
            f"{setting} must name a file with one token of printable ASCII without spaces, {checks.shown(file)} holds something else"
        )
    return token


_FIELDS: Dict[str, Tuple[Any, Check]] = {
    "Url": ("", checks.url),
    "AllowHttp": (False, checks.truth),
    "CaFile": ("", checks.file_name),
    "Timeout": (60, checks.real(1, 3600)),
    "BearerTokenFile": ("", checks.file_name),
    "Username": ("", checks.string),
    "PasswordFile": ("", checks.file_name),
}


def dicomweb_servers(name: str, value: Any) -> Dict[str, Partner]:
    """Check for a section of DICOMweb servers by name."""
    return {one: _partner(one, found, name) for one, found in named_sections(name, value, _FIELDS).items()}


def named_sections(
    name: str, value: Any, fields: Mapping[str, Tuple[Any, Check]]
) -> Dict[str, Dict[str, Any]]:
    """Return the settings of each section within a section, by the names that destinations may have."""
    if not isinstance(value, dict):
        raise SettingsError(f'{name} must be a section {{"name": {{...}}}}, got {type(value).__name__}')
    checks.destinations(name, list(value))
    return {one: checks.section(f"{name}.{one}", value[one], fields) for one in value}


def _partner(name: str, found: Mapping[str, Any], section: str) -> Partner:
    setting = f"{section}.{name}"
    check_encryption(setting, found)
    if bool(found["Username"]) != bool(found["PasswordFile"]) or ":" in found["Username"]:
        raise SettingsError(f"{setting} needs both Username, without a colon, and PasswordFile, or neither")
    if found["Username"] and found["BearerTokenFile"]:
        raise SettingsError(f"{setting} must have either BearerTokenFile or Username and PasswordFile")
    return Partner(
        name,
        found["Url"],
        found["CaFile"],
        found["Timeout"],
        found["BearerTokenFile"],
        found["Username"],
        found["PasswordFile"],
    )


def check_encryption(setting: str, found: Mapping[str, Any]) -> None:
    """Refuse what would cross the network in clear text.

    Raises:
        SettingsError: says which setting is at fault.
    """
    encrypted = found["Url"].startswith("https:")
    if not encrypted and not found["AllowHttp"]:
        raise SettingsError(
            f"{setting}.Url must begin with https, got {found['Url']!r}: patients' images would cross the network in clear "
            "text. If that is intended, set AllowHttp to true"
        )
    if found["CaFile"] and not encrypted:
        raise SettingsError(f"{setting}.CaFile needs a Url that begins with https, got {found['Url']!r}")


def check_ca_file(setting: str, file: str) -> None:
    """Refuse certificates that cannot be used.

    Raises:
        SettingsError: says why.
    """
    try:
        ssl.create_default_context(cafile=file)
    except OSError as error:  # ssl.SSLError is one
        raise SettingsError(
            f"{setting} must be a readable file of PEM certificates, {file}: {error}"
        ) from error

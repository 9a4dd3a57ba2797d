"""How a DICOMweb archive is reached: its root, the credentials, and what the settings for them are called."""

import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from nullsplat.core.errors import ConfigurationError


@dataclass(frozen=True)
class SettingNames:
    """What messages call the settings, since they are variables for the service and options on a command line.

    Attributes:
        url: of the DICOMweb root.
        credentials: user and password.
        ca_file: certificates that are trusted.
        rights: what the user must be allowed to do.
    """

    url: str
    credentials: str
    ca_file: str
    rights: str


@dataclass(frozen=True)
class Access:
    """An archive and the way in.

    Attributes:
        url: DICOMweb root.
        names: what the settings are called.
        credentials: user and password, if the archive asks for them; left out of the object's text.
        ca_file: certificates that the archive's is checked against, instead of the system's.
        timeout: seconds for which an answer may be silent.
    Raises:
        ConfigurationError: the certificates cannot be used.
    """

    url: str
    names: SettingNames
    credentials: tuple[str, str] | None = field(default=None, repr=False)
    ca_file: Path | None = None
    timeout: float = 120.0

    def __post_init__(self) -> None:
        """Refuse certificates that cannot be used."""
        if self.ca_file is None:
            return
        try:
            ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:  # also what ssl raises
            raise ConfigurationError(
                f"{self.names.ca_file} must name a readable file of certificates (PEM), {self.ca_file} is none: "
                f"{error.strerror or error}"
            ) from error


def archive_root(url: str, credentials: str) -> str:
    """The root of a DICOMweb archive without its last slash.

    Args:
        url: as it was set.
        credentials: what the settings for user and password are called.
    Raises:
        ValueError: it is no http or https URL, or it carries credentials; the text does not repeat the URL.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is none, or half an address of IPv6
        usable = False
    if not usable or parts.query or parts.fragment or not re.fullmatch("[!-~]+", url):
        raise ValueError(
            "must be an http or https URL with a host, without blanks, '?' and '#', such as http://127.0.0.1:8042/dicom-web"
        )
    if parts.username or parts.password:
        raise ValueError(f"must not carry credentials; use {credentials}")
    return url.rstrip("/")

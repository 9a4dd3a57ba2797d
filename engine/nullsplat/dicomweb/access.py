"""How a DICOMweb archive is reached: its root, the credentials, and what the settings for them are called."""

from dataclasses import dataclass, field
from pathlib import Path

from nullsplat.service.settings import PREFIX, Settings


@dataclass(frozen=True)
class SettingNames:
    """What messages call the settings, since they are variables for the service and options on a command line.

    Attributes:
        url: of the DICOMweb root.
        credentials: user and password.
        ca_file: certificates that are trusted.
        rights: what the user must be allowed to do.
    """

    url: str = f"{PREFIX}ARCHIVE_URL"
    credentials: str = f"{PREFIX}ARCHIVE_USERNAME and {PREFIX}ARCHIVE_PASSWORD"
    ca_file: str = f"{PREFIX}ARCHIVE_CA_FILE"
    rights: str = "search, retrieve and store"


@dataclass(frozen=True)
class Access:
    """An archive and the way in.

    Attributes:
        url: DICOMweb root.
        credentials: user and password, if the archive asks for them; left out of the object's text.
        ca_file: certificates that the archive's is checked against, instead of the system's.
        timeout: seconds for which an answer may be silent.
        names: what the settings are called.
    """

    url: str
    credentials: tuple[str, str] | None = field(default=None, repr=False)
    ca_file: Path | None = None
    timeout: float = 120.0
    names: SettingNames = SettingNames()

    @classmethod
    def of(cls, settings: Settings) -> "Access":
        """The access that the service's settings describe."""
        credentials = None
        if settings.archive_username is not None and settings.archive_password is not None:
            credentials = settings.archive_username, settings.archive_password.get_secret_value()
        return cls(
            settings.archive_url, credentials, settings.archive_ca_file, settings.archive_timeout_seconds
        )

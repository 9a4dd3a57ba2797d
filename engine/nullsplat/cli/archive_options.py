"""Options that say from which archive radiographs are fetched, and how they become an access to it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from nullsplat.core.errors import ConfigurationError
from nullsplat.core.private import read_secret

PASSWORD = "NULLSPLAT_ARCHIVE_PASSWORD"  # noqa: S105 - the variable's name

FromArchive = Annotated[
    str | None,
    typer.Option(
        "--from-archive",
        metavar="URL",
        help="DICOMweb root of an archive to fetch radiographs (CR, DX) from.",
    ),
]
User = Annotated[
    str | None,
    typer.Option("--archive-user", metavar="NAME", help=f"The password is read from {PASSWORD} or a file."),
]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--archive-password-file",
        metavar="FILE",
        envvar=f"{PASSWORD}_FILE",
        help="File that holds the password.",
    ),
]
Limit = Annotated[
    int, typer.Option("--archive-limit", min=1, help="Largest number of studies to take images from.")
]
PerPatient = Annotated[
    int, typer.Option("--per-patient", min=1, help="Largest number of images per patient.")
]
Modality = Annotated[str, typer.Option("--modality", metavar="CR,DX", help="What to fetch from the archive.")]
CaFile = Annotated[
    Path | None,
    typer.Option(
        "--ca-file",
        metavar="FILE",
        help="Certificates (PEM) to check the archive's against.",
        exists=True,
        dir_okay=False,
    ),
]


@dataclass(frozen=True)
class ArchiveRequest:
    """What was asked of the archive on the command line; never holds the password."""

    url: str
    user: str | None
    password_file: Path | None
    ca_file: Path | None
    modalities: tuple[str, ...]
    limit: int
    per_patient: int

    @property
    def words(self) -> list[str]:
        """The part of the command line that may be published: neither host nor user."""
        words = ["--from-archive", "URL", "--modality", ",".join(self.modalities)]
        return [*words, "--archive-limit", str(self.limit), "--per-patient", str(self.per_patient)]

    def credentials(self) -> tuple[str, str] | None:
        """User and password, None if no user was given.

        Raises:
            ConfigurationError: a user without a password, or with two.
        """
        if self.user is None:
            return None
        from_environment = os.environ.get(PASSWORD)
        if from_environment is not None and self.password_file is not None:
            raise ConfigurationError(
                f"set either {PASSWORD} or --archive-password-file ({PASSWORD}_FILE), not both"
            )
        if from_environment is not None:
            return self.user, from_environment
        if self.password_file is not None:
            return self.user, read_secret(self.password_file.absolute(), "--archive-password-file")
        raise ConfigurationError(
            f"--archive-user needs a password: set {PASSWORD}, or let --archive-password-file name a file with it"
        )


def archive_request(
    url: str | None,
    credentials: tuple[str | None, Path | None, Path | None],
    modality: str,
    counts: tuple[int, int],
) -> ArchiveRequest | None:
    """The request that the options make, None without --from-archive.

    Args:
        url: DICOMweb root.
        credentials: user, file with the password, file with certificates.
        modality: comma-separated.
        counts: most studies, most images of one patient.
    Raises:
        ConfigurationError: the options do not fit together.
    """
    user, password_file, ca_file = credentials
    if url is None:
        if user is not None or ca_file is not None:
            raise ConfigurationError("--archive-user and --ca-file need --from-archive URL")
        return None
    modalities = tuple(dict.fromkeys(word.strip().upper() for word in modality.split(",") if word.strip()))
    return ArchiveRequest(url, user, password_file, ca_file, modalities, *counts)

"""The service's settings: environment variables that begin with NULLSPLAT_, read once at the edge."""

import re
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from nullsplat.core.errors import ConfigurationError
from nullsplat.core.private import close_files, is_private, private_folder, read_secret
from nullsplat.core.suggestion import did_you_mean
from nullsplat.dicom.write.encoding import OutputSyntax, check_encoder
from nullsplat.dicomweb.access import Access, SettingNames, archive_root
from nullsplat.physics.profile import AUTO, Profile

PREFIX = "NULLSPLAT_"
ARCHIVE_NAMES = SettingNames(
    url=f"{PREFIX}ARCHIVE_URL",
    credentials=f"{PREFIX}ARCHIVE_USERNAME and {PREFIX}ARCHIVE_PASSWORD",
    ca_file=f"{PREFIX}ARCHIVE_CA_FILE",
    rights="search, retrieve and store",
)
OF_OTHERS = frozenset(
    f"{PREFIX}{name}"
    for name in (
        "ADMIN_PASSWORD", "ADMIN_PASSWORD_FILE", "AUDIT_FILE", "DICOM_CA_FILE", "DICOM_CERTIFICATE", "DICOM_KEY",
        "ENGINE_CA_FILE", "ENGINE_PASSWORD", "ENGINE_PASSWORD_FILE", "ENGINE_URL", "ORTHANC", "ORTHANC_PLUGINS", "PLUGIN",
        "RULES_FILE", "STORAGE", "VIEWER",
    )
)  # fmt: skip
"""Variables that other parts of a node read."""
SYSLOG_TLS_PORT = 6514
Seconds = Annotated[float, Field(gt=0)]


def variable_of(field: str) -> str:
    """The environment variable of a field of `Settings`."""
    return f"{PREFIX}{field.upper()}"


def unknown_variables(environment: Iterable[str]) -> tuple[str, ...]:
    """Warnings about variables that are not read, such as a misspelt one that leaves its setting at the default."""
    known = {*map(variable_of, Settings.model_fields), *OF_OTHERS}
    return tuple(
        f"{name} is not a setting{did_you_mean(name, known)}"
        for name in sorted(environment)
        if name.startswith(PREFIX) and name not in known
    )


class Settings(BaseSettings):
    """All that can be set from outside; each field is the environment variable NULLSPLAT_<FIELD>.

    A secret may also be given as a file: NULLSPLAT_SECRET_FILE, NULLSPLAT_VIEWER_SECRET_FILE,
    NULLSPLAT_ARCHIVE_PASSWORD_FILE and NULLSPLAT_DATABASE_URL_FILE name a file whose content, stripped, is the value.

    Raises:
        ConfigurationError: a value is missing, malformed or out of range.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    archive_url: str
    """DICOMweb root of the archive, such as http://127.0.0.1:8042/dicom-web."""
    archive_username: str | None = None
    archive_password: SecretStr | None = None
    archive_ca_file: Path | None = None
    """Certificates that the archive's certificate is checked against, instead of the system's."""
    archive_patience_seconds: Annotated[float, Field(ge=0)] = 600.0
    """How long a job waits for an unreachable archive before it fails."""
    archive_timeout_seconds: Seconds = 120.0
    """Read timeout of one answer of the archive."""

    secret: Annotated[SecretStr, Field(min_length=16)]
    """Shared with the plugin; at least 16 characters of printable ASCII, as they stand in a header."""
    viewer_secret: Annotated[SecretStr, Field(min_length=16)] | None = None
    """For those who may search and retrieve workitems and nothing else; another one than `secret`."""
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8043
    tls_certificate_file: Path | None = None
    """The API's certificate with its chain (PEM); with it, the API is served by https."""
    tls_key_file: Path | None = None
    """The key to that certificate (PEM, without a password)."""

    spool: Path = Path("/var/lib/nullsplat")
    """Working folder: jobs, and the database if none is named. Readable by the service's user only."""
    shared_spool: Path | None = None
    """Folder that the workers of several machines share (NFS, CephFS), for the jobs' files; by default in the spool."""
    spool_reserve_mib: Annotated[int, Field(ge=0)] = 1024
    """Space that jobs leave free on the disk with their files."""
    retention_days: Annotated[float, Field(ge=0)] = 30.0
    """How long a finished job is known: its folder (report and figures), and for 7 days at least its row and its UIDs."""
    database_url: SecretStr | None = None
    """SQLite file in the spool by default; PostgreSQL as soon as workers run on more than one machine."""

    device: str = "auto"
    cpu_threads: Annotated[int, Field(ge=0)] = 0
    """Threads that the processing may use; 0 leaves it to the libraries."""
    prior: str | None = None
    """Folder of a custom prior, as the `train-` commands make it; by default the presets' packaged ones."""
    slice_profile: str = AUTO
    """How scanners weight a slice: auto as the header says, else bell, box, a factor (bell*1.2) or a measured curve."""
    in_plane_profile: str = "gaussian"
    """How a pixel averages where the axial plane is refined: gaussian, bell, box, a factor or a measured curve."""
    parametric_maps: Annotated[str, Field(pattern="^(auto|never)$")] = "auto"
    """auto stores a map of the samples' standard deviation beside the result of a job with several; never does not."""
    quality_report: bool = True
    """Store a structured report with the figures of the run beside each result."""
    key_image: bool = False
    """Store a picture of three planes (Secondary Capture) beside each result, for viewers that show nothing else."""
    transfer_syntax: OutputSyntax = OutputSyntax.EXPLICIT
    """How the slices are encoded: explicit, jpeg-ls or jpeg-2000, all without loss."""
    executor_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,100}$")] | None = None
    """Name of this worker among several; made from host and process when not set."""
    worker_lost_seconds: Annotated[float, Field(ge=2)] = 60.0
    """Time without a heartbeat after which a worker on another machine counts as dead; the same on all machines."""
    drain_seconds: Annotated[float, Field(ge=0)] = 0.0
    """How long a worker that is told to stop goes on with its job before it hands it back."""
    ageing_seconds: Annotated[float, Field(ge=0)] = 4 * 3600.0
    """Time after which a queued job moves up one class, from night to normal to stat; 0 for never."""
    log_level: Annotated[str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$")] = "INFO"
    log_format: Annotated[str, Field(pattern="^(text|json)$")] = "text"
    """text for people; json for programs, one object a line."""

    audit_syslog: str | None = None
    """Audit repository that takes syslog over TLS, host:port; without a port 6514."""
    audit_ca_file: Path | None = None
    """Certificates that the repository's is checked against, instead of the system's."""
    audit_certificate_file: Path | None = None
    """What to show a repository that wants to see a certificate (PEM, with its chain)."""
    audit_key_file: Path | None = None
    """The key to that certificate (PEM, without a password)."""

    metrics_public: bool = False
    """Answer /metrics without the shared secret."""
    request_bytes: Annotated[int, Field(ge=1024)] = 64 * 1024
    """Size of a request's body; a job_request has less than one thousand bytes."""
    requests_per_second: Annotated[float, Field(ge=0)] = 200.0
    """Sustained rate of requests from one address; 0 for no limit."""
    request_burst: Annotated[int, Field(ge=1)] = 1000
    """Burst of requests from one address."""
    request_seconds: Seconds = 10.0
    """How long a client may take to send one request."""
    connections: Annotated[int, Field(ge=8)] = 256
    """Concurrent connections of all clients; beyond that, the one idle for longest is closed."""

    fetch_limit_seconds: Seconds = 3600.0
    stage1_limit_seconds: Seconds = 4 * 3600.0
    stage2_limit_seconds: Seconds = 4 * 3600.0
    consistency_limit_seconds: Seconds = 3600.0
    derive_limit_seconds: Seconds = 3600.0
    store_limit_seconds: Seconds = 3600.0
    stage_stop_seconds: Seconds = 60.0
    """Grace period for a stage past its limit to stop by itself, before its worker restarts."""

    FROM_FILE: ClassVar[tuple[str, ...]] = ("secret", "viewer_secret", "archive_password", "database_url")
    secret_file: Path | None = None
    viewer_secret_file: Path | None = None
    archive_password_file: Path | None = None
    database_url_file: Path | None = None

    def __init__(self, **values: Any) -> None:
        """Read the environment; `values` go before it."""
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ConfigurationError("; ".join(_complaint(fault) for fault in error.errors())) from None

    @model_validator(mode="before")
    @classmethod
    def _read_files(cls, values: dict[str, Any]) -> dict[str, Any]:
        for name in cls.FROM_FILE:
            path = values.get(f"{name}_file")
            if path is None:
                continue
            variable = variable_of(name)
            if values.get(name) is not None:
                raise ConfigurationError(f"set either {variable} or {variable}_FILE, not both")
            values[name] = read_secret(Path(path), f"{variable}_FILE")
        return values

    @field_validator("transfer_syntax")
    @classmethod
    def _check_transfer_syntax(cls, value: OutputSyntax) -> OutputSyntax:
        if value is OutputSyntax.HTJ2K:
            raise ValueError(
                "Orthanc 1.10 keeps htj2k but neither shows nor sends it, so only `nullsplat sr` writes it; "
                "choose one of explicit, jpeg-ls, jpeg-2000"
            )
        try:
            check_encoder(value)
        except ConfigurationError as error:
            raise ValueError(str(error)) from error
        return value

    @field_validator("slice_profile")
    @classmethod
    def _check_slice_profile(cls, value: str) -> str:
        return value if value == AUTO else cls._check_in_plane_profile(value)

    @field_validator("in_plane_profile")
    @classmethod
    def _check_in_plane_profile(cls, value: str) -> str:
        try:
            return str(Profile.parse(value))
        except ConfigurationError as error:
            raise ValueError(str(error)) from error

    @field_validator("secret", "viewer_secret")
    @classmethod
    def _check_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch("[!-~]+", value.get_secret_value()):
            raise ValueError("must be printable ASCII without spaces, or it cannot be sent in a header")
        return value

    @field_validator("audit_syslog")
    @classmethod
    def _check_audit_syslog(cls, value: str | None) -> str | None:
        if value is not None and not _host_and_port(value):
            raise ValueError("must be a host with or without a port, such as audit.example.org:6514")
        return value

    @field_validator("archive_url")
    @classmethod
    def _check_archive_url(cls, value: str) -> str:
        return archive_root(value, ARCHIVE_NAMES.credentials)

    @model_validator(mode="after")
    def _check_credentials(self) -> "Settings":
        if (self.archive_username is None) != (self.archive_password is None):
            raise ValueError(f"{PREFIX}ARCHIVE_USERNAME and {PREFIX}ARCHIVE_PASSWORD must be set together")
        if self.viewer_secret == self.secret:
            raise ValueError(f"{PREFIX}VIEWER_SECRET must not be the same as {PREFIX}SECRET")
        if self.shared_spool is not None and self.database.startswith("sqlite"):
            raise ValueError(
                f"{PREFIX}SHARED_SPOOL is for workers on several machines, which need PostgreSQL; name it in "
                f"{PREFIX}DATABASE_URL, or set no {PREFIX}SHARED_SPOOL"
            )
        if (self.tls_certificate_file is None) != (self.tls_key_file is None):
            raise ValueError(f"{PREFIX}TLS_CERTIFICATE_FILE and {PREFIX}TLS_KEY_FILE must be set together")
        if (self.audit_certificate_file is None) != (self.audit_key_file is None):
            raise ValueError(
                f"{PREFIX}AUDIT_CERTIFICATE_FILE and {PREFIX}AUDIT_KEY_FILE must be set together"
            )
        return self

    @property
    def url(self) -> str:
        """Base URL of the API."""
        scheme = "http" if self.tls_certificate_file is None else "https"
        return f"{scheme}://{self.host}:{self.port}"

    @property
    def archive(self) -> Access:
        """The archive and its credentials."""
        credentials = None
        if self.archive_username is not None and self.archive_password is not None:
            credentials = self.archive_username, self.archive_password.get_secret_value()
        timeout = self.archive_timeout_seconds
        return Access(self.archive_url, ARCHIVE_NAMES, credentials, self.archive_ca_file, timeout)

    @property
    def database(self) -> str:
        """URL of the database that holds the jobs and the queue."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.spool.absolute() / 'nullsplat.sqlite'}"

    @property
    def job_spool(self) -> Path:
        """The spool with the jobs' files, in its folder `jobs`."""
        return self.shared_spool or self.spool

    @property
    def audit_repository(self) -> tuple[str, int] | None:
        """Host and port of the audit repository; None where there is none."""
        return None if self.audit_syslog is None else _host_and_port(self.audit_syslog)

    def stage_limit(self, stage: str) -> float:
        """Seconds that a stage may take."""
        return float(getattr(self, f"{stage}_limit_seconds"))

    def prepare_spool(self) -> None:
        """Create the spools, closed to other users since patients' images pass through them; close one that is open.

        Raises:
            ConfigurationError: it cannot be created, entered or closed, or is a folder that others use for something else.
        """
        for name in ("spool", "shared_spool"):
            if (folder := getattr(self, name)) is not None:
                _prepare(folder, variable_of(name))


def _prepare(spool: Path, variable: str) -> None:
    try:
        if foreign := _used_by_others(spool):
            raise ConfigurationError(
                f"{variable} must be a separate folder, closed to other users, {spool} is open to them and holds {foreign}; "
                "name another one"
            )
        private_folder(spool)
        private_folder(spool / "jobs")
        close_files(spool)
    except OSError as error:
        raise ConfigurationError(
            f"{variable} must be a folder that this user alone may use, {spool} is not: {error.strerror}"
        ) from error


_OURS = ("nullsplat.sqlite", "audit.jsonl", "owner.json", "lost+found")
"""Prefixes of names in a spool without jobs: restored from a backup, or the root of a disk."""


def _used_by_others(folder: Path) -> str:
    """The name of a foreign file in a folder that others can read, such as /tmp; empty where there is none."""
    if not folder.exists() or is_private(folder) or (folder / "jobs").is_dir():
        return ""
    return next((path.name for path in folder.iterdir() if not path.name.startswith(_OURS)), "")


def _host_and_port(text: str) -> tuple[str, int] | None:
    """Those of `host:port`, `host` or `[address of IPv6]:port`; None for anything else."""
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, SYSLOG_TLS_PORT if parts.port is None else parts.port
    except ValueError:
        return None
    return (host, port) if host and port and parts.netloc == text and "@" not in text else None


def host_name() -> str:
    """This machine's name, as it stands in the workers' list."""
    return socket.gethostname()


def _complaint(fault: Any) -> str:
    """One sentence about one wrong setting, without its value: it may be a secret."""
    if not fault["loc"]:
        return str(fault["msg"]).removeprefix("Value error, ")
    variable = PREFIX + "_".join(str(part).upper() for part in fault["loc"])
    if fault["type"] == "missing":
        return f"{variable} must be set"
    return f"{variable}: {str(fault['msg']).removeprefix('Value error, ')}"

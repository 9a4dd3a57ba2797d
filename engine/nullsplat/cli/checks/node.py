"""`nullsplat doctor`'s checks of a node: its disk, Orthanc, rules and engine."""

import os
import shutil
import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from nullsplat.cli.checks.findings import Finding, Level
from nullsplat.cli.checks.sockets import ports_open_everywhere
from nullsplat.cli.work.rules import check_file
from nullsplat.core.certificates import trust_exactly
from nullsplat.core.errors import ConfigurationError, NullSplatError
from nullsplat.node.installation import installed_orthanc, orthanc_version
from nullsplat.service.settings import Settings, unknown_variables, variable_of

GIB = 2**30
NEEDED_DISK_GIB = 5
LOOPBACK = ("127.0.0.1", "localhost", "::1")
RULES_VARIABLE = "NULLSPLAT_RULES_FILE"
"""Variable that names the rules file in the shipped Orthanc configuration."""


def disk(folder: Path) -> Finding:
    """Disk space for jobs."""
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(existing).free / GIB
    if free < NEEDED_DISK_GIB:
        return Finding(
            "Disk", Level.MISSING, f"{free:.1f} GiB free at {folder}, {NEEDED_DISK_GIB} are needed; make room"
        )
    return Finding("Disk", Level.OK, f"{free:.0f} GiB free at {folder}")


def orthanc(*, needed: bool) -> Finding:
    """Orthanc with its plugins on this machine; required unless the node uses another archive."""
    try:
        installed_orthanc()
        return Finding(
            "Orthanc", Level.OK, f"{orthanc_version()}, with the plugins for Python, DICOMweb, web viewer"
        )
    except ConfigurationError as error:
        return Finding("Orthanc", Level.MISSING if needed else Level.NOTE, str(error))


def rules() -> Finding:
    """The rules file of the Orthanc plugin."""
    file = os.environ.get(RULES_VARIABLE, "")
    if not file:
        text = f"{RULES_VARIABLE} names no file, so low-dose CT is processed as nullsplat.json says"
        return Finding("Rules", Level.OK, text)
    try:
        return Finding("Rules", Level.OK, check_file(Path(file)).splitlines()[0])
    except NullSplatError as error:
        return Finding("Rules", Level.MISSING, str(error))


def archive(settings: Settings) -> Finding:
    """The DICOMweb archive that the settings name."""
    password = settings.archive_password.get_secret_value() if settings.archive_password else ""
    credentials = httpx.BasicAuth(settings.archive_username, password) if settings.archive_username else None
    url = f"{settings.archive_url}/studies?limit=1"
    todo = "start the archive or correct NULLSPLAT_ARCHIVE_URL"
    if settings.archive_ca_file is not None:
        return _answers("Archive", url, todo, auth=credentials, verify=str(settings.archive_ca_file))
    return _answers("Archive", url, todo, auth=credentials)


def archive_port(settings: Settings) -> Finding | None:
    """Whether an archive on this machine also listens to others; None when it does not, or is elsewhere."""
    address = urlsplit(settings.archive_url)
    port = address.port or {"http": 80, "https": 443}[address.scheme]
    if address.hostname not in LOOPBACK or port not in ports_open_everywhere():
        return None
    text = (
        f"port {port} listens on all interfaces: Orthanc before 1.13 cannot do otherwise, and with RemoteAccessAllowed false "
        "refuses requests from elsewhere; close the port in the firewall, or from 1.13 on set HttpBindAddresses"
    )
    return Finding("Archive's port", Level.NOTE, text)


def engine(settings: Settings) -> Finding:
    """The engine's API and its readiness."""
    url, todo = f"{settings.url}/readyz", "start it with: nullsplat serve"
    if settings.tls_certificate_file is None:
        return _answers("Engine", url, todo)
    try:
        trusted = trust_exactly(settings.tls_certificate_file)
    except OSError as error:  # also what ssl raises
        wanted = f"{variable_of('tls_certificate_file')} must name a readable certificate (PEM)"
        return Finding(
            "Engine", Level.MISSING, f"{wanted}, {settings.tls_certificate_file} is none: {error.strerror}"
        )
    return _answers("Engine", url, todo, verify=trusted)


def settings_findings() -> tuple[Settings | None, Finding]:
    """The service's settings, or why they cannot be used."""
    own = map(variable_of, Settings.model_fields)
    if os.environ.keys().isdisjoint(own):
        todo = "none of the engine's is set; `nullsplat serve` and `worker` need some, `sr` and `demo` none"
        return None, Finding("Settings", Level.NOTE, todo)
    try:
        settings = Settings()
        _ = settings.archive  # whose certificates are looked at
        if unknown := unknown_variables(os.environ):
            return settings, Finding("Settings", Level.NOTE, f"complete; {'; '.join(unknown)}")
        return settings, Finding("Settings", Level.OK, "complete")
    except ConfigurationError as error:
        return None, Finding("Settings", Level.MISSING, str(error))


def _answers(
    subject: str,
    url: str,
    todo: str,
    *,
    auth: httpx.BasicAuth | None = None,
    verify: str | bool | ssl.SSLContext = True,
) -> Finding:
    get: Callable[..., httpx.Response] = httpx.get
    try:
        answer = get(url, auth=auth, verify=verify, timeout=10)
    except httpx.HTTPError as error:
        return Finding(subject, Level.MISSING, f"{url} does not answer ({error}); {todo}")
    if answer.is_success:
        return Finding(subject, Level.OK, f"{url} answers")
    if complaints := _complaints(answer):
        return Finding(subject, Level.MISSING, f"{url} is not ready", complaints)
    return Finding(
        subject, Level.MISSING, f"{url} answers {answer.status_code}; {todo}", answer.text.strip()[:200]
    )


def _complaints(answer: httpx.Response) -> str:
    """The engine's failed checks, with its advice; empty for an answer of another kind."""
    try:
        checks: dict[str, str] = answer.json()["checks"]
        return "; ".join(f"{name}: {outcome}" for name, outcome in checks.items() if outcome != "ok")
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""

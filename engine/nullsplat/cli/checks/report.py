"""`nullsplat doctor --report`: one file for a support request, without patient data and without secrets.

Its contents are listed here one by one: findings of the checks, settings, counts and codes. Answers of other programs, error
messages of jobs, keys and UIDs are left out.
"""

import contextlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from pydantic import SecretStr

from nullsplat.cli.checks.findings import Finding
from nullsplat.core.errors import ConfigurationError, NullSplatError
from nullsplat.core.files import write_text
from nullsplat.service.api.job_statistics import job_figures
from nullsplat.service.database.integrity import require_schema
from nullsplat.service.database.tables import connect, transaction, utc
from nullsplat.service.error_codes import known_reasons, reason_of
from nullsplat.service.logs import without_uids
from nullsplat.service.queue.jobs import JobStore
from nullsplat.service.settings import PREFIX, Settings, variable_of

FORMAT = "nullsplat-report/1"
RECENT = 50
"""How many failed jobs are listed, the newest first."""
SET, REMOVED = "set", "[removed]"
WITHHELD = ("archive_username",)
"""Settings besides the secrets for which the report states only whether they are set."""


def write_report(findings: Iterable[Finding], path: Path) -> None:
    """Write the file.

    Raises:
        StorageError: it cannot be written.
    """
    settings = _settings()
    report = {
        "format": FORMAT,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "findings": [
            {"subject": found.subject, "level": found.level.value, "text": found.text} for found in findings
        ],
        "machine": _machine(),
        "packages": dict(_packages()),
        "settings": _shown(settings),
        "jobs": None if settings is None else _jobs(settings),
    }
    text = json.dumps(report, indent=1, ensure_ascii=False)
    for secret in _secrets(settings):
        text = text.replace(json.dumps(secret, ensure_ascii=False)[1:-1], REMOVED)
    write_text(path, without_uids(text) + "\n")


def _settings() -> Settings | None:
    with contextlib.suppress(ConfigurationError):
        return Settings()
    return None


def _machine() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
    }


def _packages() -> Iterator[tuple[str, str]]:
    yield "nullsplat", importlib.metadata.version("nullsplat")
    for line in importlib.metadata.requires("nullsplat") or []:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                yield requirement.name, importlib.metadata.version(requirement.name)


def _shown(settings: Settings | None) -> dict[str, Any]:
    """Every setting by its variable; where they cannot be used together, only which are set."""
    if settings is None:
        return {name: SET for name in sorted(os.environ) if name.startswith(PREFIX)}
    values = settings.model_dump()
    return {variable_of(name): _plain(name, value) for name, value in values.items() if value is not None}


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, SecretStr) or name in WITHHELD:
        return SET
    return value if isinstance(value, bool | int | float) else str(value)


def _secrets(settings: Settings | None) -> list[str]:
    """Everything that must not appear in the file, wherever it comes from, the longest first."""
    found = {value for name, value in os.environ.items() if name.startswith(PREFIX) and _is_secret(name)}
    if settings is not None:
        values = settings.model_dump().values()
        found |= {value.get_secret_value() for value in values if isinstance(value, SecretStr)}
        found |= {str(getattr(settings, name)) for name in WITHHELD if getattr(settings, name)}
    return sorted((secret for secret in found if secret), key=len, reverse=True)


def _is_secret(variable: str) -> bool:
    return variable.endswith(("PASSWORD", "SECRET", "TOKEN", "DATABASE_URL", "USERNAME"))


def _jobs(settings: Settings) -> dict[str, Any]:
    """Counts and codes from the database; if it cannot be read, the code of the error."""
    engine = connect(settings.database)
    try:
        with transaction(engine) as connection:
            require_schema(engine, connection)
        figures = job_figures(engine)
        failed = JobStore(engine).newest("failed", RECENT)
    except NullSplatError as error:
        return {"error": error.code}
    finally:
        engine.dispose()
    known = known_reasons()
    return {
        "states": figures.states,
        "queued": figures.priorities,
        "oldest_queued_seconds": round(figures.oldest),
        "failures": {reason: count for reason, count in figures.failures.items() if count},
        "recent_failures": [
            {
                "ended": utc(job.updated_at).isoformat(timespec="seconds"),
                "code": reason_of((job.failure or {}).get("code", ""), known),
                "stage": next((stage["name"] for stage in job.stages if stage["state"] == "failed"), None),
                "preset": job.request["parameters"]["preset"],
            }
            for job in failed
        ],
    }

"""A whole engine for each test that asks: archive double, API over real HTTP, worker processes."""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from tests.support.service import dicom_samples
from tests.support.service.archive_double import ArchiveDouble
from tests.support.service.engine import HASTE, SECRET, Engine, Forge, serving
from tests.support.service.fast_processing import FastProcessing
from tests.support.service.postgres import PostgresServer, why_not

from nullsplat.dicom.read.series import fingerprint
from nullsplat.service.api.server import application
from nullsplat.service.database.schema import open_database
from nullsplat.service.queue import pausing
from nullsplat.service.settings import Settings


@pytest.fixture
def archive() -> Iterator[ArchiveDouble]:
    double = ArchiveDouble()
    double.start()
    double.add(dicom_samples.SERIES, dicom_samples.ct_series())
    yield double
    double.stop()


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    """A server of their own for the tests of a module."""
    if reason := why_not():
        pytest.skip(reason)
    server = PostgresServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def database_url(tmp_path: Path) -> Iterator[str]:
    """SQLite as by default; with TEST_POSTGRES=postgresql://user@host:port a new PostgreSQL database for each test."""
    server = os.environ.get("TEST_POSTGRES")
    if server is None:
        yield f"sqlite:///{tmp_path / 'spool' / 'nullsplat.sqlite'}"
        return
    name = f"nullsplat_{uuid.uuid4().hex}"
    admin = sa.create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
        yield f"{server}/{name}"
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def environment(archive: ArchiveDouble, database_url: str, tmp_path: Path) -> dict[str, str]:
    return {
        "NULLSPLAT_DATABASE_URL": database_url,
        "NULLSPLAT_ARCHIVE_URL": archive.url,
        "NULLSPLAT_ARCHIVE_USERNAME": archive.username,
        "NULLSPLAT_ARCHIVE_PASSWORD": archive.password,
        "NULLSPLAT_ARCHIVE_PATIENCE_SECONDS": "30",
        "NULLSPLAT_SECRET": SECRET,
        "NULLSPLAT_SPOOL": str(tmp_path / "spool"),
        "NULLSPLAT_SPOOL_RESERVE_MIB": "0",
        "NULLSPLAT_DEVICE": "cpu",
    }


@pytest.fixture
def settings(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Settings()


@pytest.fixture(scope="session")
def forge() -> Iterator[Forge]:
    forge = Forge()
    yield forge
    forge.close()


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with all its tables, made once because that takes a second."""
    path = tmp_path_factory.mktemp("database") / "nullsplat.sqlite"
    open_database(f"sqlite:///{path}").dispose()
    return path


@pytest.fixture
def engine(
    settings: Settings,
    environment: dict[str, str],
    tmp_path: Path,
    forge: Forge,
    empty_database: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Engine]:
    monkeypatch.setattr(pausing, "POLL", HASTE["nullsplat.service.queue.pausing.POLL"])
    settings.prepare_spool()
    if settings.database.startswith("sqlite"):
        shutil.copy(empty_database, settings.spool)
    with application(settings, FastProcessing(tmp_path / "control")) as app, serving(app) as url:
        headers = {"Authorization": f"Bearer {SECRET}"}
        with httpx.Client(base_url=url, headers=headers, timeout=20, trust_env=False) as client:
            engine = Engine(client, environment, tmp_path, forge)
            yield engine
            engine.stop()


@pytest.fixture
def request_for(archive: ArchiveDouble) -> Callable[..., dict[str, Any]]:
    """Makes job requests for what the archive holds now."""

    def make(
        attempt: int = 1,
        priority: str = "normal",
        scale: tuple[int, int, int] = (2, 1, 1),
        seed: int = 0,
    ) -> dict[str, Any]:
        series = dicom_samples.SERIES
        return {
            "study_instance_uid": dicom_samples.STUDY,
            "series_instance_uid": series,
            "fingerprint": fingerprint(series, archive.instances[series]),
            "attempt": attempt,
            "parameters": {"preset": "preview", "scale": list(scale), "seed": seed, "samples": 1},
            "priority": priority,
        }

    return make

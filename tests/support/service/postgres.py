"""A PostgreSQL of its own for the tests: on loopback, with its data in a temporary folder, gone at the end."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from nullsplat.node.processes import free_port

USER, PASSWORD = "nullsplat", "a-password-for-tests"
INSTALLED = Path("/usr/lib/postgresql")
PATIENCE = 60.0


def binaries() -> Path | None:
    """The folder with `initdb` and `postgres`, of the newest version that is there."""
    found = [folder for folder in INSTALLED.glob("*/bin") if (folder / "initdb").exists()]
    if found:
        return max(found, key=lambda folder: float(folder.parent.name))
    elsewhere = shutil.which("initdb")
    return Path(elsewhere).resolve().parent if elsewhere else None


def why_not() -> str:
    """Why no server can be started here, empty when one can."""
    if binaries() is None:
        return "PostgreSQL is missing: make setup-system (Debian: apt-get install postgresql)"
    return ""


class PostgresServer:
    """One server; `url` makes a new database in it."""

    def __init__(self) -> None:
        self._bin = binaries()
        self._folder = Path(tempfile.mkdtemp(prefix="nullsplat-postgres-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def start(self) -> None:
        (self._folder / "password").write_text(PASSWORD)
        self._give_away()
        self._run(
            "initdb", "-U", USER, "--auth=scram-sha-256", f"--pwfile={self._folder / 'password'}",
            "-E", "UTF8", "--locale=C", "--no-sync", "-D", str(self._folder / "data"),
        )  # fmt: skip
        self.port = free_port()
        options = {
            "listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", "fsync": "off",
            "max_connections": 200,
        }  # fmt: skip
        switches = [switch for name, value in options.items() for switch in ("-c", f"{name}={value}")]
        with (self._folder / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                [str(self._bin / "postgres"), "-D", str(self._folder / "data"), *switches],
                stdout=log, stderr=log, cwd=self._folder, **self._identity(),
            )  # fmt: skip
        self._wait()

    def stop(self) -> None:
        """Stop at once; clients are cut off."""
        if self._process is not None:
            self._process.terminate() if self._process.poll() is not None else self._process.send_signal(3)
            self._process.wait(PATIENCE)
        shutil.rmtree(self._folder)

    def url(self, user: str = USER, password: str = PASSWORD) -> str:
        """A new, empty database."""
        name = f"nullsplat_{uuid.uuid4().hex}"
        with self._admin().connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{name}"

    def _admin(self) -> sa.Engine:
        address = f"postgresql+psycopg://{USER}:{PASSWORD}@127.0.0.1:{self.port}/postgres"
        return sa.create_engine(address, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)

    def _wait(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with self._admin().connect():
                    return
            except sa.exc.OperationalError:
                assert time.monotonic() < deadline, (self._folder / "server.log").read_text()
                time.sleep(0.1)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._bin / program), *arguments], capture_output=True, text=True, check=False, cwd=self._folder, **self._identity()
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def _identity(self) -> dict[str, Any]:
        """PostgreSQL refuses to run as root."""
        if os.getuid() != 0:
            return {}
        return {"user": _plain_user().pw_uid, "group": _plain_user().pw_gid, "extra_groups": []}

    def _give_away(self) -> None:
        if os.getuid() == 0:
            for path in (self._folder, self._folder / "password"):
                os.chown(path, _plain_user().pw_uid, _plain_user().pw_gid)


def _plain_user() -> pwd.struct_passwd:
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]

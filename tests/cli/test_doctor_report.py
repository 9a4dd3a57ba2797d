"""`nullsplat doctor --report`: everything that helps, and nothing that leads to a patient or opens a door."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.cli.test_doctor import archive
from typer.testing import CliRunner

from nullsplat.cli.checks import computing, doctor
from nullsplat.cli.checks.findings import Finding, Level
from nullsplat.cli.main import app
from nullsplat.node.processes import free_port
from nullsplat.service.database.schema import open_database
from nullsplat.service.database.tables import jobs
from nullsplat.service.queue.jobs import waiting_stages

NAME, UID = "DOE^JANE", "1.2.826.0.1.3680043.8.498.20000000000000000000000000000000000001"
SECRETS = {
    "NULLSPLAT_SECRET": 'a-secret-"quoted"-of-the-engine',
    "NULLSPLAT_ARCHIVE_PASSWORD": "p4ssword-of-the-archive",
    "NULLSPLAT_ADMIN_PASSWORD": "p4ssword-of-the-administrator",
    "NULLSPLAT_ARCHIVE_USERNAME": "jane.doe",
}
ANSWER = f"no study {UID} of {NAME}"


def fill(spool: Path) -> None:
    """Two jobs that failed, as the engine would have written them, and one that waits."""
    database = open_database(f"sqlite:///{spool / 'nullsplat.sqlite'}")
    request = {"study_instance_uid": UID, "series_instance_uid": UID, "parameters": {"preset": "standard"}}
    broken = [
        {**stage, "state": "failed"} if stage["name"] == "stage2" else stage for stage in waiting_stages()
    ]
    now = datetime.now(UTC)
    with database.begin() as connection:
        for key, state, code in (
            ("a" * 32, "failed", "storage"),
            ("b" * 32, "failed", NAME),
            ("c" * 32, "queued", ""),
        ):
            failure = {"code": code, "message": f"{NAME} {UID}", "retryable": False} if code else None
            connection.execute(
                sa.insert(jobs).values(
                    key=key,
                    state=state,
                    request=request,
                    stages=broken,
                    failure=failure,
                    created_at=now,
                    updated_at=now,
                )
            )
    database.dispose()


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    spool = tmp_path / "spool"
    spool.mkdir(mode=0o700)
    fill(spool)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NULLSPLAT_SPOOL", str(spool))
    monkeypatch.setenv("NULLSPLAT_PORT", str(free_port()))
    monkeypatch.setattr(
        computing, "prior_weights", lambda: Finding("Weights", Level.OK, SECRETS["NULLSPLAT_SECRET"])
    )
    return spool


def test_a_report_helps_and_holds_no_name_no_uid_and_no_secret(
    spool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.json"
    with archive(500, ANSWER) as (url, _):
        monkeypatch.setenv("NULLSPLAT_ARCHIVE_URL", url)
        done = CliRunner().invoke(app, ["doctor", "--report", str(path)])
    assert done.exit_code == 1
    assert NAME in done.output, "the person at the machine is shown what the archive answered"
    text = path.read_text()
    report = json.loads(text)
    for forbidden in (
        NAME,
        "DOE",
        UID,
        UID[:20],
        "a" * 32,
        *SECRETS.values(),
        json.dumps(SECRETS["NULLSPLAT_SECRET"])[1:-1],
    ):
        assert forbidden not in text, forbidden
    assert report["settings"]["NULLSPLAT_SECRET"] == report["settings"]["NULLSPLAT_ARCHIVE_USERNAME"] == "set"
    assert report["settings"]["NULLSPLAT_AGEING_SECONDS"] == 14400
    assert report["settings"]["NULLSPLAT_SPOOL"] == str(spool)
    assert {"nullsplat", "torch", "dbos", "pydantic"} <= report["packages"].keys()
    assert report["machine"]["cores"] >= 1
    found = {one["subject"]: one for one in report["findings"]}
    assert "answers 500" in found["Archive"]["text"]
    assert found["Archive"]["level"] == "missing"
    assert found["Weights"]["text"] == "[removed]"
    assert (report["jobs"]["states"]["queued"], report["jobs"]["queued"]["normal"]) == (1, 1)
    recent = {(one["code"], one["stage"], one["preset"]) for one in report["jobs"]["recent_failures"]}
    assert recent == {("storage", "stage2", "standard"), ("other", "stage2", "standard")}


def test_a_report_without_usable_settings_says_which_are_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NULLSPLAT_PORT", "99999")
    monkeypatch.setattr(doctor, "findings", lambda: [Finding("Something", Level.OK, "fine")])
    assert doctor.run(tmp_path / "report.json") == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["settings"]["NULLSPLAT_PORT"] == "set"
    assert report["jobs"] is None


def test_no_report_is_made_while_packages_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        doctor, "packages", lambda: Finding("Packages", Level.MISSING, "torch is not installed")
    )
    done = CliRunner().invoke(app, ["doctor", "--report", str(tmp_path / "report.json")])
    assert done.exit_code == 2
    assert "a report needs all packages" in done.output
    assert not (tmp_path / "report.json").exists()

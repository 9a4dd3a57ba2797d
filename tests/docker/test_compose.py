"""The compose files: valid, hardened, nothing open, and everything that is named is there."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).resolve().parents[2] / "docker"
FILES = ["compose.yaml", "compose.gpu.yaml", "compose.postgres.yaml"]
OURS = ["orthanc", "engine", "worker"]


def read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text())
    return content


@pytest.mark.parametrize("name", FILES)
def test_the_compose_specification_is_met(name: str) -> None:
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        str(FOLDER / name),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("service", OURS)
def test_services_are_hardened_and_come_back(service: str) -> None:
    settings = read("compose.yaml")["services"][service]
    assert settings["read_only"] is True
    assert settings["cap_drop"] == ["ALL"]
    assert settings["restart"] == "unless-stopped"
    assert settings["deploy"]["resources"]["limits"]["memory"]
    assert "user" not in settings, "the image says which user it runs as"


def test_ports_are_published_on_loopback_unless_somebody_says_otherwise() -> None:
    for name in FILES:
        for service, settings in read(name)["services"].items():
            for port in settings.get("ports", []):
                assert re.match(r"\$\{NULLSPLAT_(HTTP|DICOM)_ADDRESS:-127\.0\.0\.1\}:", port), (service, port)


@pytest.mark.parametrize("name", FILES)
def test_what_is_mounted_is_declared(name: str) -> None:
    declared = {
        key: {**read("compose.yaml")[key], **read(name).get(key, {})} for key in ("volumes", "secrets")
    }
    for settings in read(name)["services"].values():
        assert set(settings.get("secrets", [])) <= declared["secrets"].keys()
        sources = {volume.partition(":")[0] for volume in settings.get("volumes", [])}
        assert {one for one in sources if not one.startswith("./")} <= declared["volumes"].keys()


def test_secrets_are_files_and_never_values() -> None:
    for name in FILES:
        for settings in read(name)["services"].values():
            for variable, value in settings.get("environment", {}).items():
                if re.search("PASSWORD|SECRET|DATABASE_URL", variable):
                    assert variable.endswith("_FILE"), variable
                    assert str(value).removeprefix("/run/secrets/") in settings_secrets(), value


def test_a_service_waits_for_what_it_needs_to_be_healthy() -> None:
    for name in FILES:
        for settings in read(name)["services"].values():
            for needed, how in settings.get("depends_on", {}).items():
                assert how == {"condition": "service_healthy"}
                assert needed in {**read("compose.yaml")["services"], **read(name)["services"]}


def test_the_gpu_is_reserved_for_the_worker() -> None:
    services = read("compose.gpu.yaml")["services"]
    assert list(services) == ["worker"]
    (device,) = services["worker"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["driver"] == "nvidia"
    assert device["capabilities"] == ["gpu"]
    assert services["worker"]["build"]["target"] == "cuda"


def test_every_variable_has_a_default_and_stands_in_the_example() -> None:
    example = (FOLDER / "example.env").read_text()
    for name in FILES:
        for variable, rest in re.findall(r"\$\{(\w+)([^}]*)\}", (FOLDER / name).read_text()):
            assert rest.startswith(":-"), f"{variable} must have a default"
            assert f"\n{variable}={rest[2:]}\n" in example, variable


def test_compose_itself_reads_the_files(tmp_path: Path) -> None:
    compose = compose_command()
    if compose is None:
        pytest.skip("no docker compose (version 2) here; the schema and the other tests must do")
    options = [option for name in FILES for option in ("--file", str(FOLDER / name))]
    done = subprocess.run(
        [*compose, *options, "config", "--format", "json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    services = json.loads(done.stdout)["services"]
    worker = services["worker"]
    assert worker["environment"]["NULLSPLAT_DEVICE"] == "cuda"
    assert worker["environment"]["NULLSPLAT_DATABASE_URL_FILE"] == "/run/secrets/database_url"
    assert worker["environment"]["NULLSPLAT_ARCHIVE_URL"] == "http://orthanc:8042/dicom-web"
    assert set(worker["depends_on"]) == {"orthanc", "engine", "postgres"}
    # One folder, one volume: where the GPU's cache takes the other's place.
    mounts = [volume["target"] for volume in worker["volumes"]]
    assert sorted(mounts) == ["/var/cache/nullsplat", "/var/lib/nullsplat"]


def test_secrets_are_made_once_and_stay(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make = [FOLDER / "make-secrets.sh", folder]
    subprocess.run(make, check=True, capture_output=True)
    first = {path.name: path.read_text() for path in folder.iterdir()}
    subprocess.run(make, check=True, capture_output=True)
    assert {path.name: path.read_text() for path in folder.iterdir()} == first
    assert first.keys() == settings_secrets()
    assert len(set(first.values())) == len(first)
    assert all(len(value) >= 64 for value in first.values())
    assert first["database_password"] in first["database_url"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert all(os.access(folder / name, os.R_OK) for name in first)
    assert all(stat.S_IMODE((folder / name).stat().st_mode) == 0o644 for name in first)


def settings_secrets() -> set[str]:
    return {name for file in FILES for name in read(file).get("secrets", {})}


def compose_command() -> list[str] | None:
    """`docker compose` or `docker-compose` of version 2, if there is one."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]):
            done = subprocess.run(
                [*command, "version", "--short"], capture_output=True, text=True, check=False
            )
            if done.returncode == 0 and not done.stdout.startswith("1."):
                return command
    return None

"""docs/installation.md and the systemd units say what the engine, the images and Debian say."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from nullsplat.cli.main import app
from nullsplat.node.configuration import read_configuration
from nullsplat.service.settings import PREFIX, Settings, variable_of

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "orthanc-config/systemd"
PAGE = (ROOT / "docs/installation.md").read_text()
COMMANDS = "\n".join(re.findall(r"^```\n(.*?)^```", PAGE, re.M | re.S))
ENGINE_IMAGE = (ROOT / "docker/engine/Dockerfile").read_text()
ORTHANC_IMAGE = (ROOT / "docker/orthanc/Dockerfile").read_text()
SETUP = (ROOT / "scripts/setup.sh").read_text()
UNITS = ("nullsplat-engine.service", "nullsplat-worker@.service")
DEBIANS_UNIT = Path("/lib/systemd/system/orthanc.service")
DEBIANS_CONFIGURATION = Path("/etc/orthanc")
each_unit = pytest.mark.parametrize("unit", UNITS)


def lines(name: str) -> list[tuple[str, str]]:
    """Keys and values of a unit or of a file of variables, in order."""
    text = (FOLDER / name).read_text()
    return [(key, value) for key, value in re.findall(r"^(\w+)=(.*)$", text, re.M)]


def only(unit: str, key: str) -> str:
    (value,) = [value for name, value in lines(unit) if name == key]
    return value


def environment(unit: str) -> dict[str, str]:
    return dict(value.split("=", 1) for key, value in lines(unit) if key == "Environment")


def packages(text: str) -> set[str]:
    """What an `apt-get install` of a page or Dockerfile names."""
    found = re.findall(r"apt-get install ([^&\n]*)", text.replace("\\\n", " "))
    return {word for line in found for word in line.split() if not word.startswith("-")}


@each_unit
def test_the_command_is_one_of_the_engine_in_the_environment_that_the_page_makes(unit: str) -> None:
    program, *words = shlex.split(only(unit, "ExecStart"))
    (environment_folder,) = re.findall(r"^python3 -m venv (\S+)$", COMMANDS, re.M)
    assert program == f"{environment_folder}/bin/nullsplat"
    assert len(words) == 1
    assert words[0] in get_command(app).commands  # type: ignore[attr-defined]  # a group, as test_documents knows


@each_unit
def test_only_settings_of_the_engine_are_set_and_the_rest_as_in_the_image(unit: str) -> None:
    fields = set(map(variable_of, Settings.model_fields))
    in_image = dict(re.findall(r"\b([A-Z_]+)=(\S+)", ENGINE_IMAGE))
    set_here = environment(unit)
    assert {name for name in set_here if name.startswith(PREFIX)} <= fields
    others = {k: v for k, v in set_here.items() if not k.startswith((PREFIX, "CUDA_"))}
    assert {name: in_image.get(name) for name in others} == others
    assert "NUMBA_CACHE_DIR" in others


def test_the_engine_takes_its_file_of_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = dict(lines("engine.env"))
    assert set(settings) <= set(map(variable_of, Settings.model_fields))
    for name, value in settings.items():
        if value.startswith("/etc/nullsplat/secrets/"):
            assert f" {value}\n" in COMMANDS, "the page must make the secret"
            value = str(tmp_path / Path(value).name)  # noqa: PLW2901 - the same file at a place that is there
            Path(value).write_text("0123456789abcdef\n")
        monkeypatch.setenv(name, value)
    taken = Settings()
    users = read_configuration(ROOT / "orthanc-config")["RegisteredUsers"]
    assert taken.archive_username in users
    assert taken.archive_password is not None


@each_unit
def test_a_unit_is_closed_to_all_but_what_it_needs(unit: str) -> None:
    settings = dict(lines(unit))
    wanted = {
        "User": "nullsplat",
        "EnvironmentFile": "/etc/nullsplat/engine.env",
        "ProtectSystem": "strict",
        "PrivateTmp": "true",
        "ProtectHome": "true",
        "NoNewPrivileges": "true",
        "CapabilityBoundingSet": "",
        "Restart": "always",
        "KillSignal": "SIGTERM",
    }
    assert {key: settings.get(key) for key in wanted} == wanted
    writable = settings["ReadWritePaths"].split()
    assert dict(lines("engine.env"))["NULLSPLAT_SPOOL"] in writable
    caches = {value for value in environment(unit).values() if value.startswith("/")}
    assert all(any(cache.startswith(folder) for folder in writable) for cache in caches)


@each_unit
def test_what_would_break_the_engine_is_not_there(unit: str) -> None:
    """These hide the GPU, forbid code that is compiled while it runs, or would be a guess."""
    assert not {key for key, _ in lines(unit)} & {
        "PrivateDevices",
        "ProtectClock",
        "DevicePolicy",
        "MemoryDenyWriteExecute",
        "MemoryMax",
    }


@each_unit
def test_a_worker_is_given_the_time_that_it_takes_to_stop(unit: str) -> None:
    from nullsplat.service.worker.process import GRACE

    assert int(only(unit, "TimeoutStopSec")) >= GRACE


@each_unit
def test_systemd_understands_every_line(unit: str, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed here")
    text = (FOLDER / unit).read_text()
    copy = tmp_path / unit
    copy.write_text(text.replace(shlex.split(only(unit, "ExecStart"))[0], "/bin/true"))
    command = ["systemd-analyze", "verify", copy]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    # It looks at the units that are named in ours as well; what it says of those is not ours.
    said = (done.stdout + done.stderr).splitlines()
    assert [line for line in said if "nullsplat" in line] == []


def test_packages_are_those_of_the_images_and_of_the_setup() -> None:
    setup = set(" ".join(re.findall(r"_PACKAGES=\((.*?)\)", SETUP, re.S)).split())
    named = packages(COMMANDS)
    assert named <= setup | packages(ENGINE_IMAGE) | packages(ORTHANC_IMAGE)
    orthanc = {name for name in packages(ORTHANC_IMAGE) if name.startswith("orthanc")}
    assert len(orthanc) == 5
    assert orthanc | {"python3-venv", "libgomp1"} <= named
    (purged,) = re.findall(r"^apt-get purge (.*)$", COMMANDS, re.M)
    assert set(purged.split()) == orthanc


def test_the_engine_is_installed_as_in_the_image() -> None:
    (index,) = re.findall(r"^ARG TORCH_INDEX=(\S+)$", ENGINE_IMAGE, re.M)
    assert f"--extra-index-url {index} " in COMMANDS
    assert "grep '^torch==' docker/engine/requirements.txt" in COMMANDS
    assert "pip install --no-deps .\n" in COMMANDS


def test_what_is_copied_is_there_and_goes_where_it_is_looked_for() -> None:
    copied = [line.split() for line in COMMANDS.splitlines() if line.startswith(("cp ", "install -m"))]
    sources = [word for words in copied for word in words if word.startswith(("plugin", "orthanc-config/"))]
    assert len(sources) == 5
    assert [source for source in sources if not list(ROOT.glob(source))] == []
    plugin = re.search(r"\$\{NULLSPLAT_PLUGIN:-(\S+)\}", (ROOT / "orthanc-config/nullsplat.json").read_text())
    assert plugin is not None
    assert f"cp -r plugin {Path(plugin[1]).parent}/" in COMMANDS
    for unit in UNITS:
        assert (
            f"install -m 0644 orthanc-config/systemd/{Path(only(unit, 'EnvironmentFile')).name} " in COMMANDS
        )


def test_orthanc_is_given_every_variable_that_must_be_set() -> None:
    (file,) = re.findall(r"^install -m 0600 /dev/stdin (\S+) <<END\n", COMMANDS, re.M)
    assert only("orthanc.conf", "EnvironmentFile") == file
    given = set(re.findall(r"^(NULLSPLAT_\w+)=", COMMANDS, re.M))
    texts = [path.read_text() for path in (ROOT / "orthanc-config").glob("*.json")]
    without_default = {name for text in texts for name in re.findall(r"\$\{(NULLSPLAT_\w+)\}", text)}
    assert len(without_default) == 2
    assert given == without_default | {"NULLSPLAT_SECRET"}


def test_orthanc_reads_the_folder_that_the_page_fills() -> None:
    reset, command = [value for key, value in lines("orthanc.conf") if key == "ExecStart"]
    assert reset == "", "systemd must forget Debian's command first"
    assert f"install -m 0644 orthanc-config/*.json {command.split()[-1]}/\n" in COMMANDS
    if DEBIANS_UNIT.is_file():
        (debians,) = re.findall(r"^ExecStart=(.*)$", DEBIANS_UNIT.read_text(), re.M)
        assert command.split()[:-1] == debians.split()[:-1]
        assert debians.split()[-1] == str(DEBIANS_CONFIGURATION)


@pytest.mark.parametrize("name", ["credentials.json", "python.json"])
def test_debians_files_that_the_page_names_do_clash_with_the_nodes(name: str) -> None:
    if not (DEBIANS_CONFIGURATION / "python.json").is_file():
        pytest.skip("Debian's packages of Orthanc are not installed here")
    sections = {"credentials.json": "RegisteredUsers", "python.json": "PythonScript"}
    assert f'"{sections[name]}" :' in (DEBIANS_CONFIGURATION / name).read_text()
    assert sections[name] in read_configuration(ROOT / "orthanc-config")

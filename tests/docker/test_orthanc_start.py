"""What the Orthanc image runs before it becomes Orthanc: layers of configuration, secrets from files."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from nullsplat.core.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def node() -> ModuleType:
    spec = importlib.util.spec_from_file_location("container_start", ROOT / "docker/orthanc/node.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    (tmp_path / "orthanc-config").symlink_to(ROOT / "orthanc-config")
    (tmp_path / "container").mkdir()
    (tmp_path / "container/container.json").symlink_to(ROOT / "docker/orthanc/container.json")
    return tmp_path


def test_without_a_site_only_remote_access_differs_from_what_ships(node: ModuleType, etc: Path) -> None:
    shipped = node.read_configuration(ROOT / "orthanc-config")
    assert node.configuration(etc) == {**shipped, "RemoteAccessAllowed": True, "HttpBindAddresses": []}


def test_the_site_goes_over_everything_section_by_section(node: ModuleType, etc: Path) -> None:
    (etc / "site").mkdir()
    site = {"StableAge": 7, "RemoteAccessAllowed": False, "NullSplat": {"Preset": "preview"}}
    (etc / "site/a.json").write_text("// a comment\n" + json.dumps(site))
    (etc / "site/rules.toml").write_text("")
    merged = node.configuration(etc)
    assert merged["StableAge"] == 7
    assert merged["RemoteAccessAllowed"] is False
    assert merged["NullSplat"]["Preset"] == "preview"
    assert merged["NullSplat"]["MinSlices"] == 10


def test_a_section_in_two_files_of_the_site_is_refused(node: ModuleType, etc: Path) -> None:
    (etc / "site").mkdir()
    for name in ("a", "b"):
        (etc / f"site/{name}.json").write_text('{"StableAge": 7}')
    with pytest.raises(ConfigurationError, match="StableAge must appear in one file only"):
        node.configuration(etc)


def test_passwords_come_from_files(node: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("correct horse\n")
    environment = {"NULLSPLAT_ADMIN_PASSWORD_FILE": str(tmp_path / "password"), "OTHER": "stays"}
    node.read_secrets(environment)
    assert environment == {"NULLSPLAT_ADMIN_PASSWORD": "correct horse", "OTHER": "stays"}


@pytest.mark.parametrize(
    ("content", "others", "complaint"),
    [
        ("x", {"NULLSPLAT_ENGINE_PASSWORD": "y"}, "set either"),
        (" \n", {}, "is empty"),
        (None, {}, "must name a readable text file"),
    ],
)
def test_a_bad_password_file_is_refused(
    node: ModuleType, tmp_path: Path, content: str | None, others: dict[str, str], complaint: str
) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigurationError, match=complaint):
        node.read_secrets({"NULLSPLAT_ENGINE_PASSWORD_FILE": str(file), **others})


def test_misuse_is_told_on_standard_error(node: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert node.main(["dance"]) == 2
    assert "say one of start, healthy" in capsys.readouterr().err

"""The shipped configuration: read by us as Orthanc reads it, and by Orthanc itself."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nullsplat
import nullsplat_node
from nullsplat.core.errors import ConfigurationError
from nullsplat.node import configuration, installation
from nullsplat.node.configuration import configuration_folder, overlay, plugin_folder, read_configuration
from nullsplat.node.installation import installed_orthanc
from nullsplat.node.processes import free_port

values = st.recursive(
    st.none() | st.booleans() | st.text(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=8
)


@settings(max_examples=40)
@given(st.dictionaries(st.text(), values))
def test_comments_go_and_everything_else_stays(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, object]
) -> None:
    folder = tmp_path_factory.mktemp("configuration")
    text = json.dumps(content, indent=1, ensure_ascii=False).replace(
        "\n", ' // a "comment" /* \n/* another, // \n */'
    )
    (folder / "a.json").write_text(text, encoding="utf-8")
    assert read_configuration(folder) == content


def test_a_section_may_stand_in_one_file_only(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text('{"Name": "x"}')
    with pytest.raises(ConfigurationError, match="Name must appear in one file only"):
        read_configuration(tmp_path)


@pytest.mark.parametrize("text", ["{", "[1]", '"x"'])
def test_a_file_that_is_no_object_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "broken.json").write_text(text)
    with pytest.raises(ConfigurationError, match=r"broken\.json must"):
        read_configuration(tmp_path)


def test_an_overlay_merges_sections_and_replaces_values() -> None:
    below = {"A": {"x": 1, "y": [1, 2]}, "B": 1}
    assert overlay(below, {"A": {"y": [3]}, "C": 2}) == {"A": {"x": 1, "y": [3]}, "B": 1, "C": 2}
    assert below == {"A": {"x": 1, "y": [1, 2]}, "B": 1}


def test_an_installed_package_finds_the_files_inside_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages" / "nullsplat"
    (package / "_node" / "plugin").mkdir(parents=True)
    monkeypatch.setattr(configuration, "_PACKAGE", package)
    assert plugin_folder() == package / "_node" / "plugin"
    with pytest.raises(ConfigurationError, match="'orthanc-config' is needed"):
        configuration_folder()


def test_what_is_not_installed_is_named_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(installation.COMMAND, raising=False)
    monkeypatch.setenv(installation.PLUGIN_FOLDER, str(tmp_path))
    with pytest.raises(
        ConfigurationError, match=r"apt-get install .*orthanc-python orthanc-dicomweb orthanc-webviewer"
    ):
        installed_orthanc()


def test_another_orthanc_can_be_named_and_must_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "orthanc-of-another-system"
    monkeypatch.setenv(installation.COMMAND, str(other))
    with pytest.raises(ConfigurationError, match="NULLSPLAT_ORTHANC must name an executable program"):
        installed_orthanc()
    other.write_text("#!/bin/sh\necho Orthanc 9.9.9\necho more\n")
    other.chmod(0o755)
    assert installed_orthanc() == other
    assert installation.orthanc_version() == "Orthanc 9.9.9"


def test_plugin_and_engine_are_of_one_version() -> None:
    assert nullsplat_node.__version__ == nullsplat.__version__


@pytest.mark.orthanc
def test_orthanc_reads_the_shipped_folder_as_it_is(tmp_path: Path) -> None:
    """Only the ports differ, since the usual ones may be in use."""
    for path in configuration_folder().glob("*.json"):
        text = path.read_text().replace('"HttpPort" : 8042', f'"HttpPort" : {free_port()}')
        (tmp_path / path.name).write_text(text.replace('"DicomPort" : 4242', f'"DicomPort" : {free_port()}'))
    environment = {
        **os.environ,
        "NULLSPLAT_STORAGE": str(tmp_path / "archive"),
        "NULLSPLAT_PLUGIN": str(plugin_folder()),
        "NULLSPLAT_ADMIN_PASSWORD": "for-people",
        "NULLSPLAT_ENGINE_PASSWORD": "for-the-engine",
        "NULLSPLAT_SECRET": "sixteen-characters",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [installed_orthanc(), str(tmp_path)], env=environment, stdout=output, stderr=output
        )
    try:
        deadline = time.monotonic() + 30
        while "Orthanc has started" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
    finally:
        process.kill()
        process.wait()
    assert not [line for line in log.read_text().splitlines() if line.startswith("E")]
    assert "remote access is not allowed" in log.read_text()

"""`nullsplat rules`: the plugin's rules, tried without Orthanc."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from nullsplat.cli.checks import node as checks
from nullsplat.cli.checks.findings import Level
from nullsplat.cli.main import app
from nullsplat.cli.work.rules import simplified_tags
from nullsplat.core.volume import Geometry, Volume
from nullsplat.dicom.read.files import read_headers
from nullsplat.dicom.write.synthetic_series import SeriesDescription, write_ct_series
from nullsplat.node.configuration import configuration_folder

RULES = """
[[rule]]
name = "elsewhere"
match = { called_aet = "OTHER", slice_thickness = { max = 2 } }
[[rule]]
name = "thick"
scale = 2
priority = "stat"
destinations = ["PACS"]
match = { slice_thickness = { min = 4 } }
"""


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    folder = tmp_path / "scan"
    volume = Volume(np.zeros((12, 8, 8), np.float32), Geometry((12, 8, 8), (5.0, 1.0, 1.0)))
    write_ct_series(volume, folder, SeriesDescription())
    return folder


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.toml"
    path.write_text(RULES)
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["rules", *map(str, arguments)])


def test_a_good_file_is_put_into_words(rules: Path) -> None:
    result = run("check", rules)
    assert result.exit_code == 0
    assert "rules.toml: valid, 2 rules" in result.stdout
    assert "2. 'thick': when slice thickness is at least 4 mm: scale 2 x 1 x 1 (z, y, x)" in result.stdout
    assert "DicomModalities must name PACS" in result.stdout


def test_the_shipped_example_is_valid() -> None:
    assert run("check", configuration_folder() / "rules.example.toml").exit_code == 0


def test_a_bad_file_ends_with_2_and_the_plugins_own_message(rules: Path) -> None:
    rules.write_text(RULES.replace("priority", "prority"))
    result = run("check", rules)
    assert result.exit_code == 2
    assert result.stdout == ""
    line = "line 8, rule 'thick': prority is not a key; did you mean priority?"
    assert result.stderr == f"nullsplat: {rules}, {line}\n"


def test_a_scan_is_told_which_rule_takes_it_and_why_not_those_before(scan: Path, rules: Path) -> None:
    result = run("test", scan, "--rules", rules)
    assert result.exit_code == 0, result.stderr
    assert "12 images" in result.stdout
    assert (
        "rule 'elsewhere' does not take it: it has no called AE title, needed is OTHER, "
        "and slice thickness 5 mm is not at most 2 mm" in result.stdout
    )
    assert "rule 'thick' takes it: slice thickness 5 mm is at least 4 mm" in result.stdout
    assert "priority stat, sent to PACS" in result.stdout
    assert "would be done: rule 'thick'" in result.stdout
    assert "12 slices 5 mm apart, scale 2 x 1 x 1 (z, y, x)" in result.stdout


def test_one_image_tells_the_rule_though_it_is_too_little_to_be_done(scan: Path, rules: Path) -> None:
    result = run("test", sorted(scan.iterdir())[0], "--rules", rules, "--called-aet", "OTHER")
    assert result.exit_code == 0, result.stderr
    assert "does not take it: slice thickness 5 mm is not at most 2 mm\n" in result.stdout
    assert "would not be done (too few slices): at least 10 slices are needed, there is 1" in result.stdout


def test_without_a_file_the_settings_decide(scan: Path) -> None:
    result = run("test", scan)
    assert result.exit_code == 0, result.stderr
    assert "Rules: no file, so the settings alone decide" in result.stdout
    assert "'low-dose CT'" in result.stdout


def test_the_nodes_own_configuration_names_file_and_modalities(
    scan: Path, rules: Path, tmp_path: Path
) -> None:
    node = tmp_path / "node"
    node.mkdir()
    (node / "orthanc.json").write_text(
        f'{{ "DicomModalities": {{ "ARCHIVE": {{}} }}, "NullSplat": {{ "RulesFile": "${{NOT_SET:-{rules}}}" }} }}'
    )
    result = run("test", scan, "--config", node)
    assert result.exit_code == 2
    assert (
        "destinations must be names in Orthanc's DicomModalities, or in DicomWebDestinations or Webhooks of the section NullSplat, got 'PACS'"
        in result.stderr
    )


@pytest.mark.parametrize("what", ["nothing", "empty"])
def test_no_image_ends_with_2(what: str, rules: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = run("test", tmp_path / what, "--rules", rules)
    assert result.exit_code == 2
    assert "a DICOM image or a folder" in result.stderr


def test_what_is_no_image_is_left_out_and_counted(scan: Path, rules: Path) -> None:
    (scan / "notes.txt").write_text("hello")
    result = run("test", scan, "--rules", rules)
    assert result.exit_code == 0
    assert "left out 1 file(s), the first: notes.txt is not a DICOM file" in result.stderr


def test_headers_look_as_orthanc_shows_them(scan: Path) -> None:
    [(_, header)] = read_headers([sorted(scan.iterdir())[0]])
    shown = simplified_tags(header)
    assert shown["PixelSpacing"] == "1.0\\1.0"
    assert shown["Modality"] == "CT"
    assert shown["Rows"] == "8"
    assert "PixelData" not in shown


def test_the_doctor_looks_at_the_rules_file(rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.rules().level is Level.OK
    monkeypatch.setenv(checks.RULES_VARIABLE, str(rules))
    assert checks.rules().text.endswith("valid, 2 rules; the first that fits takes a series")
    rules.write_text("nonsense")
    found = checks.rules()
    assert found.level is Level.MISSING
    assert "must be TOML" in found.text

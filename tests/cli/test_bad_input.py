import os
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from nullsplat.cli.main import app
from nullsplat.core.errors import UnreadableFile
from nullsplat.core.volume import Geometry, Volume
from nullsplat.dicom.write.synthetic_series import SeriesDescription, write_ct_series
from nullsplat.io.nifti import write_nifti


def make_volume(slices: int = 4) -> Volume:
    return Volume(np.zeros((slices, 8, 8), np.float32), Geometry((slices, 8, 8), (5.0, 1.0, 1.0)))


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    folder = tmp_path / "scan"
    write_ct_series(make_volume(), folder, SeriesDescription())
    return folder


def refused(*arguments: object) -> str:
    """The one line on standard error with which the command refuses its input."""
    result = CliRunner().invoke(app, ["sr", *map(str, arguments)])
    assert result.exit_code == 2
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("nullsplat: ")
    return lines[0]


def test_no_input(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "nothing", tmp_path / "out")


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    assert "another kind of file" in refused(tmp_path / "notes.txt", tmp_path / "out")


def test_no_dicom_in_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "scan"
    folder.mkdir()
    (folder / "notes.dcm").write_text("this is no DICOM file")
    assert "notes.dcm" in refused(folder, tmp_path / "out")


def test_a_truncated_nifti_file(tmp_path: Path) -> None:
    path = tmp_path / "ct.nii.gz"
    write_nifti(make_volume(), path)
    path.write_bytes(path.read_bytes()[:-20])
    assert "ct.nii.gz" in refused(path, tmp_path / "out.nii.gz")


def test_a_missing_slice(scan: Path, tmp_path: Path) -> None:
    (scan / "00002.dcm").unlink()
    assert "slice" in refused(scan, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_output_of_another_kind(scan: Path, tmp_path: Path) -> None:
    assert "INPUT's kind" in refused(scan, tmp_path / "out.nii.gz")


def test_output_that_would_be_overwritten(scan: Path) -> None:
    assert "choose another" in refused(scan, scan)


@pytest.mark.parametrize("scale", ["x", "1,2", "2,2,3", "0", "1", "nan", "99"])
def test_a_scale_that_cannot_be(scan: Path, tmp_path: Path, scale: str) -> None:
    assert "scale" in refused(scan, tmp_path / "out", "--scale", scale).replace(
        "factors along y and x", "scale"
    )


def test_an_unknown_preset(scan: Path, tmp_path: Path) -> None:
    assert "preview, standard, sharp, paper" in refused(scan, tmp_path / "out", "--preset", "best")


def test_a_report_where_there_is_no_folder(scan: Path, tmp_path: Path) -> None:
    assert "create it first" in refused(scan, tmp_path / "out", "--report", tmp_path / "no" / "report.json")


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["sr", str(tmp_path / "nothing"), "out", "--debug"])
    assert isinstance(result.exception, UnreadableFile)


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_missing_settings_are_named(command: str) -> None:
    result = CliRunner().invoke(app, [command])
    assert result.exit_code == 2
    assert "NULLSPLAT_SECRET must be set" in result.stderr
    assert "NULLSPLAT_ARCHIVE_URL must be set" in result.stderr


@pytest.mark.parametrize("options", [["--factor", "1"], ["--slices", "3"], ["--noise", "-1"]])
def test_a_demo_that_cannot_work_starts_nothing(options: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["demo", "--once", "--folder", str(tmp_path), *options])
    assert result.exit_code == 2
    assert options[0] in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_fault_of_the_program_is_called_one(
    monkeypatch: pytest.MonkeyPatch, scan: Path, tmp_path: Path
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("nobody thought of this")

    monkeypatch.setattr("nullsplat.cli.work.sr.read_folder", broken)
    result = CliRunner().invoke(app, ["sr", str(scan), str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "internal error" in result.stderr
    assert "--debug" in result.stderr


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    path = tmp_path / "ct.nii.gz"
    write_nifti(make_volume(), path)
    return path


@pytest.mark.parametrize("option", ["OUTPUT", "--report", "--field"])
def test_no_output_replaces_the_input(volume: Path, tmp_path: Path, option: str) -> None:
    before = volume.read_bytes()
    again = tmp_path / "other" / ".." / volume.name
    (tmp_path / "other").mkdir()
    if option == "--field":
        again = tmp_path / "link.ply"
        again.hardlink_to(volume)
    arguments = [again] if option == "OUTPUT" else [tmp_path / "out.nii.gz", option, again]
    assert "not INPUT" in refused(volume, *arguments)
    assert volume.read_bytes() == before


def test_two_outputs_of_one_name(volume: Path, tmp_path: Path) -> None:
    both = tmp_path / "run.ply"
    assert "run.ply" in refused(volume, tmp_path / "out.nii.gz", "--report", both, "--field", both)


def test_an_output_folder_that_is_a_file(scan: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("already here")
    assert "is a file" in refused(scan, tmp_path / "out")


@pytest.mark.parametrize("option", ["OUTPUT", "--report"])
def test_an_output_file_that_is_a_folder(volume: Path, tmp_path: Path, option: str) -> None:
    folder = tmp_path / "folder.nii.gz"
    folder.mkdir()
    arguments = [folder] if option == "OUTPUT" else [tmp_path / "out.nii.gz", option, folder]
    assert "is a folder" in refused(volume, *arguments)


def test_a_folder_that_cannot_be_written_is_found_out_before_the_work(
    monkeypatch: pytest.MonkeyPatch, scan: Path, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "access", lambda _, mode: not mode & os.W_OK)  # permissions do not bind root
    monkeypatch.setattr("nullsplat.cli.work.sr.super_resolve", None)
    result = CliRunner().invoke(app, ["sr", str(scan), str(tmp_path / "out")])
    assert result.exit_code == 1
    assert f"{tmp_path} cannot be written" in result.stderr

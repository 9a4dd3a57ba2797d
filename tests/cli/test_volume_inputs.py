"""NRRD, as every other format of a volume, is taken by every command that reads one."""

from pathlib import Path
from typing import Any

import pytest
from tests.io.test_volumes import VOLUME, write_nrrd
from typer.testing import CliRunner

from nullsplat.cli.inputs.ct_volumes import read_ct
from nullsplat.cli.main import app
from nullsplat.cli.work import sr as super_resolution
from nullsplat.cli.work.reader_study import _reader
from nullsplat.cli.work.render_field import RenderRequest, _grid
from nullsplat.core.errors import UnreadableFile
from nullsplat.core.volume import Volume
from nullsplat.evaluation.data.subject import read_subject


@pytest.fixture
def nrrd(tmp_path: Path) -> Path:
    return write_nrrd(tmp_path / "ct.nrrd")


def test_sr_takes_it_with_a_slice_thickness(nrrd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Volume] = []

    def stop(volume: Volume, *_: Any, **__: Any) -> None:
        taken.append(volume)
        raise UnreadableFile("enough")

    monkeypatch.setattr(super_resolution, "super_resolve", stop)
    words = ["sr", str(nrrd), str(nrrd.with_name("out.nii")), "--slice-thickness", "10"]
    assert "enough" in CliRunner().invoke(app, words).stderr
    assert (taken[0].geometry, taken[0].slice_thickness) == (VOLUME.geometry, 10.0)


def test_sr_writes_it_as_nifti(nrrd: Path) -> None:
    result = CliRunner().invoke(app, ["sr", str(nrrd), str(nrrd.with_name("out.nrrd"))])
    assert (result.exit_code, "or .nii/.nii.gz" in result.stderr) == (2, True)


def test_training_studies_and_rendering_take_it(nrrd: Path) -> None:
    request = RenderRequest(nrrd, nrrd, like=nrrd, spacing=None, shape=None, device="cpu")
    grids = [
        read_ct(nrrd).volume.geometry,
        _reader(nrrd)().geometry,
        read_subject(nrrd).volume.geometry,
        _grid(request, VOLUME.geometry.resampled((2, 2, 2))),
    ]
    assert grids == [VOLUME.geometry] * 4


@pytest.mark.parametrize("name", ["ct.png", "nosuch.nii"])
def test_what_is_no_volume_is_refused_by_all_with_the_same_words(tmp_path: Path, name: str) -> None:
    (tmp_path / "ct.png").touch()
    for read in (read_ct, _reader, read_subject):
        with pytest.raises(UnreadableFile, match="must be a folder with a CT series, a NIfTI"):
            read(tmp_path / name)

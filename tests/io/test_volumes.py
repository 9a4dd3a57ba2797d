"""One reader for whatever holds a CT volume, which knows its slices."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.support.dicom.series import Spec, edited, save

from nullsplat.core.errors import ConfigurationError, UnreadableFile
from nullsplat.core.volume import Geometry, Volume
from nullsplat.io.nifti import write_nifti
from nullsplat.io.volumes import read_volume, write_volume
from nullsplat.physics.profile import BELL, BOX, Profile, Resolution

HU = np.arange(6 * 8 * 10, dtype=np.float32).reshape(6, 8, 10)
VOLUME = Volume(HU, Geometry(HU.shape, (5.0, 0.75, 0.5), (1.0, -2.0, 3.0)))


def write_nrrd(path: Path) -> Path:
    """VOLUME as Slicer would write it."""
    head = (
        "NRRD0004\ntype: float\ndimension: 3\nspace: left-posterior-superior\nsizes: 10 8 6\n"
        "space directions: (0.5,0,0) (0,0.75,0) (0,0,5)\nspace origin: (1,-2,3)\nendian: little\nencoding: raw\n\n"
    )
    path.write_bytes(head.encode() + HU.tobytes())
    return path


@pytest.fixture
def nifti(tmp_path: Path) -> Path:
    write_nifti(VOLUME, tmp_path / "ct.nii")
    return tmp_path / "ct.nii"


@pytest.fixture
def series(tmp_path: Path) -> Path:
    def describe(header: object) -> None:
        header.SliceThickness, header.ScanOptions = 5.0, "AXIAL MODE"  # type: ignore[attr-defined]

    return save(edited(describe, spec=Spec(shape=(6, 16, 16))), tmp_path / "series")


def test_a_file_is_read_whatever_its_format_is(nifti: Path, tmp_path: Path) -> None:
    for path in (nifti, write_nrrd(tmp_path / "ct.nrrd")):
        volume = read_volume(path)
        np.testing.assert_array_equal(volume.hu, HU)
        assert volume.geometry == VOLUME.geometry


def test_a_path_may_be_a_string_and_start_at_home(nifti: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(nifti.parent))
    np.testing.assert_array_equal(read_volume(str(nifti)).hu, read_volume("~/ct.nii").hu)


def test_a_series_knows_how_its_slices_were_taken(series: Path) -> None:
    known = Resolution.of(read_volume(series))
    assert (known.slice_thickness_ratio, known.slice_profile) == (pytest.approx(2.0), BOX)
    assert known.why == "Scan Options: sequential"


def test_of_a_file_one_says_how_its_slices_were_taken(nifti: Path) -> None:
    assert Resolution.of(read_volume(nifti)).slice_thickness_ratio == 1.0
    known = Resolution.of(read_volume(nifti, slice_thickness=7.5, slice_profile="bell*1.2"))
    assert (known.slice_thickness_ratio, str(known.slice_profile)) == (1.5, "bell*1.2")


def test_a_profile_that_is_asked_for_comes_before_the_header(series: Path) -> None:
    known = Resolution.of(read_volume(series, slice_profile="bell"))
    assert (known.slice_profile, known.why) == (BELL, "asked for")


def test_a_volume_of_which_nothing_is_known_has_the_default_resolution() -> None:
    assert Resolution.of(VOLUME) == Resolution()
    assert Resolution.of(replace(VOLUME, slice_profile="gaussian*0.9")).slice_profile == Profile(
        "gaussian", 0.9
    )


def test_what_is_meant_for_another_kind_of_input_is_refused(nifti: Path, series: Path) -> None:
    with pytest.raises(ConfigurationError, match="slice_thickness is for files"):
        read_volume(series, slice_thickness=3.0)
    with pytest.raises(ConfigurationError, match=r"for DICOM folders, ct\.nii is a file"):
        read_volume(nifti, series="4")
    with pytest.raises(ConfigurationError, match="a profile must be bell, box or gaussian"):
        read_volume(nifti, slice_profile="sharp")


def test_what_cannot_be_read_is_named_with_what_can(tmp_path: Path) -> None:
    (tmp_path / "ct.png").touch()
    for name, words in (("ct.png", "another kind of file"), ("ct.nii", "does not exist")):
        with pytest.raises(UnreadableFile, match=rf"NRRD file \(\.nrrd\); .*{name} .*{words}|{name} {words}"):
            read_volume(tmp_path / name)


def test_a_volume_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_volume(VOLUME, str(tmp_path / "out.nii.gz"))
    np.testing.assert_array_equal(read_volume(tmp_path / "out.nii.gz").hu, HU)
    with pytest.raises(UnreadableFile, match=r"must end in \.nii or \.nii\.gz"):
        write_volume(VOLUME, tmp_path / "out.nrrd")

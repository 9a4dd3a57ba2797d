"""Reading of NRRD files, whose headers are written here by hand."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from nullsplat.core.errors import GeometryError, UnreadableFile
from nullsplat.io.nrrd import is_nrrd, read_nrrd

HEADER = """NRRD0004
# Complete NRRD file format specification at:
type: short
dimension: 3
space: {space}
sizes: 4 3 2
space directions: (0.5,0,0) (0,{dy},0) (0,0,5)
kinds: domain domain domain
endian: little
encoding: {encoding}
space origin: (-10,-20,-30)
key:=value

"""
VOXELS = np.arange(24, dtype="<i2").reshape(2, 3, 4)  # [z, y, x], x fastest in the file


def write(
    path: Path, encoding: str = "gzip", space: str = "left-posterior-superior", dy: float = 0.75
) -> Path:
    data = VOXELS.tobytes()
    header = HEADER.format(encoding=encoding, space=space, dy=dy).encode()
    path.write_bytes(header + (gzip.compress(data) if encoding == "gzip" else data))
    return path


@pytest.mark.parametrize("encoding", ["raw", "gzip"])
def test_voxels_and_their_places_come_back(tmp_path: Path, encoding: str) -> None:
    volume = read_nrrd(write(tmp_path / "a.nrrd", encoding))
    np.testing.assert_array_equal(volume.hu, VOXELS)
    assert volume.geometry.spacing == (5.0, 0.75, 0.5)
    assert volume.geometry.position((1.0, 2.0, 3.0)) == pytest.approx((-8.5, -18.5, -25.0))


def test_the_other_hand_of_a_space_is_turned_to_lps(tmp_path: Path) -> None:
    # RAS +x is right and +y anterior: both axes run against LPS, so that voxels are stored the other way round.
    volume = read_nrrd(write(tmp_path / "a.nrrd", space="right-anterior-superior"))
    np.testing.assert_array_equal(volume.hu, VOXELS[:, ::-1, ::-1])
    assert volume.geometry.position((0.0, 2.0, 3.0)) == pytest.approx((10.0, 20.0, -30.0))


def test_values_below_vacuum_are_raised(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nrrd", "raw")
    path.write_bytes(path.read_bytes()[:-2] + np.int16(-3024).tobytes())
    assert read_nrrd(path).hu[1, 2, 3] == -1024


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nrrd", "raw")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UnreadableFile, match="truncated"):
        read_nrrd(path)


def test_another_encoding_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="bzip2"):
        read_nrrd(write(tmp_path / "a.nrrd", "bzip2"))


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.nrrd").write_bytes(b"PK\x03\x04")
    with pytest.raises(UnreadableFile, match="must be an NRRD file"):
        read_nrrd(tmp_path / "a.nrrd")


def test_a_volume_without_a_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GeometryError, match="must name its space"):
        read_nrrd(write(tmp_path / "a.nrrd", space="3D"))


def test_names_are_recognised_in_any_case() -> None:
    assert is_nrrd(Path("CT.NRRD"))
    assert not is_nrrd(Path("ct.nhdr"))


def with_field(path: Path, line: str) -> Path:
    write(path, "raw")
    path.write_bytes(path.read_bytes().replace(b"endian:", line.encode() + b"\nendian:"))
    return path


def test_lengths_in_another_unit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GeometryError, match="in mm, its header says um; convert"):
        read_nrrd(with_field(tmp_path / "a.nrrd", 'space units: "um" "um" "mm"'))
    np.testing.assert_array_equal(
        read_nrrd(with_field(tmp_path / "b.nrrd", 'space units: "mm" "mm" "mm"')).hu, VOXELS
    )


@pytest.mark.parametrize("field", ["byte skip: 64", "byte skip: -1", "line skip: 1", "data file: a.raw"])
def test_data_that_begin_elsewhere_are_refused(tmp_path: Path, field: str) -> None:
    with pytest.raises(UnreadableFile, match=f"right after its header.*{field.partition(':')[0]}; convert"):
        read_nrrd(with_field(tmp_path / "a.nrrd", field))
    np.testing.assert_array_equal(read_nrrd(with_field(tmp_path / "b.nrrd", "byte skip: 0")).hu, VOXELS)


@pytest.mark.parametrize("sizes", [b"-4 -3 2", b"4 3 0", b"", b"99999999 99999999 99999999"])
def test_sizes_that_no_volume_has_are_refused(tmp_path: Path, sizes: bytes) -> None:
    path = write(tmp_path / "a.nrrd", "raw")
    path.write_bytes(path.read_bytes().replace(b"sizes: 4 3 2", b"sizes: " + sizes))
    with pytest.raises(UnreadableFile, match="damaged"):
        read_nrrd(path)


def test_lines_may_end_as_in_windows(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nrrd", "raw")
    head, _, data = path.read_bytes().partition(b"\n\n")
    path.write_bytes(head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + data)
    np.testing.assert_array_equal(read_nrrd(path).hu, VOXELS)

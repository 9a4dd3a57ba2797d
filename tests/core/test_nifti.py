import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nullsplat.core.errors import GeometryError, StorageError, UnreadableFile
from nullsplat.core.volume import Geometry, Volume
from nullsplat.io.nifti import is_nifti, ras_affine, read_nifti, write_nifti

SHAPE = (4, 5, 6)
ORDERS = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
ORIENTATIONS = [
    "".join(pair[sign] for pair, sign in zip(np.array(["RL", "AP", "SI"])[list(order)], signs, strict=True))
    for order in ORDERS
    for signs in np.ndindex(2, 2, 2)
]


def make_volume(geometry: Geometry) -> Volume:
    values = np.random.default_rng(1).normal(0, 300, geometry.shape)
    return Volume(np.maximum(values, -1024).astype(np.float32), geometry)


def rotation(angle: float) -> tuple[tuple[float, float, float], ...]:
    c, s = np.cos(angle), np.sin(angle)
    return ((0.0, -float(s), float(c)), (0.0, float(c), float(s)), (1.0, 0.0, 0.0))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_volume_survives_the_round_trip(tmp_path: Path, suffix: str) -> None:
    volume = make_volume(Geometry(SHAPE, (2.5, 0.703125, 0.7), (-123.4, -56.78, 901.2), rotation(0.1)))
    write_nifti(volume, tmp_path / f"ct{suffix}")
    again = read_nifti(tmp_path / f"ct{suffix}")
    np.testing.assert_array_equal(again.hu, volume.hu)
    assert again.geometry.spacing == pytest.approx(volume.geometry.spacing, abs=1e-5)
    np.testing.assert_allclose(
        again.geometry.affine, volume.geometry.affine, atol=1e-4
    )  # float32 of 901.2 mm


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_any_axis_order_and_direction_reads_as_the_same_volume(tmp_path: Path, orientation: str) -> None:
    volume = make_volume(Geometry(SHAPE, (3.0, 1.5, 0.5), (10.0, 20.0, 30.0)))
    image = nib.Nifti1Image(volume.hu.transpose(2, 1, 0), ras_affine(volume.geometry))
    turn = nib.orientations.ornt_transform(
        nib.orientations.io_orientation(image.affine), nib.orientations.axcodes2ornt(orientation)
    )
    nib.save(image.as_reoriented(turn), tmp_path / "turned.nii")
    again = read_nifti(tmp_path / "turned.nii")
    np.testing.assert_array_equal(again.hu, volume.hu)
    np.testing.assert_allclose(again.geometry.affine, volume.geometry.affine, atol=1e-5)


def test_left_and_posterior_are_positive(tmp_path: Path) -> None:
    affine = np.diag([2.0, 3.0, 4.0, 1.0])  # RAS: x to the right, y to the front
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    nib.save(nib.Nifti1Image(values, affine), tmp_path / "ras.nii")
    volume = read_nifti(tmp_path / "ras.nii")
    assert volume.geometry.axes == ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))
    assert volume.geometry.origin == (-2.0, -6.0, 0.0)  # the voxel that lies furthest right and in front
    assert volume.hu[0, 0, 0] == values[1, 2, 0]


@given(st.floats(-0.6, 0.6), st.tuples(*[st.floats(-500, 500)] * 3), st.tuples(*[st.floats(0.2, 8)] * 3))
def test_the_affine_comes_back_from_oblique_grids(
    tmp_path_factory: pytest.TempPathFactory,
    angle: float,
    origin: tuple[float, ...],
    spacing: tuple[float, ...],
) -> None:
    path = tmp_path_factory.mktemp("oblique") / "ct.nii"
    volume = make_volume(Geometry(SHAPE, spacing, origin, rotation(angle)))
    write_nifti(volume, path)
    np.testing.assert_allclose(read_nifti(path).geometry.affine, volume.geometry.affine, atol=1e-4)


def test_padding_outside_the_field_of_view_becomes_air(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.full(SHAPE, -3024, np.int16), np.eye(4)), tmp_path / "padded.nii")
    assert (read_nifti(tmp_path / "padded.nii").hu == -1024).all()


def test_a_trailing_axis_of_one_is_dropped(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.zeros((*SHAPE, 1), np.float32), np.eye(4)), tmp_path / "ct.nii")
    assert read_nifti(tmp_path / "ct.nii").geometry.shape == SHAPE[::-1]


@pytest.mark.parametrize(
    ("array", "what"),
    [
        (np.zeros((*SHAPE, 3), np.float32), "three-dimensional"),
        (np.zeros((5, 6), np.float32), "three-dimensional"),
        (np.zeros((5, 6, 1), np.float32), "three-dimensional"),
        (np.full(SHAPE, np.nan, np.float32), "finite"),
        (np.full(SHAPE, np.inf, np.float32), "finite"),
        (np.zeros(SHAPE, np.complex64), "real numbers"),
    ],
    ids=["4-d", "2-d", "one slice", "nan", "infinite", "complex"],
)
def test_what_is_no_ct_volume_is_refused(tmp_path: Path, array: np.ndarray, what: str) -> None:
    nib.save(nib.Nifti1Image(array, np.eye(4)), tmp_path / "ct.nii.gz")
    with pytest.raises(GeometryError, match=what):
        read_nifti(tmp_path / "ct.nii.gz")


def test_a_sheared_grid_is_refused(tmp_path: Path) -> None:
    affine = np.eye(4)
    affine[0, 2] = 0.3
    nib.save(nib.Nifti1Image(np.zeros(SHAPE, np.float32), affine), tmp_path / "ct.nii")
    with pytest.raises(GeometryError, match="orthogonal"):
        read_nifti(tmp_path / "ct.nii")


@pytest.mark.parametrize("affine", [np.diag([1.0, 1.0, 0.0, 1.0]), np.diag([1.0, np.nan, 1.0, 1.0])])
def test_an_affine_without_inverse_is_refused(tmp_path: Path, affine: np.ndarray) -> None:
    image = nib.Nifti1Image(np.zeros(SHAPE, np.float32), np.eye(4))
    image.header["sform_code"] = 1
    image.header["srow_x"], image.header["srow_y"], image.header["srow_z"] = affine[:3]
    image.header["qform_code"] = 0
    (tmp_path / "ct.nii").write_bytes(image.header.binaryblock + bytes(4) + bytes(4 * 120))
    with pytest.raises(GeometryError, match="affine"):
        read_nifti(tmp_path / "ct.nii")


@pytest.mark.parametrize("kept", [0, 10, 100, 400])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_truncated_file_is_named(tmp_path: Path, suffix: str, kept: int) -> None:
    path = tmp_path / f"ct{suffix}"
    write_nifti(make_volume(Geometry(SHAPE, (1.0, 1.0, 1.0))), path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UnreadableFile, match=path.name):
        read_nifti(path)


@pytest.mark.parametrize("content", [b"this is no image" * 50, gzip.compress(b"nor is this" * 50)])
def test_another_format_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ct.nii.gz").write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"ct\.nii\.gz"):
        read_nifti(tmp_path / "ct.nii.gz")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="does not exist"):
        read_nifti(tmp_path / "nothing.nii")


def test_a_folder_is_no_nifti_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="folder"):
        read_nifti(tmp_path)


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    assert is_nifti(Path("CT.NII.GZ"))
    with pytest.raises(UnreadableFile, match=r"\.nii"):
        write_nifti(make_volume(Geometry(SHAPE, (1.0, 1.0, 1.0))), tmp_path / "ct.mha")


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError):
        write_nifti(make_volume(Geometry(SHAPE, (1.0, 1.0, 1.0))), tmp_path / "file" / "ct.nii")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_same_volume_gives_the_same_bytes(tmp_path: Path) -> None:
    volume = make_volume(Geometry(SHAPE, (1.0, 1.0, 1.0)))
    for name in ("a.nii.gz", "b.nii.gz"):
        write_nifti(volume, tmp_path / name)
    assert gzip.decompress((tmp_path / "a.nii.gz").read_bytes()) == gzip.decompress(
        (tmp_path / "b.nii.gz").read_bytes()
    )


def test_a_volume_without_a_place_is_refused(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.zeros((4, 5, 6), np.float32), None), tmp_path / "ct.nii")
    with pytest.raises(GeometryError, match="neither its sform nor its qform does; write it with an affine"):
        read_nifti(tmp_path / "ct.nii")


def test_values_that_no_material_has_are_refused(tmp_path: Path) -> None:
    values = np.zeros((4, 5, 6), np.float32)
    values[0, 0, 0] = 65535
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "ct.nii")
    with pytest.raises(GeometryError, match=r"up to 31743, it holds 65535; .* make them -1024"):
        read_nifti(tmp_path / "ct.nii")


@pytest.mark.parametrize("unit", ["micron", "meter"])
def test_lengths_in_another_unit_are_refused(tmp_path: Path, unit: str) -> None:
    image = nib.Nifti1Image(np.zeros((4, 4, 4), np.float32), np.eye(4))
    image.header.set_xyzt_units(unit)
    nib.save(image, tmp_path / "ct.nii")
    with pytest.raises(GeometryError, match=f"says {unit}"):
        read_nifti(tmp_path / "ct.nii")

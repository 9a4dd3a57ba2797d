"""A field on disk comes back as it was, and viewers find in it what they look for."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from nullsplat.core.errors import GeometryError, StorageError, UnreadableFile
from nullsplat.core.volume import Geometry
from nullsplat.splat.field.activation import ACTIVATIONS
from nullsplat.splat.field.files import load_field, save_field
from nullsplat.splat.field.gaussians import SignedGaussians
from nullsplat.splat.field.placement import PlacedField

GRID = Geometry(
    (14, 22, 27),
    (2.5, 0.7, 0.8),
    (-11.0, 0.1, 1 / 3),
    ((0.0, 0.0, -1.0), (0.0, 1.0, 0.0), (-1.0, 0.0, 0.0)),
)
KINDS = ("ply", "safetensors")


@pytest.fixture
def placed(random_field) -> PlacedField:
    means, log_scales, quats, z = (t.detach().float() for t in random_field(20))
    return PlacedField(SignedGaussians(means, log_scales, quats, z, torch.tensor(0.3)), GRID)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_saved_field_comes_back_bit_for_bit(placed, tmp_path, kind, name):
    gaussians = dataclasses.replace(placed.gaussians, activation=ACTIVATIONS[name])
    save_field(PlacedField(gaussians, GRID), tmp_path / f"field.{kind}")
    again = load_field(tmp_path / f"field.{kind}")
    assert again.grid == GRID
    assert again.gaussians.activation is ACTIVATIONS[name]
    for tensor, expected in gaussians.tensors.items():
        assert torch.equal(again.gaussians.tensors[tensor], expected)
    assert torch.equal(again.gaussians.density, gaussians.density)
    assert [path.name for path in tmp_path.iterdir()] == [f"field.{kind}"]


def vertices(path) -> tuple[list[str], np.ndarray]:
    """Header and vertices of a .ply, read as a viewer would: by the names in the header."""
    head, body = path.read_bytes().split(b"end_header\n")
    lines = head.decode().splitlines()
    names = [line.split()[2] for line in lines if line.startswith("property float")]
    return lines, np.frombuffer(body, [(name, "<f4") for name in names])


def test_a_viewer_finds_the_properties_of_gaussian_splats(placed, tmp_path):
    save_field(placed, tmp_path / "field.ply")
    lines, rows = vertices(tmp_path / "field.ply")
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    assert "element vertex 20" in lines
    standard = ["x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", "opacity"]
    standard += [f"scale_{i}" for i in range(3)] + [f"rot_{i}" for i in range(4)]
    assert list(rows.dtype.names) == [*standard, "signed_density", "pre_activation"]
    np.testing.assert_array_equal(rows["y"], placed.gaussians.means[:, 1].numpy())
    np.testing.assert_array_equal(rows["scale_2"], placed.gaussians.log_scales[:, 2].numpy())


def test_what_takes_density_away_is_blue_and_what_is_stronger_is_more_opaque(placed, tmp_path):
    save_field(placed, tmp_path / "field.ply")
    _, rows = vertices(tmp_path / "field.ply")
    red, blue = (0.5 + 0.28209479 * rows[f"f_dc_{i}"] for i in (0, 2))
    np.testing.assert_array_equal(blue > red, rows["signed_density"] < 0)
    order = np.argsort(np.abs(rows["signed_density"]))
    assert (np.diff(rows["opacity"][order]) >= 0).all()
    opacity = 1 / (1 + np.exp(-rows["opacity"]))
    assert opacity.min() >= 0.0099
    assert opacity.max() <= 0.9501


def test_the_header_says_where_the_frame_lies(placed, tmp_path):
    save_field(placed, tmp_path / "field.ply")
    lines, _ = vertices(tmp_path / "field.ply")
    (comment,) = (line for line in lines if line.startswith("comment nullsplat "))
    about = json.loads(comment.removeprefix("comment nullsplat "))
    # The centre by hand: half of the extent along each axis; z and x point backwards.
    expected = (-11.0 - 13 * 0.8, 0.1 + 10.5 * 0.7, 1 / 3 - 6.5 * 2.5)
    assert about["centre"] == pytest.approx(expected)
    assert about["grid"]["spacing"] == [2.5, 0.7, 0.8]


def test_what_is_no_field_is_not_read(placed, tmp_path):
    path = tmp_path / "field.safetensors"
    with pytest.raises(UnreadableFile, match="field"):
        load_field(path)
    path.write_bytes(b"not safetensors at all")
    with pytest.raises(UnreadableFile, match="safetensors"):
        load_field(path)
    save_file({"weights": torch.ones(3)}, path)
    with pytest.raises(UnreadableFile, match="header"):
        load_field(path)
    with pytest.raises(UnreadableFile, match=r"\.ply"):
        load_field(tmp_path / "field.splat")


def test_a_ply_that_lost_something_is_not_read(placed, tmp_path):
    path = tmp_path / "field.ply"
    save_field(placed, path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-4])
    with pytest.raises(UnreadableFile, match="truncated"):
        load_field(path)
    path.write_bytes(whole.replace(b"comment nullsplat", b"comment something"))
    with pytest.raises(UnreadableFile, match="other programs"):
        load_field(path)
    path.write_bytes(whole.replace(b"pre_activation", b"per_activation"))
    with pytest.raises(UnreadableFile, match="pre_activation"):
        load_field(path)
    path.write_bytes(whole.replace(b'"slope": 0.', b'"slope": x.'))
    with pytest.raises(UnreadableFile, match="damaged header"):
        load_field(path)
    path.write_bytes(b"ply\nformat ascii 1.0\nend_header\n")
    with pytest.raises(UnreadableFile, match="binary_little_endian"):
        load_field(path)


def test_an_empty_field_is_kept_but_not_exported(placed, tmp_path):
    empty = PlacedField(placed.gaussians.select(torch.zeros(20, dtype=torch.bool)), GRID)
    save_field(empty, tmp_path / "empty.safetensors")
    assert len(load_field(tmp_path / "empty.safetensors").gaussians) == 0
    with pytest.raises(GeometryError, match="at least one"):
        save_field(empty, tmp_path / "empty.ply")


def test_a_folder_that_is_not_there_is_named(placed, tmp_path):
    with pytest.raises(StorageError, match="cannot be written"):
        save_field(placed, tmp_path / "no" / "field.ply")

"""Files of a run are written whole or not at all, and another run's files are never mistaken for one's own."""

import errno
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from nullsplat.core.errors import ConfigurationError, StorageError, UnreadableFile
from nullsplat.core.measure import Cost
from nullsplat.core.volume import Geometry, Volume
from nullsplat.pipeline.workspace import Workspace
from nullsplat.splat.field.gaussians import SignedGaussians
from nullsplat.splat.field.placement import PlacedField

VOLUME = Volume(
    np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    Geometry(
        (2, 3, 4), (5.0, 0.7, 0.8), (1.0, -2.0, 3.0), ((0.0, 0.0, -1.0), (0.0, 1.0, 0.0), (-1.0, 0.0, 0.0))
    ),
)


def test_the_source_comes_back_as_it_was(tmp_path: Path) -> None:
    Workspace(tmp_path).save_source(VOLUME)
    back = Workspace(tmp_path).source()
    assert back.geometry == VOLUME.geometry
    assert np.array_equal(back.hu, VOLUME.hu)


def test_the_result_lies_where_the_source_lay(tmp_path: Path) -> None:
    ws = Workspace(tmp_path)
    ws.save_source(VOLUME)
    finer = VOLUME.geometry.resampled((8, 3, 4))
    ws.save_result(Volume(np.zeros((8, 3, 4), np.float32), finer))
    assert ws.result().geometry == finer


def test_a_stage_is_done_once_it_says_so(tmp_path: Path) -> None:
    ws = Workspace(tmp_path)
    assert not ws.is_done("stage1")
    ws.mark_done("stage1", Cost(seconds=2.0))
    assert Workspace(tmp_path).is_done("stage1")
    assert ws.cost("stage1")["seconds"] == 2.0


def test_a_failed_write_leaves_no_trace_and_names_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ws = Workspace(tmp_path)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(StorageError, match="the disk is full; free space and run again"):
        ws.save_source(VOLUME)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    ws = Workspace(tmp_path)
    ws.save_source(VOLUME)
    (tmp_path / "source.npz").write_bytes(b"not an archive")
    with pytest.raises(UnreadableFile, match=r"source\.npz of this run is missing or damaged"):
        ws.source()


def test_one_array_is_read_without_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ws = Workspace(tmp_path)
    ws.save_arrays("projections", mean=np.ones(4, np.float32), deviation=np.zeros(9, np.float32))
    read = []
    whole = np.lib.format.read_array
    monkeypatch.setattr(np.lib.format, "read_array", lambda *a, **k: read.append(a) or whole(*a, **k))
    assert ws.load_array("projections", "deviation").shape == (9,)
    assert len(read) == 1
    with pytest.raises(UnreadableFile, match=r"projections\.npz of this run is missing or damaged"):
        ws.load_array("projections", "median")


def test_saving_and_loading_hold_one_array_and_not_two(tmp_path: Path) -> None:
    ws = Workspace(tmp_path)
    hu = np.zeros((40, 512, 512), np.float32)  # 40 MiB; NumPy writes pieces of 16 MiB
    volume = Volume(hu, Geometry(hu.shape, (1.0, 1.0, 1.0)))
    tracemalloc.start()
    try:
        ws.claim(volume, "a" * 64)
        ws.save_arrays("result", hu=torch.from_numpy(hu))
        assert tracemalloc.get_traced_memory()[1] < hu.nbytes / 2
        tracemalloc.reset_peak()
        tensor = ws.load_tensor("result", "hu", torch.device("cpu"))
        assert tracemalloc.get_traced_memory()[1] < 1.2 * hu.nbytes
    finally:
        tracemalloc.stop()
    assert tensor.shape == hu.shape


def test_a_field_comes_back_as_it_was(tmp_path: Path) -> None:
    ws = Workspace(tmp_path)
    with pytest.raises(UnreadableFile, match="field"):
        ws.field()
    field = SignedGaussians(
        torch.zeros(1, 3), torch.zeros(1, 3), torch.ones(1, 4), torch.tensor([-0.1]), torch.tensor(0.3)
    )
    ws.save_field(PlacedField(field, VOLUME.geometry))
    back = ws.field()
    assert back.grid == VOLUME.geometry
    assert torch.equal(back.gaussians.density, field.density)


def test_a_deviation_lies_where_the_result_lies(tmp_path: Path) -> None:
    ws = Workspace(tmp_path)
    ws.save_source(VOLUME)
    assert ws.deviation() is None
    ws.save_arrays("deviation", hu=np.ones((8, 3, 4), np.float32))
    deviation = ws.deviation()
    assert deviation is not None
    assert deviation.geometry == VOLUME.geometry.resampled((8, 3, 4))


def test_a_folder_belongs_to_one_source_and_one_configuration(tmp_path: Path) -> None:
    ws = Workspace(tmp_path)
    ws.claim(VOLUME, "a" * 64)
    ws.claim(VOLUME, "a" * 64)
    with pytest.raises(ConfigurationError, match="give an empty folder"):
        ws.claim(VOLUME, "b" * 64)
    with pytest.raises(ConfigurationError, match="give an empty folder"):
        ws.claim(Volume(VOLUME.hu + 1, VOLUME.geometry), "a" * 64)

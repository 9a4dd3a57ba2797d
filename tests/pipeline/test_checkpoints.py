"""Checkpoints come back as they were, in memory and from files, which are written whole or not at all."""

import dataclasses
import errno
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from nullsplat.core.errors import ConfigurationError, StorageError, UnreadableFile
from nullsplat.core.measure import Cost
from nullsplat.core.volume import Geometry, Volume
from nullsplat.pipeline.checkpoints import Checkpoints, Stage1Facts
from nullsplat.pipeline.refine import Stage1
from nullsplat.pipeline.stage1 import Projections
from nullsplat.pipeline.store import FolderStore
from nullsplat.splat.field.gaussians import SignedGaussians
from nullsplat.splat.field.placement import PlacedField

VOLUME = Volume(
    np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    Geometry(
        (2, 3, 4), (5.0, 0.7, 0.8), (1.0, -2.0, 3.0), ((0.0, 0.0, -1.0), (0.0, 1.0, 0.0), (-1.0, 0.0, 0.0))
    ),
)

FIELD = PlacedField(
    SignedGaussians(
        torch.zeros(1, 3), torch.zeros(1, 3), torch.ones(1, 4), torch.tensor([-0.1]), torch.tensor(0.3)
    ),
    VOLUME.geometry,
)


@pytest.fixture(params=["memory", "folder"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path if request.param == "folder" else None)


def test_the_source_comes_back_as_it_was_with_what_it_knows_of_its_slices(made: Checkpoints) -> None:
    known = dataclasses.replace(VOLUME, slice_thickness=2.5, slice_profile="box", profile_evidence="told")
    made.keep_source(known)
    back = made.source
    assert dataclasses.replace(back, hu=known.hu) == known
    assert np.array_equal(back.hu, known.hu)
    assert made.geometry == VOLUME.geometry


def test_a_source_of_an_older_version_is_read_still(tmp_path: Path) -> None:
    made = Checkpoints(tmp_path)
    made.keep_source(VOLUME)
    made.store.save_json("geometry", dataclasses.asdict(VOLUME.geometry))
    assert (made.source.geometry, made.source.slice_thickness) == (VOLUME.geometry, None)


def test_the_result_lies_where_the_source_lay(made: Checkpoints) -> None:
    made.keep_source(VOLUME)
    made.keep_result(torch.ones(8, 3, 4))
    assert made.result.geometry == VOLUME.geometry.resampled((8, 3, 4))
    assert np.all(made.result.hu == 1)
    assert made.sample is None
    made.keep_result(torch.ones(8, 3, 4), sample_hu=torch.zeros(8, 3, 4))
    assert made.sample is not None
    assert made.sample.geometry == made.result.geometry
    assert np.all(made.sample.hu == 0)


@pytest.mark.parametrize("several", [True, False])
def test_what_stage_1_made_comes_back_with_what_it_found(made: Checkpoints, several: bool) -> None:
    made.keep_source(VOLUME)
    hu, views = torch.randn(8, 3, 4), torch.randn(2, 8, 5)
    deviation, drawn = (hu + 1, hu + 3) if several else (None, None)
    kept = Stage1(Projections(views, 2 * views, 5), hu, deviation, hu + 2, 0.1, drawn, 3, "slabs")
    facts = Stage1Facts(7.5, 5, 3, "slabs", {"verdict": "undecided"}, {"sharpness": 0.25})
    made.keep_stage1(hu - 1, kept, facts)
    assert torch.equal(made.base_hu, hu - 1)
    assert made.refined_hu is not None
    assert torch.equal(made.refined_hu, hu)
    assert torch.equal(made.projections.mean, views)
    assert torch.equal(made.projections.deviation, 2 * views)
    assert made.facts == facts
    assert made.stated_hu is not None
    assert torch.equal(made.stated_hu, hu + 2)
    assert (made.drawn_hu is not None) == several
    assert made.drawn_hu is None or torch.equal(made.drawn_hu, hu + 3)
    assert (made.deviation is not None) == (made.deviation_hu is not None) == several
    if made.deviation is not None:
        assert made.deviation.geometry == VOLUME.geometry.resampled((8, 3, 4))


def test_a_stage_is_done_once_it_says_so(made: Checkpoints) -> None:
    assert not made.is_done("stage1")
    made.mark_done("stage1", Cost(seconds=2.0))
    assert made.is_done("stage1")
    assert made.cost("stage1")["seconds"] == 2.0


def test_a_folder_is_taken_up_by_another_process(tmp_path: Path) -> None:
    Checkpoints(tmp_path).mark_done("stage1", Cost(seconds=2.0))
    assert Checkpoints(str(tmp_path)).cost("stage1")["seconds"] == 2.0


def test_a_stage_without_what_it_needs_says_so(made: Checkpoints) -> None:
    for what in ("source", "facts", "base_hu", "projections", "field", "residual_hu", "result", "report"):
        with pytest.raises(
            UnreadableFile, match=r"run its stages in their order|start it again|no such file|No such file"
        ):
            getattr(made, what)


def test_a_failed_write_leaves_no_trace_and_names_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Checkpoints(tmp_path)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(StorageError, match="the disk is full; free space and run again"):
        made.keep_source(VOLUME)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_writer_left_goes_with_the_run_and_nothing_else_does(tmp_path: Path) -> None:
    made = Checkpoints(tmp_path)
    for folder in (".partial-7", "mine"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "base.npz").touch()
    made.adopt("another run")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["identity.json", "mine"]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    made = Checkpoints(tmp_path)
    made.keep_source(VOLUME)
    (tmp_path / "source.npz").write_bytes(b"not an archive")
    with pytest.raises(UnreadableFile, match=r"source\.npz of this run is missing or damaged"):
        _ = made.source


def test_one_array_is_read_without_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStore(tmp_path)
    store.save_arrays("projections", {"mean": np.ones(4, np.float32), "deviation": np.zeros(9, np.float32)})
    read = []
    whole = np.lib.format.read_array
    monkeypatch.setattr(np.lib.format, "read_array", lambda *a, **k: read.append(a) or whole(*a, **k))
    assert store.load_array("projections", "deviation").shape == (9,)
    assert len(read) == 1
    with pytest.raises(UnreadableFile, match=r"projections\.npz of this run is missing or damaged"):
        store.load_array("projections", "median")


def test_saving_and_loading_hold_one_array_and_not_two(tmp_path: Path) -> None:
    made = Checkpoints(tmp_path)
    hu = np.zeros((40, 512, 512), np.float32)  # 40 MiB; NumPy writes pieces of 16 MiB
    volume = Volume(hu, Geometry(hu.shape, (1.0, 1.0, 1.0)))
    tracemalloc.start()
    try:
        made.claim(volume, "a" * 64)
        made.keep_result(torch.from_numpy(hu))
        made.keep_stage2(FIELD, torch.from_numpy(hu))
        assert tracemalloc.get_traced_memory()[1] < hu.nbytes / 2
        tracemalloc.reset_peak()
        tensor = made.residual_hu
        assert tracemalloc.get_traced_memory()[1] < 1.2 * hu.nbytes
    finally:
        tracemalloc.stop()
    assert tensor.shape == hu.shape


def test_a_field_comes_back_as_it_was(made: Checkpoints) -> None:
    made.keep_stage2(FIELD, torch.zeros(2, 3, 4))
    assert made.field.grid == VOLUME.geometry
    assert torch.equal(made.field.gaussians.density, FIELD.gaussians.density)


def test_checkpoints_belong_to_one_source_and_one_configuration(made: Checkpoints) -> None:
    made.claim(VOLUME, "a" * 64)
    made.claim(VOLUME, "a" * 64)
    with pytest.raises(ConfigurationError, match="give an empty folder"):
        made.claim(VOLUME, "b" * 64)
    with pytest.raises(ConfigurationError, match="give an empty folder"):
        made.claim(Volume(VOLUME.hu + 1, VOLUME.geometry), "a" * 64)


def test_what_another_run_left_is_thrown_away_but_for_the_source(made: Checkpoints) -> None:
    made.keep_source(VOLUME)
    made.remark(["tilted"])
    made.adopt("one")
    made.keep_result(torch.ones(8, 3, 4))
    made.mark_done("stage1", Cost())
    made.adopt("one")
    assert made.is_done("stage1")
    made.adopt("another")
    assert not made.is_done("stage1")
    assert not made.store.has_arrays("result")
    assert made.store.load_json("remarks") == {"source_remarks": "tilted"}
    assert made.source.geometry == VOLUME.geometry


def test_a_run_that_is_interrupted_while_it_throws_away_counts_for_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Checkpoints(tmp_path)
    made.adopt("one")
    made.mark_done("stage1", Cost())
    monkeypatch.setattr(FolderStore, "keep_only", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        made.adopt("another")
    assert not made.is_of("one")
    assert not made.is_of("another")

"""Crops to learn from: repeatable, of all orientations, from a window of pairs that moves on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.prior.block.conftest import predictable_pair, whole_numbers

from nullsplat.core.errors import InputError, StorageError, UnreadableFile
from nullsplat.core.volume import Geometry, Volume
from nullsplat.prior import weights
from nullsplat.prior.block import pairs as pairs_module
from nullsplat.prior.block import pool as pool_module
from nullsplat.prior.block import stream
from nullsplat.prior.block.network import BLOCK
from nullsplat.prior.block.pipeline import BlockPipeline
from nullsplat.prior.block.pool import CROP, IMAGE, PairPool, pair_folder
from nullsplat.prior.block.store import Pair, load_pair, save_pair
from nullsplat.prior.block.stream import Source, pairs_ahead
from nullsplat.prior.conditions import phase
from nullsplat.prior.residual import HU_UNIT

SMALL = (48, 96, 96)


def read_small(path: Path) -> Volume:
    """A body whose brightness is the number in its name."""
    hu = whole_numbers(SMALL).hu + float(path.name)
    return Volume(hu, Geometry(SMALL, (2.0, 1.0, 1.0)))


@pytest.fixture
def small_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs_module, "LARGEST", (48, 48, 48))


def test_the_same_seed_draws_the_same_crops_and_another_seed_others(stored: Path) -> None:
    pool = PairPool(stored, window=6)
    first, again, other = (pool.draw(4, seed) for seed in (1, 1, 2))
    assert all(torch.equal(a.truth, b.truth) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a.truth, b.truth) for a, b in zip(first, other, strict=True))


def test_crops_have_one_size_and_keep_what_belongs_together_together(stored: Path) -> None:
    for crop in PairPool(stored, window=6).draw(16, 3):
        assert crop.truth.shape == crop.base.shape == crop.cubic.shape == CROP
        torch.testing.assert_close(crop.truth - crop.base, crop.base - crop.cubic)
        rows, first, second = CROP
        assert [tuple(images.shape) for images in crop.phases] == [(2, rows, second), (2, rows, first)]
        assert 0 < crop.weight <= 1


def test_phases_are_turned_and_mirrored_with_the_volume(tmp_path: Path) -> None:
    """A volume that is the phase itself along z; for thick slices, z are the rows."""
    pair, shape = predictable_pair(1), (120, 80, 80)
    pattern = (1000 * phase(30, 120)).round().to(torch.int16).numpy()
    volumes = np.broadcast_to(pattern[:, None, None], (4, *shape)).copy()
    save_pair(Pair(volumes, (30, 80, 80), 50.0, pair.conditions), pair_folder(tmp_path, 0))
    for crop in PairPool(tmp_path, window=1).draw(12, 0):
        for images, middle in zip(crop.phases, (crop.base[:, 0], crop.base[:, :, 0]), strict=True):
            torch.testing.assert_close(images[0], middle * HU_UNIT / 1000, atol=1e-3, rtol=0)
            assert (images[1] == 0).all()


def test_blocks_hold_what_is_missing_of_the_first_round_or_of_the_next(stored: Path) -> None:
    """Of the base, the truth lacks once more what the base gained; of what the first round made of it, half of that."""
    batch = PairPool(stored, window=6).blocks(64, 3)
    base_gained = batch.known[:, BLOCK + 2 + BLOCK :][:, :BLOCK]
    gained = batch.known[:, BLOCK + 2 :][:, :BLOCK]
    assert batch.missing.shape == base_gained.shape == (64, BLOCK, *IMAGE)
    torch.testing.assert_close(batch.missing, base_gained - gained, atol=1e-4, rtol=1e-4)
    later = gained.flatten(1).abs().amax(1) > 0
    assert 0.15 < float(later.float().mean()) < 0.4
    factors = {tuple(round(2 ** (2 * f)) for f in told[:3]) for told in batch.conditions.tolist()}
    assert factors == {(1, 4, 1), (2, 2, 2)}


def test_the_same_seed_draws_the_same_blocks(stored: Path) -> None:
    pool = PairPool(stored, window=6)
    first, again, other = (pool.blocks(4, seed) for seed in (1, 1, 2))
    assert torch.equal(first.known, again.known)
    assert not torch.equal(first.known, other.known)


def test_thick_slices_are_shown_from_the_side_and_others_from_everywhere(stored: Path) -> None:
    crops = PairPool(stored, window=6).draw(64, 5)
    factors = {tuple(round(2 ** (2 * f)) for f in crop.conditions[0][:3]) for crop in crops}
    assert factors == {(1, 4, 1), (2, 2, 2)}


def test_the_window_moves_on_and_old_pairs_are_forgotten(tmp_path: Path) -> None:
    for number in range(6):
        save_pair(predictable_pair(number), pair_folder(tmp_path, number))
    pool = PairPool(tmp_path, window=4, renewal=10)
    assert [pool.first(step) for step in (0, 9, 10, 25)] == [0, 0, 1, 2]
    assert len(pool.draw(8, seed=25)) == 8
    assert sorted(int(path.name) for path in tmp_path.iterdir()) == [2, 3, 4, 5]


def test_a_pair_that_does_not_appear_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_LONGEST_WAIT", 0.0)
    with pytest.raises(StorageError, match="did not appear within 0 s"):
        PairPool(tmp_path, window=1).draw(1, 0)


@pytest.mark.usefixtures("small_pairs")
def test_volumes_take_turns_and_pairs_that_are_there_are_not_made_again(tmp_path: Path) -> None:
    source = Source((Path("0"), Path("300")), read_small, seed=3)
    for number in range(2):
        source.make(tmp_path, number)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npy")}
    for number in range(3):
        source.make(tmp_path, number)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    brightest = [np.load(pair_folder(tmp_path, n) / "volumes.npy")[0].max() for n in range(3)]
    assert brightest[1] > brightest[0] + 200


@pytest.mark.usefixtures("small_pairs")
def test_going_on_from_a_prior_makes_pairs_that_it_has_not_seen_and_it_refines_them_from_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packaged, refining = weights.locate(weights.BLOCK), []

    def refined(pair: Pair, prior: BlockPipeline) -> Pair:
        refining.append(prior)
        return replace(pair, refined=True)

    monkeypatch.setattr(stream, "refined_once", refined)
    thick, made = [], {}
    for name, initial in (("afresh", None), ("onwards", packaged)):
        source = Source((Path("0"),), read_small, prior=tmp_path / "not yet", initial=initial)
        for number in range(4):
            source.make(tmp_path / name / "train", number)
        pairs = [load_pair(pair_folder(tmp_path / name / "train", number)) for number in range(4)]
        made[name] = [pair.conditions for pair in pairs]
        thick += [pair.thick for pair in pairs] if initial else []
    assert not any(a == b for a, b in zip(made["afresh"], made["onwards"], strict=True))
    assert len(refining) == thick.count(False) > 0


def test_volumes_too_small_to_learn_from_are_refused(tmp_path: Path) -> None:
    def small(path: Path) -> Volume:
        shape = (23, 96, 96)
        return Volume(np.zeros(shape, np.float32), Geometry(shape, (1.0, 1.0, 1.0)))

    with pytest.raises(InputError, match=r"at least \(24, 96, 96\) voxels, got \(23, 96, 96\)"):
        Source((Path("0"),), small).make(tmp_path, 0)


def read_nothing(path: Path) -> Volume:
    raise UnreadableFile(f"{path} is gone")


def test_nobody_waits_for_a_maker_that_has_died_and_the_next_makes_pairs_ahead_and_ends(
    tmp_path: Path,
) -> None:
    pool = PairPool(tmp_path / "train", window=1)
    with (
        pairs_ahead(Source((Path("0"),), read_nothing), pool, step=0),
        pytest.raises(StorageError, match="makes pairs ended with exit code 1"),
    ):
        pool.draw(1, seed=0)
    with pairs_ahead(Source((Path("0"),), read_small), pool, step=0):
        assert len(pool.draw(1, seed=0)) == 1
    made = len(list(pool.folder.glob("*[0-9]")))
    assert 1 <= made <= 1 + stream._AHEAD


@pytest.mark.usefixtures("small_pairs")
def test_a_maker_whose_training_was_killed_stops_when_the_disk_holds_enough(tmp_path: Path) -> None:
    pool, source = PairPool(tmp_path, window=1), Source((Path("0"),), read_small)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "_AHEAD", 0)
        patch.setattr(stream.os, "nice", lambda _: None)
        with pytest.raises(SystemExit):
            stream._make(source, pool, range(9), parent=-1)
    assert len(list(tmp_path.glob("*[0-9]"))) == 1

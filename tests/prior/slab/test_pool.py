"""Crops to learn from: repeatable, of all orientations, and with units that keep pairs comparable."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from nullsplat.prior.slab.network import PROJECTION
from nullsplat.prior.slab.pool import SlabPool
from nullsplat.prior.slab.store import StoredPair

SIZE = (8, 8)


def coordinates(shape: tuple[int, int, int] = (16, 24, 32)) -> StoredPair:
    """A pair whose voxels say where they are: base = 1000 z + 50 y + x, truth 500 HU above it, cubic below."""
    z, y, x = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    base = (1000 * z + 50 * y + x).astype(np.int16)
    views = np.stack([np.full((4, 16, 20), v, np.float32) for v in (0.5, 0.25, 0.0)])
    keys = ("1", "2", "4", "views")
    return StoredPair(
        False,
        np.stack([base + 500, base, base - 100]),
        views,
        dict.fromkeys(keys, 500.0),
        dict.fromkeys(keys, 1000.0),
    )


def orientation(here: torch.Tensor) -> int:
    """Across which axis a crop of `coordinates` was cut, from how it changes along its two sides."""
    steps = {round(abs(float(here.diff(dim=d).median()))) for d in (0, 1)}
    return ({1, 50, 1000} - steps).pop() and {1000: 0, 50: 1, 1: 2}[({1, 50, 1000} - steps).pop()]


@pytest.fixture
def pool() -> SlabPool:
    return SlabPool((coordinates(),), size=SIZE)


def test_crops_of_a_seed_repeat(pool: SlabPool) -> None:
    first, again, other = (pool.draw(6, seed) for seed in (1, 1, 2))
    assert torch.equal(first.known, again.known)
    assert torch.equal(first.residual, again.residual)
    assert torch.equal(first.thickness, again.thickness)
    assert not torch.equal(first.known, other.known)
    validation = replace(pool, name="validation").draw(6, 1)
    assert not torch.equal(first.known, validation.known)


def test_all_orientations_thicknesses_and_projections_appear(pool: SlabPool) -> None:
    batch = pool.draw(200, seed=0)
    thicknesses = set(batch.thickness.tolist())
    assert thicknesses == {1.0, 2.0, 4.0, PROJECTION}
    slabs = batch.known[batch.thickness < PROJECTION, 1] * 1000
    assert {orientation(here) for here in slabs} == {0, 1, 2}
    share = float((batch.thickness == PROJECTION).float().mean())
    assert share == pytest.approx(pool.projection_share, abs=0.1)


def test_the_shares_of_slabs_and_projections_can_be_chosen(pool: SlabPool) -> None:
    assert (replace(pool, projection_share=1.0).draw(20, 0).thickness == PROJECTION).all()
    assert (replace(pool, projection_share=0.0).draw(20, 0).thickness < PROJECTION).all()


def test_residual_and_gain_are_measured_in_the_unit_of_their_pair(pool: SlabPool) -> None:
    batch = pool.draw(60, seed=0)
    slab = batch.thickness < PROJECTION
    torch.testing.assert_close(
        batch.residual[slab], torch.full_like(batch.residual[slab], 0.5), atol=1e-3, rtol=0
    )
    gain = batch.known[slab, 3]
    torch.testing.assert_close(gain, torch.full_like(gain, 0.1), atol=1e-3, rtol=0)
    # the unit of the views is 1000 as well, in network range
    torch.testing.assert_close(batch.residual[~slab], torch.full_like(batch.residual[~slab], 0.25e-3))


def test_a_slab_and_its_neighbours_are_means_of_adjacent_layers(pool: SlabPool) -> None:
    batch = replace(pool, projection_share=0.0).draw(100, seed=0)
    for known, thickness in zip(batch.known, batch.thickness.tolist(), strict=True):
        before, here, after = known[:3] * 1000
        per_layer = {0: 1000, 1: 50, 2: 1}[orientation(here)]
        gaps = sorted(float((neighbour - here).mean()) / per_layer for neighbour in (before, after))
        at_an_end = max(map(abs, gaps)) > min(map(abs, gaps)) + 0.01
        assert at_an_end or gaps == pytest.approx([-thickness, thickness], abs=0.2)
        assert -thickness - 0.2 <= gaps[0] <= 0.2
        assert -0.2 <= gaps[1] <= thickness + 0.2


def test_no_crop_counts_more_than_another_and_hopeless_ones_count_less() -> None:
    keys = ("1", "2", "4", "views")
    clear = coordinates()
    hopeless = replace(clear, spread=dict.fromkeys(keys, 4000.0))
    assert (SlabPool((clear,), size=SIZE).draw(20, 0).weight == 1).all()
    weights = SlabPool((hopeless,), size=SIZE).draw(20, 0).weight
    torch.testing.assert_close(weights, torch.full_like(weights, 1 / 16))


def test_images_smaller_than_a_crop_are_continued_by_their_border(stored: tuple[StoredPair, ...]) -> None:
    batch = SlabPool(stored, size=(40, 40)).draw(24, 0)
    assert batch.known.shape == (24, 4, 40, 40)
    assert batch.known.isfinite().all()
    assert batch.residual.isfinite().all()
    assert float(batch.weight.max()) <= 1

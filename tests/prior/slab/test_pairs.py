"""Pairs to learn from: what degraded them is known physics, and their projections are those of their volumes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float
from numpy import ndarray
from tests.prior.slab.conftest import whole_numbers
from tests.prior.slab.several_pairs import make_pairs
from torch import Tensor

from nullsplat.core.errors import StorageError
from nullsplat.core.units import hu_to_mu
from nullsplat.core.volume import Geometry, Volume
from nullsplat.physics.base import regularised_base
from nullsplat.physics.beam import beam_for
from nullsplat.physics.degradation import Separable
from nullsplat.physics.projector import Projector
from nullsplat.prior.slab import pairs as pairs_module
from nullsplat.prior.slab import store
from nullsplat.prior.slab.network import residual_unit
from nullsplat.prior.slab.pairs import VIEWS, SlabPair
from nullsplat.prior.slab.store import THICKNESSES, StoredPair, load_pairs, save_pair

NOISE_HU = (4.0, 40.0)
FREE = 1e-3
"""Largest rounding of a volume in float32, HU."""

Seen = tuple[Tensor, Separable, Float[ndarray, "z y x"], SlabPair]


@pytest.fixture(scope="module")
def watched() -> list[Seen]:
    """Measured volume, operator, truth and pair of every kind of pair, seen where the base is made."""
    seen: list[tuple[Tensor, Separable]] = []
    patch = pytest.MonkeyPatch()

    def watch(measured: Tensor, op: Separable, *rest: object) -> Tensor:
        seen.append((measured.clone(), op))
        return regularised_base(measured, op, *rest)  # type: ignore[arg-type]

    patch.setattr(pairs_module, "regularised_base", watch)
    made = list(make_pairs([whole_numbers()], 16, seed=3, name="watched"))
    patch.undo()
    return [
        (*known, pair.volumes[0].astype(np.float32), pair) for known, pair in zip(seen, made, strict=True)
    ]


def test_the_same_seed_gives_the_same_pair_and_another_seed_another() -> None:
    first, again, other, name = (
        next(make_pairs([whole_numbers()], 1, seed, name))
        for seed, name in ((1, "train"), (1, "train"), (2, "train"), (1, "validation"))
    )
    assert np.array_equal(first.volumes, again.volumes)
    assert np.array_equal(first.views, again.views)
    for changed in (other, name):
        assert changed.volumes.shape != first.volumes.shape or not np.array_equal(
            changed.volumes, first.volumes
        )


def test_volumes_take_turns() -> None:
    shape = (16, 24, 24)
    flat = [Volume(np.full(shape, v, np.float32), Geometry(shape, (1.0, 1.0, 1.0))) for v in (10, 20)]
    made = [int(np.median(pair.volumes[0])) for pair in make_pairs(flat, 4, 0, "x")]
    assert made == [10, 20, 10, 20]


def test_the_measured_volume_of_thick_slices_is_their_mean_and_some_of_it_has_noise(
    watched: list[Seen],
) -> None:
    deviations = []
    for measured, op, truth, pair in watched:
        assert pair.thick == (op.scale[1] == 1)
        if not pair.thick:
            continue
        blocks = truth.reshape(len(measured), -1, *truth.shape[1:]).mean(1)
        deviations.append(float(np.std(measured.numpy() - blocks)))
    free = [d for d in deviations if d < FREE]
    noisy = [d for d in deviations if d >= FREE]
    assert free
    assert noisy
    assert all(0.8 * NOISE_HU[0] < d < 1.1 * NOISE_HU[1] for d in noisy)


def test_bases_of_both_kinds_degrade_to_the_measured_volume(watched: list[Seen]) -> None:
    """Within what is taken for noise; what is stored as whole HU is off by half of one at most."""
    kinds = set()
    for measured, op, truth, pair in watched:
        noise_hu = pairs_module.estimate_noise(measured.numpy())
        base = torch.from_numpy(pair.volumes[1].astype(np.float32))
        left = float((op.forward(base) - measured).square().mean().sqrt())
        assert left < noise_hu + 0.5
        exact = float((op.forward(torch.from_numpy(truth)) - measured).abs().max()) < 0.1
        kinds.add((pair.thick, exact))
    assert kinds == {(thick, exact) for thick in (True, False) for exact in (True, False)}


def test_the_base_of_a_pair_without_noise_degrades_to_its_measurement() -> None:
    """Where the volume is smooth enough that no noise is seen in it, to the rounding of whole HU."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in (16, 24, 24)), indexing="ij")
    hu = np.round(50 + 30 * z + 10 * y - 5 * x).astype(np.float32)
    smooth = Volume(hu, Geometry(hu.shape, (2.0, 1.0, 1.0)))
    seen: list[tuple[Tensor, Separable]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs_module, "_NOISE_HU", (0.0, 0.0))

        def watch(measured: Tensor, op: Separable, *rest: object) -> Tensor:
            seen.append((measured.clone(), op))
            return regularised_base(measured, op, *rest)  # type: ignore[arg-type]

        patch.setattr(pairs_module, "regularised_base", watch)
        made = list(make_pairs([smooth], 4, seed=1, name="smooth"))
    for (measured, op), pair in zip(seen, made, strict=True):
        base = torch.from_numpy(pair.volumes[1].astype(np.float32))
        assert float((op.forward(base) - measured).abs().max()) < 0.75


def test_views_are_projections_of_the_three_volumes(pairs: list[SlabPair]) -> None:
    """Network range is the same for all three, and linear: their differences are projections of differences."""
    for pair in pairs:
        volumes = torch.from_numpy(pair.volumes.astype(np.float32))
        shape = tuple(volumes.shape[1:])
        best = min(_worst_misfit(pair, volumes, shape, spacing) for spacing in ((2, 1, 1), (1, 2, 1)))
        assert best < 0.02  # whole HU, over a range of 2


def _worst_misfit(pair: SlabPair, volumes: Tensor, shape: tuple[int, ...], spacing: tuple[int, ...]) -> float:
    """Of the views from line integrals, scaled and shifted to fit all three best; the grid's spacing is tried."""
    mm = (float(spacing[0]), float(spacing[1]), float(spacing[2]))
    beam = beam_for(shape, mm, VIEWS)  # type: ignore[arg-type]
    lines = torch.stack([Projector(beam, shape, mm).forward(hu_to_mu(v)) for v in volumes]).numpy()  # type: ignore[arg-type]
    spare = lines.shape[-1] - pair.views.shape[-1]
    misfits = []
    for first in range(spare + 1):
        kept = lines[..., first : first + pair.views.shape[-1]]
        slope = 2 / np.quantile(lines[2], 0.999)
        misfits.append(float(np.abs(kept * slope - 1 - pair.views).max()))
    return min(misfits)


def test_a_pair_comes_back_from_disk_with_its_spreads_and_units(
    pairs: list[SlabPair], stored: tuple[StoredPair, ...]
) -> None:
    assert len(stored) == len(pairs)
    for made, found in zip(pairs, stored, strict=True):
        assert found.thick == made.thick
        assert np.array_equal(found.volumes, made.volumes)
        assert np.array_equal(found.views, made.views)
        truth, base, cubic = torch.from_numpy(made.volumes.astype(np.float32))
        assert found.unit["1"] == pytest.approx(residual_unit(base, cubic), rel=1e-5)
        assert found.spread["1"] == pytest.approx(float((truth - base).square().mean().sqrt()), rel=1e-5)
        _, base_views, cubic_views = torch.from_numpy(made.views)
        assert found.unit["views"] == pytest.approx(residual_unit(base_views, cubic_views), rel=1e-5)
        assert found.unit.keys() == found.spread.keys() == {*map(str, THICKNESSES), "views"}


def test_thicker_slabs_hide_what_averages_out() -> None:
    """An error that alternates from row to row is gone in slabs of two rows."""
    volumes = np.zeros((3, 4, 8, 4), np.int16)
    volumes[0, :, ::2], volumes[0, :, 1::2] = 10, -10
    found = store._spread(SlabPair(True, volumes, np.zeros((3, 1, 4, 1), np.float32)), 0, 1)
    assert found["1"] == pytest.approx(10)
    assert found["2"] == pytest.approx(0, abs=1e-30)
    assert found["views"] > 0  # what is divided by it stays finite


def test_a_pair_interrupted_while_it_is_written_is_not_found_and_can_be_written_again(
    pairs: list[SlabPair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_pair(pairs[0], tmp_path / "0000")

    def interrupted(*_: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store.json, "dumps", interrupted)
        with pytest.raises(KeyboardInterrupt):
            save_pair(pairs[1], tmp_path / "0001")
    assert len(list(load_pairs(tmp_path))) == 1
    save_pair(pairs[1], tmp_path / "0001")
    assert [pair.thick for pair in load_pairs(tmp_path)] == [pairs[0].thick, pairs[1].thick]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0000", "0001"]


def test_a_folder_that_cannot_be_written_is_named(pairs: list[SlabPair], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="training pairs cannot be written to"):
        save_pair(pairs[0], tmp_path / "file" / "0000")

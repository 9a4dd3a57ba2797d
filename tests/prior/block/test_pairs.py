"""Pairs to learn from: what degraded them is known physics, and they are kept whole or not at all."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.prior.block.conftest import answering, predictable_pair, whole_numbers
from torch import Tensor

from nullsplat.core.errors import StorageError
from nullsplat.core.seeds import numpy_generator
from nullsplat.physics.degradation import Separable
from nullsplat.physics.point_spread import BELL, GAUSSIAN
from nullsplat.physics.regularisation.base import regularised_base
from nullsplat.prior.block import pairs as pairs_module
from nullsplat.prior.block import store
from nullsplat.prior.block.pairs import make_pair, refined_once
from nullsplat.prior.block.pool import pair_folder
from nullsplat.prior.block.store import Pair, load_pair, save_pair
from nullsplat.prior.residual import residual_unit

Seen = tuple[Tensor, Separable, Pair]


@pytest.fixture(scope="module")
def watched() -> list[Seen]:
    """Measured volume, what is assumed of it, and pair, seen where the base is made."""
    seen: list[tuple[Tensor, Separable]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs_module, "LARGEST", (48, 56, 56))
        patch.setattr(pairs_module, "_UNEVEN_SHARE", 0.0)  # such a volume is measured by no one operator
        patch.setattr(
            pairs_module, "_ALIKE_SHARE", 0.0
        )  # at large factors, bases leave more of steeper edges

        def watch(measured: Tensor, op: Separable, *rest: object) -> Tensor:
            seen.append((measured.clone(), op))
            return regularised_base(measured, op, *rest)  # type: ignore[arg-type]

        patch.setattr(pairs_module, "regularised_base", watch)
        made = [make_pair(whole_numbers(), numpy_generator(3, "watched", i)) for i in range(10)]
    return [(*known, pair) for known, pair in zip(seen, made, strict=True)]


def test_the_same_seed_gives_the_same_pair_and_another_seed_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs_module, "LARGEST", (48, 48, 48))
    first, again, other = (make_pair(whole_numbers(), numpy_generator(seed, "x")) for seed in (1, 1, 2))
    assert np.array_equal(first.volumes, again.volumes)
    assert first.conditions == again.conditions
    assert first.volumes.shape != other.volumes.shape or not np.array_equal(first.volumes, other.volumes)


def test_pairs_of_both_kinds_are_made_and_most_tasks_differ(watched: list[Seen]) -> None:
    assert {pair.thick for *_, pair in watched} == {True, False}
    assert len({pair.conditions for *_, pair in watched}) == len(watched)


def test_uneven_slices_lie_between_two_profiles_and_differ_where_structure_changes_along_them() -> None:
    truth = torch.full((48, 40, 40), 40.0)
    truth[20:] = 300.0  # an edge between slices, the same at every pixel
    task = pairs_module._Task((4.0, 1.0, 1.0), (BELL, GAUSSIAN, GAUSSIAN), (BELL, GAUSSIAN, GAUSSIAN))
    even = pairs_module._operator(truth, task.factors, task.true).forward(truth)
    uneven = pairs_module._uneven(even, truth, task, numpy_generator(0, "uneven"))
    apart = (uneven - even).abs()
    assert float(apart.max()) > 5
    assert float(apart[[0, 1, -2, -1]].max()) < 1e-3  # far from the edge, all profiles see the same
    assert float(uneven[int(apart.amax((1, 2)).argmax())].std()) > 1  # not the same at every pixel
    assert 40 - 1e-3 < float(uneven.min()) < float(uneven.max()) < 300 + 1e-3


def test_what_is_denser_than_soft_tissue_becomes_one_material_and_the_rest_stays() -> None:
    truth = torch.linspace(-1000, 3000, 4001).reshape(1, 1, -1)
    alike = pairs_module._alike(truth, numpy_generator(0, "alike"))
    assert torch.equal(alike[truth <= 80], truth[truth <= 80])
    assert (alike.diff() >= 0).all()
    assert (alike[truth > 600] == alike.max()).all()
    assert 200 <= alike.max() <= 1500


def test_bases_degrade_to_the_measured_volume_within_what_is_taken_for_noise(watched: list[Seen]) -> None:
    """What is stored as whole HU is off by half of one at most; a wrong operator would leave tens of HU.

    At large factors a base leaves more than the noise, by up to a half: its regularisation is set for what is lost on the whole.
    """
    for measured, op, pair in watched:
        base = torch.from_numpy(pair.volumes[1].astype(np.float32))
        left = float((op.forward(base) - measured).square().mean().sqrt())
        assert left < 1.5 * pair.conditions.noise_hu + 0.5


def test_what_was_measured_is_the_truth_degraded_but_for_noise_and_a_profile_known_wrong(
    watched: list[Seen],
) -> None:
    """Structure is 500 HU and more; noise at most 40 HU."""
    for measured, op, pair in watched:
        truth = torch.from_numpy(pair.volumes[0].astype(np.float32))
        assert float((op.forward(truth) - measured).square().mean().sqrt()) < 75
        assert pair.samples == tuple(measured.shape)
        assert pair.conditions.factors == op.scale


def test_units_and_spreads_are_those_of_the_volumes(watched: list[Seen]) -> None:
    for *_, pair in watched:
        truth, base, cubic, refined = torch.from_numpy(pair.volumes.astype(np.float32))
        assert torch.equal(refined, base)
        assert pair.conditions.unit_hu == pytest.approx(residual_unit(base, cubic), rel=0.02)
        assert pair.spread_hu == pytest.approx(float((truth - base).square().mean().sqrt()), rel=0.02)


def test_a_pair_comes_back_from_disk(watched: list[Seen], tmp_path: Path) -> None:
    pair = watched[0][2]
    save_pair(pair, tmp_path / "000000")
    found = load_pair(tmp_path / "000000")
    assert np.array_equal(found.volumes, pair.volumes)
    assert replace(found, volumes=pair.volumes) == pair


def test_a_pair_refined_once_holds_what_the_prior_makes_of_its_base_in_the_first_round() -> None:
    pair = replace(predictable_pair(2), refined=False)
    found = refined_once(pair, answering(base_gained=1.0))
    truth, base, _, refined = found.volumes.astype(int)
    assert found.refined
    assert np.abs(refined - truth).max() <= 1
    assert np.array_equal(base, pair.volumes[1])


def test_a_pair_interrupted_while_it_is_written_is_not_found_and_can_be_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = pair_folder(tmp_path, 1)

    def interrupted(*_: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store.json, "dumps", interrupted)
        with pytest.raises(KeyboardInterrupt):
            save_pair(predictable_pair(1), target)
    assert not target.exists()
    save_pair(predictable_pair(1), target)
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="training pairs cannot be written to"):
        save_pair(predictable_pair(0), tmp_path / "file" / "0000")

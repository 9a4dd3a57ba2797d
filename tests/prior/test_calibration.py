"""Intervals of a prior: every voxel in one group, stretched by that group's factor, and never by another prior's file."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from nullsplat.core.errors import WeightsError
from nullsplat.physics.degradation import degradation_for
from nullsplat.physics.point_spread import BELL, GAUSSIAN
from nullsplat.pipeline.config import configure
from nullsplat.pipeline.stages import identity
from nullsplat.prior import weights
from nullsplat.prior.calibration import (
    ALL_AXES,
    EDGE_HU,
    FILE,
    GROUPS,
    REFINED,
    SLICES_ALONE,
    UNSEEN,
    Calibration,
    NoiseLevel,
    calibration_of,
    factors_at,
    members,
    written,
)
from nullsplat.prior.task import Task

FACTORS = {group: 1.0 + i for i, group in enumerate(GROUPS)}
LEVELS = {
    SLICES_ALONE: [
        NoiseLevel(5.0, FACTORS),
        NoiseLevel(15.0, {group: 3 * f for group, f in FACTORS.items()}),
    ],
    ALL_AXES: [NoiseLevel(4.0, {group: 2 * f for group, f in FACTORS.items()})],
}
CALIBRATION = Calibration(LEVELS, {})


def task(noise_hu: float, in_plane: float = 1.0) -> Task:
    spreads = (BELL, GAUSSIAN, GAUSSIAN)
    op = degradation_for((4, 8, 8), (4.0, in_plane, in_plane), spreads)
    return Task(op, (1.0, 1.0, 1.0), noise_hu)


def body() -> tuple[Tensor, Tensor]:
    """Lung in tissue with a rib, and air outside that no prior looked at; more slices than are worked on at a time."""
    hu = torch.full((35, 12, 12), 40.0)
    hu[10:20, 3:9, 3:9] = -800
    hu[25:, 2:5, 2:5] = 900
    hu[:, :, 10:] = -1000
    stated = torch.rand(hu.shape) + 0.1
    stated[:, :, 11:] = 0
    return hu, stated


def test_every_voxel_belongs_to_one_group() -> None:
    hu, stated = body()
    counted, seen = torch.zeros(hu.shape, dtype=torch.int), set()
    for slab, name, chosen in members(hu, stated):
        counted[slab] += chosen
        seen |= {name} if chosen.any() else set()
    assert (counted == 1).all()
    assert (
        {UNSEEN, "lung, flat", "lung, edge", "fat and soft tissue, flat", "bone, edge"} <= seen <= set(GROUPS)
    )


def test_edges_are_found_across_the_borders_of_what_is_worked_on_at_a_time() -> None:
    hu = torch.zeros(32, 4, 4)
    hu[16:] = 4 * EDGE_HU
    edge = {int(z) + slab.start for slab, name, chosen in members(hu, torch.ones_like(hu))
            if name.endswith("edge") for z in chosen.nonzero()[:, 0]}  # fmt: skip
    assert edge == {15, 16}


def test_an_interval_is_what_the_prior_states_times_the_factor_of_its_group() -> None:
    hu, stated = body()
    found = CALIBRATION.half_width_hu(stated, hu, task(5.0))
    for slab, name, chosen in members(hu, stated):
        expected = FACTORS[name] * (1 if name == UNSEEN else stated[slab][chosen])
        torch.testing.assert_close(found[slab][chosen], expected * torch.ones_like(found[slab][chosen]))


@pytest.mark.parametrize(
    ("noise_hu", "in_plane", "times"),
    [(0.0, 1, 1), (5.0, 1, 1), (10.0, 1, 2), (15.0, 1, 3), (90.0, 1, 3), (0.0, 2, 2), (90.0, 2, 2)],
)
def test_factors_follow_the_noise_and_what_is_refined(noise_hu: float, in_plane: float, times: float) -> None:
    """One width for all was too narrow in noisy air, and too wide in quiet."""
    hu, stated = body()
    found = CALIBRATION.half_width_hu(stated, hu, task(noise_hu, in_plane))
    usual = Calibration(dict.fromkeys(REFINED, (NoiseLevel(0, FACTORS),)), {})
    torch.testing.assert_close(found, times * usual.half_width_hu(stated, hu, task(0.0)))


def test_a_group_that_a_level_lacks_has_no_factor() -> None:
    levels = [NoiseLevel(0.0, FACTORS), NoiseLevel(9.0, {UNSEEN: 3.0})]
    assert factors_at(3.0, levels) == {UNSEEN: pytest.approx(5 / 3)}


def test_what_intervals_held_is_said_in_words_as_far_as_it_is_known() -> None:
    facts = {"volumes": ["a", "b"], "held_when_left_out": {"a": 0.84, "b": 0.883}, "bound": 0.6}
    assert Calibration(LEVELS, facts).in_words() == (
        "calibrated on 2 CT(s) to hold 90 % of the truth; each of them was held to 84 to 88 % by the factors of the others; a "
        "further one, drawn as they were, to 60 % at least on average"
    )
    assert CALIBRATION.in_words() == "calibrated on 0 CT(s) to hold 90 % of the truth"


@pytest.fixture
def prior(tmp_path: Path) -> Path:
    (tmp_path / weights.MANIFEST).write_text(json.dumps({"name": "mine", "sha256": "a" * 64}))
    content = {"factors": written(LEVELS), "model_sha256": "a" * 64, "volumes": ["x"]}
    (tmp_path / FILE).write_text(json.dumps(content))
    return tmp_path


def test_a_calibration_is_found_beside_its_weights(prior: Path) -> None:
    found = calibration_of(str(prior))
    assert found is not None
    assert (found.levels, found.facts["volumes"]) == (LEVELS, ["x"])


def test_levels_may_stand_in_any_order(prior: Path) -> None:
    content = json.loads((prior / FILE).read_text())
    content["factors"][SLICES_ALONE].reverse()
    (prior / FILE).write_text(json.dumps(content))
    found = calibration_of(str(prior))
    assert found is not None
    assert found.levels == LEVELS


def test_a_calibration_of_an_earlier_version_holds_for_all_series_alike(prior: Path) -> None:
    (prior / FILE).write_text(json.dumps({"factors": FACTORS, "model_sha256": "a" * 64}))
    found = calibration_of(str(prior))
    assert found is not None
    hu, stated = body()
    quiet, noisy = (found.half_width_hu(stated, hu, task(*asked)) for asked in ((0.0, 1.0), (40.0, 2.0)))
    torch.testing.assert_close(quiet, CALIBRATION.half_width_hu(stated, hu, task(0.0)))
    torch.testing.assert_close(quiet, noisy)


def test_a_prior_without_one_has_no_intervals(prior: Path) -> None:
    (prior / FILE).unlink()
    assert calibration_of(str(prior)) is None
    assert calibration_of(weights.NONE) is None


def test_runs_with_another_calibration_share_no_stages(prior: Path) -> None:
    config = replace(configure((4, 1, 1)), prior=str(prior))
    before = identity(config)
    content = json.loads((prior / FILE).read_text())
    content["factors"][ALL_AXES][0][UNSEEN] = 9.0
    (prior / FILE).write_text(json.dumps(content))
    changed = identity(config)
    (prior / FILE).unlink()
    assert len({before, changed, identity(config)}) == 3


def test_a_damaged_calibration_is_found_before_the_work(prior: Path) -> None:
    (prior / FILE).write_text("{")
    with pytest.raises(WeightsError, match="a factor for each group"):
        identity(replace(configure((4, 1, 1)), prior=str(prior)))


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "{}", *(json.dumps({"factors": factors, "model_sha256": "a" * 64}) for factors in (
            {**FACTORS, UNSEEN: "wide"}, dict(list(FACTORS.items())[:-1]),
            *({**FACTORS, UNSEEN: factor} for factor in (-1, math.nan, math.inf)),
            {SLICES_ALONE: written(LEVELS)[SLICES_ALONE]}, {**written(LEVELS), ALL_AXES: []},
            {**written(LEVELS), ALL_AXES: [FACTORS]},
        ))
    ],
)  # fmt: skip
def test_a_damaged_calibration_is_no_missing_one(prior: Path, content: str) -> None:
    (prior / FILE).write_text(content)
    with pytest.raises(WeightsError, match="a factor for each group"):
        calibration_of(str(prior))


def test_a_calibration_of_other_weights_is_refused(prior: Path) -> None:
    (prior / weights.MANIFEST).write_text(json.dumps({"name": "mine", "sha256": "b" * 64}))
    with pytest.raises(WeightsError, match="for the weights aaaaaaaaaaaa, the prior has others"):
        calibration_of(str(prior))

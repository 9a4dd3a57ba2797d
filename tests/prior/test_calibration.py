"""Intervals of a prior: every voxel in one group, stretched by that group's factor, and never by another prior's file."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from nullsplat.core.errors import WeightsError
from nullsplat.pipeline.config import configure
from nullsplat.pipeline.stages import identity
from nullsplat.prior import weights
from nullsplat.prior.calibration import EDGE_HU, FILE, GROUPS, UNSEEN, Calibration, calibration_of, members

FACTORS = {group: 1.0 + i for i, group in enumerate(GROUPS)}


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
    found = Calibration(FACTORS, {}).half_width_hu(stated, hu)
    for slab, name, chosen in members(hu, stated):
        expected = FACTORS[name] * (1 if name == UNSEEN else stated[slab][chosen])
        torch.testing.assert_close(found[slab][chosen], expected * torch.ones_like(found[slab][chosen]))


def test_what_intervals_held_is_said_in_words_as_far_as_it_is_known() -> None:
    facts = {"volumes": ["a", "b"], "held_when_left_out": {"a": 0.84, "b": 0.883}, "bound": 0.6}
    assert Calibration(FACTORS, facts).in_words() == (
        "calibrated on 2 CT(s) to hold 90 % of the truth; each of them was held to 84 to 88 % by the factors of the others; a "
        "further one, drawn as they were, to 60 % at least on average"
    )
    assert Calibration(FACTORS, {}).in_words() == "calibrated on 0 CT(s) to hold 90 % of the truth"


@pytest.fixture
def prior(tmp_path: Path) -> Path:
    (tmp_path / weights.MANIFEST).write_text(json.dumps({"name": "mine", "sha256": "a" * 64}))
    (tmp_path / FILE).write_text(json.dumps({"factors": FACTORS, "model_sha256": "a" * 64, "volumes": ["x"]}))
    return tmp_path


def test_a_calibration_is_found_beside_its_weights(prior: Path) -> None:
    found = calibration_of(str(prior))
    assert found is not None
    assert (found.factors, found.facts["volumes"]) == (FACTORS, ["x"])


def test_a_prior_without_one_has_no_intervals(prior: Path) -> None:
    (prior / FILE).unlink()
    assert calibration_of(str(prior)) is None
    assert calibration_of(weights.NONE) is None


def test_runs_with_another_calibration_share_no_stages(prior: Path) -> None:
    config = replace(configure((4, 1, 1)), prior=str(prior))
    before = identity(config)
    content = json.loads((prior / FILE).read_text())
    (prior / FILE).write_text(json.dumps({**content, "factors": {**FACTORS, UNSEEN: 9.0}}))
    changed = identity(config)
    (prior / FILE).unlink()
    assert len({before, changed, identity(config)}) == 3


def test_a_damaged_calibration_is_found_before_the_work(prior: Path) -> None:
    (prior / FILE).write_text("{")
    with pytest.raises(WeightsError, match="a factor for each group"):
        identity(replace(configure((4, 1, 1)), prior=str(prior)))


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", json.dumps({"factors": {**FACTORS, UNSEEN: "wide"}, "model_sha256": "a" * 64}),
     json.dumps({"factors": dict(list(FACTORS.items())[1:]), "model_sha256": "a" * 64}),
     *(json.dumps({"factors": {**FACTORS, UNSEEN: factor}, "model_sha256": "a" * 64}) for factor in (-1, math.nan, math.inf))],
)  # fmt: skip
def test_a_damaged_calibration_is_no_missing_one(prior: Path, content: str) -> None:
    (prior / FILE).write_text(content)
    with pytest.raises(WeightsError, match="a factor for each group"):
        calibration_of(str(prior))


def test_a_calibration_of_other_weights_is_refused(prior: Path) -> None:
    (prior / weights.MANIFEST).write_text(json.dumps({"name": "mine", "sha256": "b" * 64}))
    with pytest.raises(WeightsError, match="for the weights aaaaaaaaaaaa, the prior has others"):
        calibration_of(str(prior))

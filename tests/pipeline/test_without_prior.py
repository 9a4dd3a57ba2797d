"""Without a prior, the pipeline is physics alone."""

import dataclasses

import pytest
import torch
from tests.pipeline.test_run import CPU, measured, small

from nullsplat.core.errors import WeightsError
from nullsplat.pipeline.base_volume import base_volume
from nullsplat.pipeline.consistency import combined
from nullsplat.pipeline.problem import pose
from nullsplat.pipeline.refine import refine
from nullsplat.pipeline.run import super_resolve
from nullsplat.pipeline.stage2 import field_of


def test_stage_2_has_nothing_to_explain() -> None:
    config = small(prior="none")
    problem = pose(measured(15), config, CPU)
    base_hu = base_volume(problem, config)
    stage1 = refine(problem, base_hu, None, config)
    assert (stage1.hu, stage1.deviation_hu, stage1.steps) == (None, None, 0)
    assert stage1.projections is None
    field = field_of(problem.model, base_hu, None, None, config)
    residual_hu = field.on(problem.model.hr)
    assert (len(field.gaussians), float(residual_hu.abs().max())) == (1, 0.0)
    assert torch.equal(combined(base_hu, residual_hu, None, config), base_hu.clamp(min=-1024))


def test_a_prior_that_there_is_not_is_refused_by_name() -> None:
    with pytest.raises(WeightsError, match="block-small"):
        super_resolve(measured(15), dataclasses.replace(small(), prior="nobody's"), device=CPU)

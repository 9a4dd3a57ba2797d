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
from nullsplat.pipeline.stage2 import fit_field


def test_stage_2_has_nothing_to_explain() -> None:
    config = small(prior="none")
    problem = pose(measured(15), config, CPU)
    base_hu = base_volume(problem, config)
    stage1 = refine(problem, base_hu, None, config)
    assert (stage1.hu, stage1.deviation_hu, stage1.steps) == (None, None, 0)
    residual = fit_field(problem.model, base_hu, stage1.projections, config).on(problem.model.hr)
    assert (
        float(residual.square().mean().sqrt()) < 1
    )  # HU, of 15 HU noise; the fit starts near zero, not at it
    together = combined(base_hu, residual, stage1.hu, config)
    assert torch.allclose(together, base_hu.clamp(min=-1024), atol=10.0)


def test_a_prior_that_there_is_not_is_refused_by_name() -> None:
    with pytest.raises(WeightsError, match="block-small"):
        super_resolve(measured(15), dataclasses.replace(small(), prior="nobody's"), device=CPU)

"""Without a prior, the pipeline is physics alone."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.pipeline.test_run import CPU, measured, small

from nullsplat.core.errors import WeightsError
from nullsplat.pipeline import stages
from nullsplat.pipeline.workspace import Workspace


def test_stage_2_has_nothing_to_explain(tmp_path: Path) -> None:
    ws = Workspace(tmp_path)
    ws.save_source(measured(15))
    config = small(prior="none")
    stages.run_stage1(ws, config, CPU, lambda *_: None)
    stages.run_stage2(ws, config, CPU, lambda *_: None)
    residual = ws.load_array("residual", "hu")
    assert float(np.sqrt(np.mean(residual**2))) < 1  # HU, of 15 HU noise; the fit starts near zero, not at it
    base = ws.load_tensor("base", "hu", CPU)
    assert torch.allclose(stages.combined(ws, config, CPU), base.clamp(min=-1024), atol=10.0)


def test_a_prior_that_there_is_not_is_refused_by_name(tmp_path: Path) -> None:
    ws = Workspace(tmp_path)
    ws.save_source(measured(15))
    with pytest.raises(WeightsError, match="slab-small"):
        stages.run_stage1(ws, dataclasses.replace(small(), prior="nobody's"), CPU, lambda *_: None)

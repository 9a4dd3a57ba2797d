"""The study of stage 1: what is compared is measured against the truth, and the table says it."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from nullsplat.evaluation.data.degrade import protocol
from nullsplat.evaluation.data.subject import Subject
from nullsplat.evaluation.studies import stage1
from nullsplat.evaluation.studies.degraded_case import DegradedCase
from nullsplat.evaluation.studies.files import write_study
from nullsplat.evaluation.studies.stage1 import Row, Stage1Study, xray_variants
from nullsplat.evaluation.studies.stage1_table import table

ROW = Row("cubic", 0, 0, 40.0, 30.0, 0.001, 1.0)


@pytest.fixture
def study(subject: Subject) -> Stage1Study:
    return Stage1Study(DegradedCase(subject.volume, protocol("thick2"), 3, torch.device("cpu")))


def test_the_true_projections_explain_what_was_measured(study: Stage1Study) -> None:
    measurement = study.measured.measurement
    off = (measurement.op.forward(study.true) - measurement.y).abs().max()
    assert float(off) < 1e-4  # thick slices: degrading and projecting commute


def test_the_pseudo_inverse_step_meets_the_measurement(study: Stage1Study) -> None:
    rows = {row.method: row for row in study.without_learning()}
    assert rows["cubic, pseudo-inverse step"].consistency < 1e-5 < rows["cubic"].consistency
    assert rows["projected tv"].volume_psnr is not None
    assert all(row.steps == row.samples == 0 for row in rows.values())


def test_slabs_are_judged_as_volumes_too(study: Stage1Study) -> None:
    mean, mirrored, samples = study.with_slab_prior((2,))
    assert mirrored.steps == 4 * mean.steps
    assert (mean.samples, samples.samples) == (1, 2)
    assert samples.steps > mean.steps == 1
    assert mean.volume_psnr is not None


def test_samples_of_a_clipped_scan_are_compared_with_the_truth(
    study: Stage1Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = next(xray_variants((2.0, 1.0, 1.0), (1,)))
    few = dataclasses.replace(first, sampling=dataclasses.replace(first.sampling, steps=4))
    monkeypatch.setattr(stage1, "xray_variants", lambda *_: [few])
    (row,) = study.with_xray_prior((1,))
    assert study.measured.empty_hu == pytest.approx(-512, abs=1)
    assert row.psnr > 20


def test_samplers_are_compared_by_steps_and_samples() -> None:
    variants = list(xray_variants((4.0, 4.0, 4.0), (1, 4)))
    paper = [v.sampling for v in variants if v.method == "X-ray prior, paper"]
    assert {(s.steps, s.samples, s.eta, s.start_sigma) for s in paper} == {
        (steps, k, 0.99, None) for steps in (10, 50) for k in (1, 4)
    }


def test_the_table_gives_gains_on_projected_tv(tmp_path: Path) -> None:
    tv = dataclasses.replace(ROW, method="projected tv", psnr=41.25)
    slab = dataclasses.replace(ROW, method="slab", steps=1, samples=1, psnr=42.5, volume_psnr=None)
    lines = table([ROW, tv, slab]).splitlines()
    assert lines[2] == "| cubic |  |  | 40.00 | -1.25 | 30.00 | 0.00100 | 1 |"
    assert lines[4] == "| slab | 1 | 1 | 42.50 | +1.25 |  | 0.00100 | 1 |"
    page = write_study("stage1", {"chest thick2": [ROW, tv, slab]}, {"seed": 0}, tmp_path, table)
    assert "### chest thick2" in page.read_text()
    assert json.loads((tmp_path / "stage1.json").read_text())["cases"]["chest thick2"][2]["psnr"] == 42.5

"""The study of stage 2: perfect projections bound what it can do, and every variant changes what it says."""

from dataclasses import replace

import pytest
import torch

from nullsplat.evaluation.data.degrade import protocol
from nullsplat.evaluation.data.subject import Subject
from nullsplat.evaluation.studies.degraded_case import DegradedCase
from nullsplat.evaluation.studies.stage2 import (
    FitVariant,
    Row,
    Stage2Study,
    ablations,
    closed_forms,
    of_paper,
    of_presets,
    schedules,
)
from nullsplat.evaluation.studies.stage2_table import table
from nullsplat.splat.fit.closed_form import ClosedForm
from nullsplat.splat.fit.config import PREVIEW, STANDARD, FitConfig

QUICK = replace(PREVIEW, steps=80, voxels_each=20.0)
TV = Row("tv", None, 0, 0, 0, 35.0, 0.9, None, 0.0)


@pytest.fixture
def study(subject: Subject) -> Stage2Study:
    return Stage2Study(DegradedCase(subject.volume, protocol("iso2"), 20, torch.device("cpu")))


def test_perfect_projections_bring_more_than_those_of_stage_1(study: Stage2Study) -> None:
    variants = (FitVariant("quick", QUICK, 20),)
    base = next(row for row in study.without_fit() if row.method == "base")
    (found,), (perfect,) = study.fits(variants, "stage 1"), study.fits(variants, "true")
    assert perfect.psnr > found.psnr
    assert perfect.psnr > base.psnr + 0.5
    assert perfect.checked_psnr is not None
    assert (perfect.views, perfect.given) == (20, "true")
    assert perfect.gaussians > 0


def test_a_field_without_base_has_to_show_the_patient_alone(study: Stage2Study) -> None:
    with_base, alone = study.fits((FitVariant("a", QUICK, 20), FitVariant("b", QUICK, 20, "none")), "true")
    assert alone.psnr < with_base.psnr - 3
    assert alone.checked_psnr is not None
    assert alone.checked_psnr > alone.psnr + 0.2  # the data-consistency step brings back what was measured


def test_a_volume_given_as_one_is_explained_without_a_fit(study: Stage2Study) -> None:
    variants = (FitVariant("closed form", ClosedForm()), FitVariant("all", ClosedForm(voxels_each=1)))
    base = next(row for row in study.without_fit() if row.method == "base")
    few, every = study.fits(variants, "true")
    assert (few.views, few.steps) == (0, 0)
    assert base.psnr + 1 < few.psnr < every.psnr
    assert few.gaussians < every.gaussians


def test_each_ablation_changes_one_thing() -> None:
    closed, preview, standard = of_presets()
    assert closed.fit == ClosedForm()
    assert ClosedForm() not in {variant.fit for variant in closed_forms()}
    assert (preview.fit, standard.fit) == (PREVIEW, STANDARD)
    for variant in (*ablations(), *schedules()):
        assert variant != replace(standard, method=variant.method)
    assert [variant.fit.activation for variant in of_paper()] == ["prelu", "softplus", "relu"]
    assert {variant.base for variant in of_paper()} == {"cubic"}


def test_another_schedule_does_the_same_work() -> None:
    def views_seen(fit: FitConfig) -> int:
        return fit.steps * fit.rounds * fit.views_per_step

    assert {views_seen(variant.fit) for variant in schedules()} == {views_seen(STANDARD)}


def test_the_table_gives_gains_on_tv() -> None:
    fitted = Row("`standard`", "true", 100, 150_000, 1500, 37.25, 0.95, 37.5, 61.4)
    lines = table([TV, fitted]).splitlines()
    assert lines[2] == "| tv |  | | |  | 35.00 | 0.9000 | +0.00 |  |  |"
    assert lines[3] == "| `standard` | true | 100 | 150000 | 1500 | 37.25 | 0.9500 | +2.25 | 37.50 | 61.4 |"

"""A run says of its series what its prior was not trained on."""

import dataclasses

import numpy as np
import pytest
from tests.pipeline.test_run import CPU, small

from nullsplat.core.volume import Geometry, Volume
from nullsplat.pipeline import stages
from nullsplat.pipeline.run import Result, super_resolve
from nullsplat.prior.series_figures import CONTRADICTED, FIGURES
from nullsplat.prior.training_range import TrainingRange

WIDE = dict.fromkeys(FIGURES, (0.0, 1000000.0))


def run(monkeypatch: pytest.MonkeyPatch, known: TrainingRange | None) -> Result:
    monkeypatch.setattr(stages, "training_range_of", lambda _prior: known)
    noise = np.random.default_rng(0).normal(40, 20, (4, 24, 24)).astype(np.float32)
    config = dataclasses.replace(small(prior="none"), scale=(2.0, 1.0, 1.0))
    return super_resolve(Volume(noise, Geometry(noise.shape, (5.0, 1.0, 1.0))), config, device=CPU)


def test_what_lies_outside_is_said_and_what_lies_inside_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    report = run(monkeypatch, TrainingRange({**WIDE, "noise_hu": (0, 5), "slice_factor": (4, 4)}, {})).report
    assert set(report["series_figures"]) == set(FIGURES) - {CONTRADICTED}  # no prior, no surprise
    assert report["series_figures"]["noise_hu"] == report["noise_hu"]
    assert [words.split(" is ")[0] for words in report["outside_training"].split("; ")] == [
        "the factor across slices",
        "the noise",
    ]
    assert "outside_training" not in run(monkeypatch, TrainingRange(WIDE, {})).report


def test_of_a_prior_whose_training_nobody_measured_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    report = run(monkeypatch, None).report
    assert not {"outside_training", "series_figures"} & set(report)

"""What lies outside a prior's training is said in words, and all that lies inside is not."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from nullsplat.core.errors import WeightsError
from nullsplat.pipeline.config import configure
from nullsplat.pipeline.stages import identity
from nullsplat.prior import weights
from nullsplat.prior.series_figures import CONTRADICTED, FIGURES
from nullsplat.prior.training_range import FILE, TrainingRange, training_range_of

SPANS = dict.fromkeys(FIGURES, (1.0, 2.0))
INSIDE = dict.fromkeys(FIGURES, 1.5)
UPWARDS = {name for name, figure in FIGURES.items() if figure.only_above}


def outside(**figures: float) -> tuple[str, ...]:
    return TrainingRange(SPANS, {}).outside({**INSIDE, **figures})


@pytest.mark.parametrize("value", [1.0, 1.5, 2.0])
def test_what_training_has_shown_is_familiar(value: float) -> None:
    assert TrainingRange(SPANS, {}).outside(dict.fromkeys(FIGURES, value)) == ()


@pytest.mark.parametrize("name", FIGURES)
def test_more_than_training_has_shown_is_said_with_both_figures(name: str) -> None:
    (told,) = outside(**{name: 2.5})
    figure = FIGURES[name]
    assert told.startswith(figure.title)
    assert figure.told(2.5) in told
    assert told.endswith(f"familiar is {figure.told(1.0)} to {figure.told(2.0)}")


@pytest.mark.parametrize("name", FIGURES)
def test_less_is_said_too_unless_it_is_no_concern(name: str) -> None:
    assert bool(outside(**{name: 0.5})) == (name not in UPWARDS)


def test_less_noise_softer_kernels_less_metal_and_fewer_surprises_are_no_concern() -> None:
    assert {"noise_hu", "kernel_sharpness", "metal_share", CONTRADICTED} == UPWARDS


def test_each_reason_has_its_sentence() -> None:
    assert len(outside(noise_hu=90.0, slice_factor=0.1)) == 2


def test_a_figure_that_a_run_does_not_have_is_not_judged() -> None:
    assert TrainingRange(SPANS, {}).outside({"noise_hu": 1.0}) == ()


def test_a_single_value_is_no_range() -> None:
    (told,) = TrainingRange({"pixel_factor": (1.0, 1.0)}, {}).outside({"pixel_factor": 2.0})
    assert told.endswith("familiar is 1")


@pytest.fixture
def prior(tmp_path: Path) -> Path:
    (tmp_path / weights.MANIFEST).write_text(json.dumps({"name": "mine", "sha256": "a" * 64}))
    (tmp_path / FILE).write_text(json.dumps({"figures": SPANS, "model_sha256": "a" * 64, "series": 3}))
    return tmp_path


def test_a_range_is_found_beside_its_weights(prior: Path) -> None:
    found = training_range_of(str(prior))
    assert found is not None
    assert (found.spans, found.facts["series"]) == (SPANS, 3)
    (prior / FILE).unlink()
    assert training_range_of(str(prior)) is None
    assert training_range_of(weights.NONE) is None


@pytest.mark.parametrize("span", [[2.0, 1.0], [1.0], ["a", 2.0], None, [float("nan"), 1.0]])
def test_a_damaged_range_is_found_before_the_work(prior: Path, span: object) -> None:
    figures = {**SPANS, "noise_hu": span}
    (prior / FILE).write_text(json.dumps({"figures": figures, "model_sha256": "a" * 64}))
    with pytest.raises(WeightsError, match="the lowest and highest of each figure"):
        identity(replace(configure((4, 1, 1)), prior=str(prior)))


def test_runs_with_another_range_share_no_stages(prior: Path) -> None:
    config = replace(configure((4, 1, 1)), prior=str(prior))
    before = identity(config)
    (prior / FILE).unlink()
    assert identity(config) != before


def test_a_range_of_other_weights_is_refused(prior: Path) -> None:
    (prior / weights.MANIFEST).write_text(json.dumps({"name": "mine", "sha256": "b" * 64}))
    with pytest.raises(WeightsError, match="for the weights aaaaaaaaaaaa, the prior has others"):
        training_range_of(str(prior))

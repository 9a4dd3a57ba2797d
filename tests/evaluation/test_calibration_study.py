"""Factors of intervals: found so that they hold what they say, volume by volume."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from nullsplat.cli.main import app
from nullsplat.core.errors import ConfigurationError
from nullsplat.core.volume import Geometry, Volume
from nullsplat.evaluation.data.degrade import protocol
from nullsplat.evaluation.data.subject import Subject
from nullsplat.evaluation.studies.calibration import (
    LEAST,
    Observed,
    bound,
    counted,
    factors_of,
    held,
    left_out,
    observe,
    width_hu,
)
from nullsplat.evaluation.studies.calibration_table import table
from nullsplat.io.nifti import write_nifti
from nullsplat.prior import weights
from nullsplat.prior.calibration import BANDS_HU, FILE, GROUPS, LEVEL, UNSEEN

SOFT = "fat and soft tissue, flat"


def seen(volume: str, times: float, protocol: str = "iso4") -> Observed:
    """A volume of soft tissue whose errors are normal, `times` what the prior states, and of air that it left alone."""
    generator = np.random.default_rng(0)
    truth = torch.zeros(30, 40, 40)
    stated = torch.full(truth.shape, 10.0)
    stated[:10] = 0
    hu = truth + torch.from_numpy(generator.normal(0, 10 * times / 1.645, truth.shape)).float()
    return Observed(volume, protocol, *counted(hu, stated, truth))


def body(*shape: int) -> Volume:
    hu = np.full(shape, -1000, np.float32)
    inside = (slice(None), *(slice(n // 4, -n // 4) for n in shape[1:]))
    hu[inside] = np.random.default_rng(0).normal(40, 20, hu[inside].shape)
    return Volume(hu, Geometry(hu.shape, (1.0, 1.0, 1.0)))


@pytest.mark.parametrize("times", [0.2, 1.0, 1.7])
def test_the_factor_is_by_how_much_a_prior_is_wrong_of_its_errors(times: float) -> None:
    one = seen("a", times)
    factors = factors_of([one])
    assert factors[SOFT] == pytest.approx(times, rel=0.03)
    assert factors[UNSEEN] == pytest.approx(10 * times, rel=0.03)  # HU, since nothing was stated
    assert held(one, factors, [SOFT]) == pytest.approx(LEVEL, abs=0.01)
    assert held(one, factors, GROUPS) == pytest.approx(LEVEL, abs=0.01)
    assert width_hu(one, factors, GROUPS) == pytest.approx(10 * times, rel=0.03)


def test_every_volume_counts_alike_however_often_it_was_degraded() -> None:
    often = [seen("a", 0.5, how) for how in ("iso4", "thick4", "bell4")]
    once = seen("b", 2.0)
    assert factors_of([*often, once]) == pytest.approx(factors_of([often[0], once]))
    shares = [held(one, factors_of([*often, once]), [SOFT]) or 0 for one in (often[0], once)]
    assert np.mean(shares) == pytest.approx(LEVEL, abs=0.01)
    assert shares[0] > 0.99
    assert shares[1] < 0.85


def test_a_volume_is_judged_by_the_factors_of_the_others() -> None:
    shares = left_out([seen("a", 1.0), seen("b", 2.0)])
    assert shares["a"] > 0.99
    assert shares["b"] < 0.65
    assert left_out([seen("a", 1.0)]) == {}


def test_a_group_that_no_volume_shows_takes_the_widest() -> None:
    factors = factors_of([seen("a", 1.3)])
    assert factors["bone, edge"] == max(factors[group] for group in GROUPS if group != UNSEEN)


def test_too_few_voxels_say_nothing() -> None:
    one = seen("a", 1.0)
    few = {group: np.minimum(counts, (LEAST - 1) / counts.size) for group, counts in one.counts.items()}
    assert held(replace(one, counts=few), dict.fromkeys(GROUPS, 1.0), [SOFT]) is None


@pytest.mark.parametrize(("volumes", "expected"), [(1, 0.45), (9, 0.81), (99, 0.891)])
def test_the_bound_is_that_of_conformal_risk_control(volumes: int, expected: float) -> None:
    """The mean risk of n is at most alpha, so that of one more is at most (n alpha + 1) / (n + 1)."""
    alpha = 1 - LEVEL
    assert bound(volumes) == pytest.approx(1 - (volumes * alpha + 1) / (volumes + 1))
    assert bound(volumes) == pytest.approx(expected)


def test_the_table_has_a_line_for_each_degradation() -> None:
    observed = [seen("a", 1.0), seen("b", 1.0), seen("a", 1.0, "bell4")]
    lines = table(observed, factors_of(observed)).splitlines()
    assert len(lines) == 2 + 2
    assert lines[0].count("|") == 2 + 4 + len(BANDS_HU)
    assert lines[2].startswith("| iso4 | 90.")


def test_a_prior_that_states_no_intervals_is_refused() -> None:
    subject = Subject("phantom", body(8, 24, 24))
    with pytest.raises(ConfigurationError, match="none states none"):
        observe(subject, protocol("thick2"), weights.NONE, torch.device("cpu"))


def test_the_command_calibrates_a_prior_and_checks_it(tmp_path: Path) -> None:
    write_nifti(body(16, 32, 32), tmp_path / "ct.nii")
    words = ["calibrate", str(tmp_path / "ct.nii"), "--out", str(tmp_path / "made"), "--device", "cpu"]
    told = CliRunner().invoke(app, [*words, "--scale", "thick2", "--noise", "0"], catch_exceptions=False)
    assert told.exit_code == 0
    assert "is held to 45% on average" in told.stdout
    content = json.loads((tmp_path / "made" / FILE).read_text())
    assert set(content["factors"]) == set(GROUPS)
    assert content["model_sha256"] == weights.prior_hash(weights.BLOCK)
    assert (tmp_path / "made" / "coverage.md").read_text().startswith("| | all |")

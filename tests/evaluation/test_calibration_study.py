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
from nullsplat.evaluation.data.subject import Subject, thickened
from nullsplat.evaluation.studies.calibration import (
    LEAST,
    Observed,
    bound,
    counted,
    held,
    left_out,
    levels_of,
    observe,
    shares_held,
    width_hu,
)
from nullsplat.evaluation.studies.calibration_table import table
from nullsplat.io.nifti import write_nifti
from nullsplat.prior import weights
from nullsplat.prior.calibration import (
    ALL_AXES,
    BANDS_HU,
    FILE,
    GROUPS,
    LEVEL,
    REFINED,
    SLICES_ALONE,
    UNSEEN,
    Factors,
)

SOFT = "fat and soft tissue, flat"


def seen(volume: str, times: float, how: str = "iso4", added_hu: float = 0.0) -> Observed:
    """A volume of soft tissue whose errors are normal, `times` what the prior states, and of air that it left alone."""
    generator = np.random.default_rng(0)
    truth = torch.zeros(30, 40, 40)
    stated = torch.full(truth.shape, 10.0)
    stated[:10] = 0
    hu = truth + torch.from_numpy(generator.normal(0, 10 * times / 1.645, truth.shape)).float()
    return Observed(volume, protocol(how, added_hu), None, 4.0 + added_hu, *counted(hu, stated, truth))


def factors_of(observed: list[Observed]) -> Factors:
    """Those that hold for the first."""
    return observed[0].factors(levels_of(observed))


def without(one: Observed, *groups: str) -> Observed:
    return replace(one, counts={**one.counts, **{group: 0 * one.counts[group] for group in groups}})


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


def test_each_noise_and_each_kind_of_refinement_has_its_own_factors() -> None:
    observed = [seen("a", 1.0, "thick4"), seen("a", 2.0, "thick4", 15.0), seen("a", 1.5, "iso4")]
    levels = levels_of([observed[1], observed[2], observed[0]])
    assert [one.noise_hu for one in levels[SLICES_ALONE]] == [4.0, 19.0]
    assert [one.factors(levels)[SOFT] for one in observed] == pytest.approx([1.0, 2.0, 1.5], rel=0.03)
    between = replace(observed[0], noise_hu=11.5).factors(levels)
    assert between[UNSEEN] == pytest.approx(15, rel=0.03)


def test_what_was_never_refined_takes_the_factors_of_what_was() -> None:
    levels = levels_of([seen("a", 1.3, "thick4")])
    assert levels[ALL_AXES] == levels[SLICES_ALONE]


def test_a_volume_is_judged_by_the_factors_of_the_others() -> None:
    observed = [seen("a", 1.0), seen("b", 2.0)]
    shares = shares_held(observed, left_out(observed))
    assert shares["a"] > 0.99
    assert shares["b"] < 0.65
    assert left_out([seen("a", 1.0)]) == {}


def test_a_volume_is_not_judged_by_groups_that_the_others_do_not_show() -> None:
    observed = [seen("a", 1.0), without(seen("b", 2.0), UNSEEN)]
    others = left_out(observed)
    assert held(observed[0], observed[0].factors(others["a"]), [UNSEEN]) is None
    assert table(observed, others).splitlines()[2].endswith("|  |")


def test_a_group_that_no_volume_shows_takes_the_widest() -> None:
    factors = factors_of([seen("a", 1.3)])
    assert factors["bone, edge"] == max(factors[group] for group in GROUPS if group != UNSEEN)


def test_where_no_volume_shows_air_outside_the_body_its_interval_is_the_widest_in_hu() -> None:
    """It was the largest factor, as if that were HU: ±1.3 HU, for a prior that had never looked there."""
    assert factors_of([without(seen("a", 1.3), UNSEEN)])[UNSEEN] == pytest.approx(13, rel=0.03)


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
    lines = table(observed, dict.fromkeys("ab", levels_of(observed))).splitlines()
    assert len(lines) == 2 + 2
    assert lines[0].count("|") == 2 + 4 + len(BANDS_HU)
    assert lines[2].startswith("| iso4 | 90.")


def test_thicker_truths_have_lines_of_their_own_and_count_for_the_same_volume() -> None:
    observed = [seen("a", 1.0), replace(seen("a", 3.0), slice_mm=5.0), seen("b", 2.0), seen("b", 2.0)]
    assert factors_of(observed) == pytest.approx(factors_of([*observed[:3], observed[2]]))
    shown = table(observed, dict.fromkeys("ab", levels_of(observed))).splitlines()
    assert [line.split(" | ")[0] for line in shown[2:]] == ["| iso4", "| iso4 of 5 mm"]


@pytest.mark.parametrize(("slice_mm", "slices"), [(1.4, None), (1.6, 4), (3.6, 2), (30.0, None)])
def test_thicker_slices_are_means_over_the_same_extent(slice_mm: float, slices: int | None) -> None:
    volume = body(9, 4, 4)
    found = thickened(Subject("a", volume), slice_mm)
    if slices is None:
        assert found is None
        return
    assert found is not None
    count, geometry = 8 // slices, found.volume.geometry
    assert (geometry.shape[0], geometry.spacing[0], found.slice_mm) == (slices, count, slice_mm)
    np.testing.assert_allclose(found.volume.hu[0], volume.hu[:count].mean(0), rtol=1e-6)
    assert geometry.position((0.0, 0.0, 0.0))[2] == pytest.approx((count - 1) / 2)


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
    assert set(content["factors"]) == set(REFINED)
    assert set(content["factors"][SLICES_ALONE][0]) == {"noise_hu", *GROUPS}
    assert content["model_sha256"] == weights.prior_hash(weights.BLOCK)
    assert (tmp_path / "made" / "coverage.md").read_text().startswith("| | all |")

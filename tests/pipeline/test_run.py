"""The whole pipeline on a small phantom: better than interpolation, faithful to the input, and resumable."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from nullsplat.core.errors import Cancelled, UnreadableFile
from nullsplat.core.measure import Cost
from nullsplat.core.progress import silent
from nullsplat.core.units import HIGHEST_HU, LOWEST_HU
from nullsplat.core.volume import Geometry, Volume
from nullsplat.physics.consistency import residual
from nullsplat.physics.profile import BOX, Resolution
from nullsplat.physics.upsampling import upsample_cubic
from nullsplat.pipeline import stages
from nullsplat.pipeline.base_volume import base_volume
from nullsplat.pipeline.checkpoints import Checkpoints
from nullsplat.pipeline.config import PipelineConfig, configure
from nullsplat.pipeline.consistency import combined, consistent_volume
from nullsplat.pipeline.problem import pose
from nullsplat.pipeline.refine import refine
from nullsplat.pipeline.run import Result, super_resolve
from nullsplat.pipeline.stage2 import field_of
from nullsplat.prior import weights
from nullsplat.prior.load import load_prior
from nullsplat.splat.field.gaussians import SignedGaussians
from nullsplat.splat.field.placement import PlacedField

CPU = torch.device("cpu")
FACTOR, SHAPE = 4, (24, 40, 40)


def small(**changes: object) -> PipelineConfig:
    """The preview preset with fewer views and steps; its mathematics is the same."""
    config = configure((FACTOR, 1, 1), resolution=Resolution(slice_profile=BOX))
    fit = dataclasses.replace(config.fit, count=500, most=500, steps=30)
    return dataclasses.replace(config, views=8, fit=fit, **changes)  # type: ignore[arg-type]


def phantom() -> np.ndarray:
    """A body of water with a lung, a cage of slanting ribs and a slanted vessel, all within reach of thick slices."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
    hu = np.full(SHAPE, -1000.0)
    hu[y**2 + x**2 < 0.8] = 40
    hu[(y**2 + (x - 0.3) ** 2 < 0.15)] = -850
    hu[(np.abs(np.sqrt(y**2 + x**2) - 0.8) < 0.06) & (np.sin(5 * z + 3 * x) > 0)] = 700
    hu[(y - 0.2 * z) ** 2 + (x - 0.3 - 0.2 * z) ** 2 < 0.01] = 60
    return hu.astype(np.float32)


def measured(noise_hu: float) -> Volume:
    """Slices of the phantom averaged by `FACTOR`, with noise."""
    thick = phantom().reshape(-1, FACTOR, *SHAPE[1:]).mean(axis=1)
    noise = np.random.default_rng(0).normal(0, noise_hu, thick.shape)
    return Volume((thick + noise).astype(np.float32), Geometry(thick.shape, (10.0, 1.0, 1.0)))


def rmse(hu: np.ndarray) -> float:
    return float(np.sqrt(np.mean((hu - phantom()) ** 2)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def reported() -> dict[str, list[float]]:
    """The fractions that the progress callback of `outcome` was called with, by stage."""
    return {}


@pytest.fixture(scope="module")
def outcome(folder: Path, reported: dict[str, list[float]]) -> Result:
    def progress(stage: str, fraction: float, note: str = "") -> None:
        reported.setdefault(stage, []).append(fraction)

    return super_resolve(measured(15), small(), device=CPU, progress=progress, folder=folder)


@pytest.mark.usefixtures("outcome")
def test_each_stage_reports_its_end_once(reported: dict[str, list[float]]) -> None:
    assert list(reported) == list(stages.RUNNERS)
    assert all(fractions == sorted(fractions) for fractions in reported.values())
    assert {stage: fractions.count(1.0) for stage, fractions in reported.items()} == dict.fromkeys(
        reported, 1
    )


def test_it_is_closer_to_the_truth_than_cubic_interpolation(outcome: Result) -> None:
    cubic = upsample_cubic(torch.from_numpy(measured(15).hu), SHAPE).numpy()
    assert rmse(outcome.volume.hu) < 0.95 * rmse(cubic)


def test_degraded_again_it_agrees_with_the_input_within_the_noise(outcome: Result) -> None:
    again = outcome.volume.hu.reshape(-1, FACTOR, *SHAPE[1:]).mean(axis=1)
    source = np.maximum(measured(15).hu, LOWEST_HU)
    difference = float(np.sqrt(np.mean((again - source) ** 2)))
    assert difference == pytest.approx(outcome.report["lr_consistency_rmse_hu"], rel=1e-3)
    assert difference < 1.2 * 15


def test_the_report_has_what_every_object_must_say(outcome: Result) -> None:
    assert outcome.report["noise_hu"] == pytest.approx(15, rel=0.3)
    assert len(outcome.report["config_hash"]) == len(outcome.report["model_hash"]) == 64
    assert all(outcome.report["stages"][s]["seconds"] > 0 for s in ("stage1", "stage2", "consistency"))


def test_the_report_says_what_the_null_space_moved_in_each_tissue(outcome: Result) -> None:
    moved = outcome.report["null_space_rms_hu_by_tissue"]
    cubic = upsample_cubic(torch.from_numpy(np.maximum(measured(15).hu, LOWEST_HU)), SHAPE).numpy()
    added = (outcome.volume.hu - cubic).reshape(-1, FACTOR, *SHAPE[1:])
    unseen = (added - added.mean(axis=1, keepdims=True)).reshape(SHAPE)  # slices measure means of four
    for tissue, (low, high) in {
        "lung": (-950, -500),
        "soft tissue": (-150, 200),
        "bone": (300, 3071),
    }.items():
        inside = (outcome.volume.hu >= low) & (outcome.volume.hu <= high)
        assert moved[tissue] == pytest.approx(float(np.sqrt(np.mean(unseen[inside] ** 2))), rel=1e-3)
    assert "deviation_rms_hu_by_tissue" not in outcome.report  # a single sample deviates from nothing


def test_the_field_is_kept_and_gives_the_residual_again(folder: Path, outcome: Result) -> None:
    assert outcome.field.grid == outcome.volume.geometry
    residual = Checkpoints(folder).residual_hu
    torch.testing.assert_close(outcome.field.on(outcome.field.grid), residual, atol=1e-3, rtol=0)
    assert float(residual.abs().max()) > 1


def test_the_intervals_hold_about_as_much_of_the_truth_as_they_say(outcome: Result) -> None:
    """About: no prior and no calibration ever saw a phantom."""
    assert outcome.interval is not None
    assert outcome.interval.geometry == outcome.volume.geometry
    held = np.abs(outcome.volume.hu - phantom()) <= outcome.interval.hu
    assert 0.75 < held.mean() < 0.99
    by_tissue = outcome.report["interval_rms_hu_by_tissue"]
    assert set(by_tissue) == set(outcome.report["null_space_rms_hu_by_tissue"])
    assert outcome.report["interval_level"] == 0.9
    assert outcome.report["interval_coverage"].startswith(
        "calibrated on 3 CT(s) to hold 90 % of the truth; each"
    )


def test_a_single_sample_has_no_deviation(outcome: Result) -> None:
    assert outcome.deviation is None


def test_the_extent_and_centre_of_the_volume_stay(outcome: Result) -> None:
    before, after = measured(15).geometry, outcome.volume.geometry
    assert np.allclose(np.multiply(before.shape, before.spacing), np.multiply(after.shape, after.spacing))
    middle = [tuple((n - 1) / 2 for n in g.shape) for g in (before, after)]
    assert before.position(middle[0]) == pytest.approx(after.position(middle[1]))


def test_the_same_seed_gives_the_same_bits_in_memory_and_in_a_folder(outcome: Result) -> None:
    again = super_resolve(measured(15), small(), device=CPU)
    assert np.array_equal(again.volume.hu, outcome.volume.hu)
    for name, tensor in outcome.field.gaussians.tensors.items():
        assert torch.equal(again.field.gaussians.tensors[name], tensor)
    without_times = [{k: v for k, v in r.report.items() if k != "stages"} for r in (again, outcome)]
    assert without_times[0] == without_times[1]


def test_one_stage_after_another_is_a_run(outcome: Result) -> None:
    config = small()
    problem = pose(measured(15), config, CPU)
    base_hu = base_volume(problem, config)
    given = base_hu.clone()
    stage1 = refine(problem, base_hu, load_prior(config.prior, CPU), config)
    field = field_of(problem.model, base_hu, stage1.hu, stage1.projections, config)
    hu = combined(base_hu, field.on(problem.model.hr), stage1.hu, config)
    before = hu.clone()
    assert torch.equal(consistent_volume(problem, hu, config), torch.from_numpy(outcome.volume.hu))
    assert torch.equal(base_hu, given)  # no function changes what it is given
    assert torch.equal(hu, before)


def test_an_interrupted_run_is_taken_up_where_it_stopped(outcome: Result, tmp_path: Path) -> None:
    def interrupt(stage: str, fraction: float, note: str = "") -> None:
        if stage == "stage2":
            raise Cancelled("stopped by the test")

    with pytest.raises(Cancelled):
        super_resolve(measured(15), small(), device=CPU, progress=interrupt, folder=tmp_path)
    first = (tmp_path / "refined.npz").stat().st_mtime_ns
    again = super_resolve(measured(15), small(), device=CPU, folder=tmp_path)
    assert (tmp_path / "refined.npz").stat().st_mtime_ns == first
    assert np.array_equal(again.volume.hu, outcome.volume.hu)


def test_a_stage_without_its_input_says_so(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.keep_source(measured(15))
    with pytest.raises(UnreadableFile, match=r"base\.npz of this run is missing"):
        stages.run_stage2(checkpoints, small(), CPU, silent)


def test_several_samples_give_an_uncertainty() -> None:
    config = small()
    several = dataclasses.replace(config, sampling=dataclasses.replace(config.sampling, samples=2))
    made = Checkpoints()
    made.keep_source(measured(15))
    stages.run_stage1(made, several, CPU, silent)
    of_volume = made.deviation
    assert of_volume is not None
    assert of_volume.geometry == measured(15).geometry.resampled(SHAPE)
    assert of_volume.hu.min() >= 0
    assert of_volume.hu.mean() > 0
    # The last stage only needs something to finish with.
    made.keep_stage2(PlacedField(one_gaussian(), of_volume.geometry), torch.zeros(SHAPE))
    made.mark_done("stage2", Cost())
    stages.run_consistency(made, several, CPU, silent)
    by_tissue = made.report["deviation_rms_hu_by_tissue"]
    shown = made.result.hu
    bone = of_volume.hu[(shown >= 300) & (shown <= 3071)]
    assert by_tissue["bone"] == pytest.approx(float(np.sqrt(np.mean(bone**2))), rel=1e-5)


def one_gaussian() -> SignedGaussians:
    return SignedGaussians(
        torch.zeros(1, 3), torch.zeros(1, 3), torch.ones(1, 4), torch.tensor([-0.1]), torch.tensor(0.3)
    )


def test_a_run_may_name_the_prior_of_xrays_which_makes_no_volume() -> None:
    made = Checkpoints()
    made.keep_source(measured(15))
    told: list[float] = []
    stages.run_stage1(made, small(prior=weights.XRAY), CPU, lambda fraction, note="": told.append(fraction))
    assert torch.isfinite(made.projections.mean).all()
    assert not made.projections.deviation.any()
    assert (made.refined_hu, made.deviation) == (None, None)
    stages.run_stage2(made, small(prior=weights.XRAY), CPU, silent)
    assert float(made.residual_hu.abs().max()) > 1  # fitted to its projections
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1)


def test_the_figures_are_of_what_can_be_written(folder: Path, outcome: Result, tmp_path: Path) -> None:
    again = Path(shutil.copytree(folder, tmp_path / "again"))
    (again / "consistency.done.json").unlink()
    made = Checkpoints(again)
    problem = pose(measured(15), small(), CPU)
    too_high = torch.from_numpy(outcome.volume.hu.copy())
    too_high[4:8, 20, 20] = 2 * HIGHEST_HU
    stages.run_consistency(made, small(), CPU, silent, finish=lambda *_: too_high)
    written = torch.from_numpy(made.result.hu)
    assert written.max() == HIGHEST_HU
    missed = residual(written, problem.lr_hu, problem.model.volume_op).square().mean().sqrt()
    assert made.report["lr_consistency_rmse_hu"] == pytest.approx(float(missed), rel=1e-3)

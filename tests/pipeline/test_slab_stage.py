"""Stage 1 with the slab prior: it may paint what it likes, and keeps only what the measurement allows."""

import dataclasses

import pytest
import torch
from torch import Tensor

from nullsplat.core.errors import ConfigurationError
from nullsplat.core.progress import Progress, silent
from nullsplat.core.volume import Geometry
from nullsplat.pipeline.config import PipelineConfig, configure
from nullsplat.pipeline.forward_model import ForwardModel, forward_model
from nullsplat.pipeline.problem import Problem
from nullsplat.pipeline.refine import refine
from nullsplat.pipeline.slab_stage import Refined, SlabStage
from nullsplat.pipeline.stage1 import MeasuredProjections, measured_projections
from nullsplat.prior.slab_sampling import SlabSampling
from nullsplat.prior.task import Refinement, Task

THICK, ALL = (4.0, 1.0, 1.0), (2.0, 2.0, 2.0)
LR = {THICK: Geometry((4, 20, 20), (8.0, 2.0, 2.0)), ALL: Geometry((8, 10, 10), (4.0, 4.0, 4.0))}
SCALES = pytest.mark.parametrize("scale", [THICK, ALL], ids=["thick slices", "all axes"])


class Painter:
    """A prior that is sure of structures that are not there, and blind to one that is."""

    def __init__(
        self, painted_hu: Tensor, scatter_hu: float = 0.0, half_width_hu: Tensor | None = None
    ) -> None:
        self._painted_hu, self._scatter_hu, self._half_width_hu = painted_hu, scatter_hu, half_width_hu
        self._tasks: list[Task] = []
        self.seeds: list[int | None] = []

    def refine_volume(
        self,
        base_hu: Tensor,
        cubic_hu: Tensor,
        task: Task,
        config: SlabSampling,
        seed: int | None = None,
        progress: Progress = silent,
    ) -> Refinement:
        self._tasks.append(task)
        self.seeds.append(seed)
        progress(1.0)
        return Refinement(base_hu + self._painted_hu + self._drawn(base_hu, seed), self._half_width_hu)

    def _drawn(self, like: Tensor, seed: int | None) -> Tensor:
        if seed is None:
            return torch.zeros_like(like)
        return self._scatter_hu * torch.randn(like.shape, generator=torch.Generator().manual_seed(seed))


@dataclasses.dataclass
class Scene:
    """A body with a vessel, and a prior that adds a ball of 500 HU and takes the vessel away."""

    scale: tuple[float, float, float]
    noise_hu: float = 0.0
    samples: int = 1
    preset: str = "preview"

    def __post_init__(self) -> None:
        self.config: PipelineConfig = dataclasses.replace(
            configure(self.scale, self.preset, samples=self.samples), views=6
        )
        self.model: ForwardModel = forward_model(LR[self.scale], self.config)
        z, y, x = torch.meshgrid(*(torch.linspace(-1, 1, n) for n in self.model.hr.shape), indexing="ij")
        body = 60 * torch.cos(z) * torch.cos(y) + 20 * x  # nowhere saturated
        vessel = 300 * (((y - 0.3 * z) ** 2 + (x - 0.3) ** 2) < 0.03)
        self.ball = 500 * ((z**2 + (y + 0.4) ** 2 + (x + 0.4) ** 2) < 0.12).float()
        self.painted = self.ball - vessel
        clean = self.model.volume_op.forward(body + vessel)
        self.lr_hu = clean + self.noise_hu * torch.randn(
            clean.shape, generator=torch.Generator().manual_seed(0)
        )
        self.base_hu = self.model.volume_op.pinv(self.lr_hu)
        self.problem = Problem(self.lr_hu, self.model, self.noise_hu)
        self.stage = SlabStage(self.problem, self.base_hu, self.config)

    def misfit(self, hu: Tensor) -> Tensor:
        return self.model.volume_op.forward(hu) - self.lr_hu

    def refine(self, painter: Painter, progress: Progress = silent) -> Refined:
        return self.stage.run(painter, progress)

    def measured(self) -> MeasuredProjections:
        return measured_projections(self.problem)


def test_what_is_no_prior_is_refused_by_name() -> None:
    scene = Scene(THICK)
    with pytest.raises(ConfigurationError, match="a prior needs refine_volume, Tensor has none"):
        refine.__wrapped__(scene.problem, scene.base_hu, scene.base_hu, scene.config)


@SCALES
@pytest.mark.parametrize("samples", [1, 3])
def test_without_noise_the_measurement_excludes_whatever_the_prior_paints(
    scale: tuple[float, float, float], samples: int
) -> None:
    scene = Scene(scale, samples=samples)
    refined = scene.refine(Painter(scene.painted, scatter_hu=50))
    assert float(scene.model.volume_op.forward(scene.painted).abs().max()) > 250  # it would be seen
    assert float(scene.misfit(refined.hu).abs().max()) < 1e-3
    assert float((refined.hu - scene.base_hu).abs().max()) > 10  # what cannot be seen is the prior's


@SCALES
@pytest.mark.parametrize("samples", [1, 3])
def test_the_sharp_preset_hands_on_a_sample_that_the_measurement_allows_beside_the_same_mean(
    scale: tuple[float, float, float], samples: int
) -> None:
    found, fractions = {}, []
    for preset in ("preview", "sharp"):
        scene = Scene(scale, samples=samples, preset=preset)
        painter = Painter(scene.painted, scatter_hu=50)
        found[preset] = scene.refine(painter, lambda fraction, note="": fractions.append(fraction))
        assert len(painter.seeds) == len(set(painter.seeds)) == samples + (preset == "sharp" and samples == 1)
    assert torch.equal(found["sharp"].hu, found["preview"].hu)
    assert found["sharp"].contradicted_share == found["preview"].contradicted_share
    assert found["preview"].sample_hu is None
    drawn = found["sharp"].sample_hu
    assert drawn is not None
    assert float(scene.misfit(drawn).abs().max()) < 1e-3
    assert float((drawn - found["sharp"].hu).abs().max()) > 10
    assert fractions[-1] == 1.0


def test_a_sample_is_asked_of_no_prior_that_draws_none() -> None:
    scene = Scene(THICK, preset="sharp")
    with pytest.raises(ConfigurationError, match="the preset sharp shows a sample of a prior of slabs"):
        refine(scene.problem, scene.base_hu, None, scene.config)


@SCALES
def test_what_is_painted_onto_a_noisy_measurement_stays_within_its_noise(
    scale: tuple[float, float, float],
) -> None:
    noise_hu = 10.0
    scene = Scene(scale, noise_hu=noise_hu)
    refined = scene.refine(Painter(scene.painted))
    misfit, painted = scene.misfit(refined.hu), scene.model.volume_op.forward(scene.painted)
    assert float(misfit.square().mean().sqrt()) < noise_hu
    where = scene.model.volume_op.forward(scene.ball) > 100
    assert float(painted[where].mean()) > 15 * noise_hu
    assert abs(float(misfit[where].mean())) < noise_hu


@SCALES
def test_what_the_measurement_cannot_see_is_the_priors(scale: tuple[float, float, float]) -> None:
    scene = Scene(scale)
    op = scene.model.volume_op
    hidden = torch.randn(op.hr_shape)
    hidden = 30 * (hidden - op.pinv(op.forward(hidden)))
    refined = scene.refine(Painter(hidden))
    torch.testing.assert_close(refined.hu, scene.base_hu + hidden, atol=1e-2, rtol=1e-5)


def test_nothing_lies_below_the_level_where_the_measurement_saturates() -> None:
    scene = Scene(THICK)
    lr_hu = scene.lr_hu.clone()
    lr_hu[:, :6] = -512
    stage = SlabStage(Problem(lr_hu, scene.model, 0.0), scene.base_hu, scene.config)
    refined = stage.run(Painter(-scene.ball))
    assert float(refined.hu.min()) == pytest.approx(-512, abs=0.1)


def test_several_samples_have_a_deviation_and_a_single_one_has_none_and_no_seed() -> None:
    one, several = Scene(ALL), Scene(ALL, samples=4)
    hidden = Painter(torch.zeros(one.model.hr.shape), scatter_hu=50)
    found = one.refine(hidden)
    assert float(found.deviation_hu.abs().max()) == 0
    assert set(hidden.seeds) == {None}
    hidden.seeds.clear()
    found = several.refine(hidden)
    # of 50 HU, what an operator that sees one voxel in eight leaves
    assert 0.7 * 50 < float(found.deviation_hu.square().mean().sqrt()) < 50
    assert len(set(hidden.seeds)) == 4
    assert None not in hidden.seeds


def test_mean_and_deviation_are_those_of_the_single_samples() -> None:
    scene = Scene(ALL, samples=3)
    painter = Painter(scene.painted, scatter_hu=50)
    refined = scene.refine(painter)
    drawn = [scene.base_hu + scene.painted + painter._drawn(scene.base_hu, seed) for seed in painter.seeds]
    samples = torch.stack([hu - scene.model.volume_op.pinv(scene.misfit(hu)) for hu in drawn])
    torch.testing.assert_close(refined.hu, samples.mean(0), atol=1e-2, rtol=1e-4)
    torch.testing.assert_close(refined.deviation_hu, samples.std(0), atol=1e-2, rtol=1e-4)


@SCALES
def test_the_prior_is_told_what_was_measured(scale: tuple[float, float, float]) -> None:
    scene = Scene(scale, noise_hu=10.0)
    painter = Painter(torch.zeros(scene.model.hr.shape))
    scene.refine(painter)
    assert painter._tasks == [Task(scene.model.volume_op, scene.model.hr.spacing, 10.0)]
    assert painter._tasks[0].thick == (scale == THICK)


@SCALES
def test_measured_projections_are_those_of_the_measured_volume(scale: tuple[float, float, float]) -> None:
    scene = Scene(scale)
    measured = scene.measured()
    seen = measured.model.project_lr((scene.lr_hu + 1000) * 0.0192 / 1000)
    torch.testing.assert_close(
        measured.normalisation.decode(measured.measurement.y), seen, atol=1e-4, rtol=1e-4
    )
    lines = measured.model.project_hr((scene.base_hu + 1000) * 0.0192 / 1000)
    decoded = measured.decoded(measured.encoded(scene.base_hu), torch.ones_like(lines))
    torch.testing.assert_close(decoded.mean, lines, atol=1e-4, rtol=1e-4)
    one = measured.normalisation.decode(torch.ones(1)) - measured.normalisation.decode(torch.zeros(1))
    torch.testing.assert_close(decoded.deviation, one.expand_as(lines))


@SCALES
def test_what_a_clipped_scan_shows_as_air_is_nothing_to_a_prior_of_x_rays(
    scale: tuple[float, float, float],
) -> None:
    scene = Scene(scale)
    clipped = scene.lr_hu.clone()
    clipped[:, :3] = -300
    seen = measured_projections(dataclasses.replace(scene.problem, lr_hu=clipped))
    expected = measured_projections(dataclasses.replace(scene.problem, lr_hu=clipped - 700))
    assert seen.empty_hu == pytest.approx(-300, abs=0.1)
    torch.testing.assert_close(seen.measurement.y, expected.measurement.y, atol=1e-4, rtol=1e-4)
    lines = seen.model.project_hr((scene.base_hu + 1000) * 0.0192 / 1000)
    encoded = seen.encoded(scene.base_hu)
    decoded = seen.decoded(encoded, torch.ones_like(lines))
    torch.testing.assert_close(decoded.mean, lines, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(seen.encoded_lines(decoded.mean), encoded, atol=1e-4, rtol=1e-4)


@SCALES
def test_degrading_undegrading_and_degrading_projections_is_degrading(
    scale: tuple[float, float, float],
) -> None:
    """A A^+ A = A and (A^+ A)^2 = A^+ A, also for a detector that was narrowed."""
    model = Scene(scale).measured().model.with_columns(15)
    op = model.projection_op
    p = torch.randn(2, *op.hr_shape, dtype=torch.float64)
    seen = op.pinv(op.forward(p))
    torch.testing.assert_close(op.forward(seen), op.forward(p), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(op.pinv(op.forward(seen)), seen, rtol=1e-9, atol=1e-9)


def test_progress_rises_to_one_over_all_samples() -> None:
    scene, told = Scene(ALL, samples=4), []
    painter = Painter(scene.painted)
    scene.refine(painter, lambda fraction, note="": told.append(fraction))
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1)
    assert {0.25, 0.5, 0.75} <= {round(fraction, 6) for fraction in told}


def test_a_prior_is_contradicted_where_the_measurement_moves_its_answer_out_of_its_own_interval() -> None:
    scene = Scene(ALL)
    sure, seen = torch.full_like(scene.painted, 1.0), torch.ones_like(scene.painted)
    seen[:, :, :4] = 0  # the prior did not look
    kept = scene.refine(Painter(scene.painted)).hu
    moved = (kept - scene.base_hu - scene.painted).abs()
    for half_width in (sure, 200 * sure, sure * seen):
        looked = half_width > 0
        expected = float(((moved > half_width) & looked).sum()) / float(looked.sum())
        found = scene.refine(Painter(scene.painted, half_width_hu=half_width)).contradicted_share
        assert found == pytest.approx(expected)
    assert scene.refine(Painter(scene.painted, half_width_hu=1e4 * sure)).contradicted_share == 0
    assert scene.refine(Painter(torch.zeros_like(sure), half_width_hu=sure)).contradicted_share == 0


def test_nothing_is_known_of_contradiction_without_intervals_or_of_samples_that_lie_apart() -> None:
    scene, sampled = Scene(ALL), Scene(ALL, samples=2)
    half_width = torch.ones_like(scene.painted)
    assert scene.refine(Painter(scene.painted)).contradicted_share is None
    assert scene.refine(Painter(scene.painted, half_width_hu=0 * half_width)).contradicted_share is None
    several = sampled.refine(Painter(scene.painted, scatter_hu=50, half_width_hu=half_width))
    assert several.contradicted_share is None

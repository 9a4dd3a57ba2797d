"""What a prior's training showed it, in the figures of `prior.series_figures`.

Series are drawn from the CTs that trained it, exactly as its training drew them, and go through stage 1 as any series does.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch

from nullsplat.core.seeds import numpy_generator
from nullsplat.core.volume import Geometry, Volume
from nullsplat.evaluation.data.subject import Subject
from nullsplat.physics.point_spread import PointSpread
from nullsplat.physics.profile import Profile, Resolution
from nullsplat.pipeline.base_volume import base_volume
from nullsplat.pipeline.config import PipelineConfig, configure
from nullsplat.pipeline.problem import pose
from nullsplat.pipeline.slab_stage import SlabStage, VolumePrior
from nullsplat.prior.block.pairs import Drawn, draw
from nullsplat.prior.series_figures import Figures, series_figures

LARGEST = (64, 96, 96)
"""Voxels of a drawn series' truth along (z, y, x): enough for a figure, little enough for a hundred of them."""

ODD = 0.02
"""Of the series that training draws, crops with next to no structure are odder than all that a scanner delivers."""

ROOM = {"wanted_slice_mm": (2.0, 0.0), "wanted_pixel_mm": (2.0, 0.0), "metal_share": (1.0, 1e-5)}
"""What is still familiar: so many times as much as was drawn, and so much more. Of sizes it is one step of the scale on which
the network is told them, of metal one voxel in 100 000."""

USUAL_ROOM = (1.25, 0.0)
"""Of all other figures: extremes of a hundred series are not those of all that training drew."""


def drawn_figures(subject: Subject, number: int, prior: VolumePrior, seed: int = 0) -> Figures:
    """The figures of one series drawn from a CT.

    Args:
        subject: a CT that trained the prior.
        number: of the draw.
        prior: on the CPU.
        seed: with name and number, decides everything random.
    """
    generator = numpy_generator(seed, subject.name, "training range", number)
    drawn = _takable(subject.volume, generator)
    config = _config(drawn)
    problem = pose(_measured(drawn), config, torch.device("cpu"))
    answer = SlabStage(problem, base_volume(problem, config), config).answer(prior)
    return series_figures(problem.lr_hu.numpy(), problem.task, answer.contradicted_share)


def _takable(volume: Volume, generator: np.random.Generator) -> Drawn:
    """The next draw that a run would take: training also refines oblong pixels, which runs refuse."""
    while True:
        drawn = draw(volume, generator, LARGEST)
        if drawn.factors[1] == 1 or math.isclose(drawn.spacing[1], drawn.spacing[2], rel_tol=1e-3):
            return drawn


def spans_of(found: Sequence[Figures]) -> dict[str, tuple[float, float]]:
    """The lowest and highest of each figure but for `ODD` of the series at either end, and the room that `ROOM` gives.

    Args:
        found: of all drawn series; at least one.
    """
    return {name: _span([one[name] for one in found], name) for name in found[0]}


def _span(values: list[float], name: str) -> tuple[float, float]:
    times, plus = ROOM.get(name, USUAL_ROOM)
    odd, ordered = round(ODD * len(values)), sorted(values)
    return ordered[odd] / times, ordered[-1 - odd] * times + plus


def _measured(drawn: Drawn) -> Volume:
    m, n, o = drawn.measured.shape
    dz, dy, dx = (d * s for d, s in zip(drawn.spacing, drawn.factors, strict=True))
    return Volume(drawn.measured.numpy(), Geometry((m, n, o), (dz, dy, dx)))


def _config(drawn: Drawn) -> PipelineConfig:
    across, in_plane, _ = drawn.assumed
    resolution = Resolution(across.width, _profile(across), _profile(in_plane))
    return configure(drawn.factors, resolution=resolution)


def _profile(spread: PointSpread) -> Profile:
    return Profile.parse(spread.kind)

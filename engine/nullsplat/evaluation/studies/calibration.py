"""How often a prior's intervals hold the truth, and the factors with which they hold it as often as they say.

The volume is the unit of exchangeability: voxels of one patient are no independent trials. Every volume counts alike, and
so does every degradation of it. What a run knows of a series, whether slices alone are refined and how noisy it is, gives each
its own factors: the bound holds for each of them, as it does for each group of voxels. Between levels of noise it is a good guess.

Source: conformal risk control (Angelopoulos et al. 2024, arXiv 2208.02814) with the share of missed voxels as the risk; over
tissue classes as in arXiv 2503.00136.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from nullsplat.core.errors import ConfigurationError
from nullsplat.core.progress import Progress, part, silent
from nullsplat.core.volume import Geometry, Volume
from nullsplat.evaluation.data.degrade import Protocol, crop_to_blocks, degrade
from nullsplat.evaluation.data.subject import Subject
from nullsplat.evaluation.methods.known import known_of
from nullsplat.pipeline.checkpoints import Checkpoints
from nullsplat.pipeline.config import configure
from nullsplat.pipeline.stages import RUNNERS
from nullsplat.prior.calibration import (
    ALL_AXES,
    GROUPS,
    LEVEL,
    REFINED,
    SLICES_ALONE,
    UNSEEN,
    Factors,
    NoiseLevel,
    factors_at,
    members,
)

_EDGES = np.concatenate([[0.0], np.geomspace(1e-3, 1e4, 1401), [np.inf]])
"""Of the bins that errors are counted in, 1.2 % wide: relative to the half width stated, or in HU where none is."""

LEAST = 500
"""Voxels of a group in a volume below which they say nothing of it."""

Counts = Mapping[str, Float[ndarray, " bins"]]
Levels = Mapping[str, Sequence[NoiseLevel]]
"""For each of `REFINED`, see `prior.calibration.Calibration`."""


@dataclass(frozen=True)
class Observed:
    """One degraded volume, super-resolved, whose truth is known.

    Attributes:
        volume: its name.
        how: the degradation.
        slice_mm: of the truth, see `Subject`.
        noise_hu: of the degraded volume, as the run estimated it.
        counts: of `GROUPS`, voxels by their error.
        width_hu: of `GROUPS`, the mean half width stated.
    """

    volume: str
    how: Protocol
    slice_mm: float | None
    noise_hu: float
    counts: Counts
    width_hu: Mapping[str, float]

    @property
    def protocol(self) -> str:
        """How the truth was made and degraded, in a few letters."""
        return self.how.name if self.slice_mm is None else f"{self.how.name} of {self.slice_mm:g} mm"

    @property
    def refined(self) -> str:
        """Which of `REFINED`."""
        return ALL_AXES if self.how.all_axes else SLICES_ALONE

    def factors(self, levels: Levels) -> Factors:
        """Those that hold for a series of its kind and noise."""
        return factors_at(self.noise_hu, levels[self.refined])


def observe(
    subject: Subject,
    how: Protocol,
    prior: str,
    device: torch.device,
    seed: int = 0,
    progress: Progress = silent,
) -> Observed:
    """Degrade a volume, have `preview` super-resolve it, and count by how much its voxels miss the truth.

    Args:
        subject: the truth; not clipped, as no scanner's is.
        how: the degradation.
        prior: a packaged name or a folder.
        device: where to compute.
        seed: of the noise.
        progress: callback.

    Raises:
        ConfigurationError: the prior states no intervals.
    """
    truth = np.ascontiguousarray(crop_to_blocks(subject.volume.hu, how), dtype=np.float32)
    low = degrade(truth, how, seed).astype(np.float32)
    dz, dy, dx = (d * s for d, s in zip(subject.volume.geometry.spacing, how.scale, strict=True))
    measured = Volume(low, Geometry(low.shape, (dz, dy, dx)))
    config = replace(configure(how.scale, resolution=known_of(how).resolution), prior=prior).for_volume(
        measured
    )
    made = Checkpoints()
    made.keep_source(measured)
    for i, run in enumerate(RUNNERS.values()):
        run(made, config, device, part(progress, i / len(RUNNERS), (i + 1) / len(RUNNERS)))
    stated_hu = made.stated_hu
    if stated_hu is None:
        raise ConfigurationError(
            f"a prior of blocks of slabs was needed, which states intervals; {prior} states none"
        )
    hu = torch.from_numpy(made.result.hu)
    counts = counted(hu, stated_hu, torch.from_numpy(truth))
    return Observed(subject.name, how, subject.slice_mm, made.facts.noise_hu, *counts)


def counted(
    hu: Float[Tensor, "z y x"], stated_hu: Float[Tensor, "z y x"], truth: Float[Tensor, "z y x"]
) -> tuple[Counts, dict[str, float]]:
    """Voxels of each of `GROUPS` by their error, and the mean half width stated.

    Args:
        hu: the result.
        stated_hu: half widths as the prior states them.
        truth: in HU.
    """
    counts = {group: np.zeros(len(_EDGES) - 1) for group in GROUPS}
    widths = dict.fromkeys(GROUPS, 0.0)
    for slab, group, chosen in members(hu, stated_hu):
        stated = stated_hu[slab][chosen]
        errors = (hu[slab][chosen] - truth[slab][chosen]).abs()
        counts[group] += np.histogram((errors if group == UNSEEN else errors / stated).numpy(), _EDGES)[0]
        widths[group] += float(stated.double().sum())
    return counts, {group: widths[group] / max(counts[group].sum(), 1) for group in GROUPS}


def levels_of(observed: Sequence[Observed]) -> dict[str, list[NoiseLevel]]:
    """Factors with which the intervals hold `LEVEL` of the truth, in the mean over volumes: for what is refined, and each noise added.

    A group that no volume shows takes the largest factor of the others, and outside of the body the widest interval; what
    was never refined takes the factors of what was.
    """
    found = _found(observed, complete=True)
    return {refined: found.get(refined) or next(iter(found.values())) for refined in REFINED}


def left_out(observed: Sequence[Observed]) -> dict[str, dict[str, list[NoiseLevel]]]:
    """For each volume the factors of all the others, without groups that these do not show; nothing for a single one."""
    names = sorted({one.volume for one in observed})
    others = {name: [one for one in observed if one.volume != name] for name in names}
    return {name: _found(rest, complete=False) for name, rest in others.items() if rest}


def shares_held(observed: Sequence[Observed], levels: Mapping[str, Levels]) -> dict[str, float]:
    """Of each volume the share that is held by the factors given for it, in the mean over its degradations."""
    shares = {name: [held(one, one.factors(levels[name]), GROUPS) for one in observed if one.volume == name]
              for name in levels}  # fmt: skip
    return {
        name: float(np.mean([share for share in found if share is not None]))
        for name, found in shares.items()
    }


def held(one: Observed, factors: Factors, groups: Iterable[str]) -> float | None:
    """The share of the voxels of some groups whose interval holds the truth; None where there are too few."""
    inside = total = 0.0
    for group in factors.keys() & set(groups):
        cumulated = np.concatenate([[0.0], np.cumsum(one.counts[group])])
        inside += float(np.interp(factors[group], _EDGES[:-1], cumulated[:-1]))
        total += float(cumulated[-1])
    return inside / total if total >= LEAST else None


def width_hu(one: Observed, factors: Factors, groups: Iterable[str]) -> float:
    """The mean half width in HU of the intervals of some groups."""
    voxels = {group: float(one.counts[group].sum()) for group in factors.keys() & set(groups)}
    widths = {group: _half_width_hu(one, group, factors[group]) for group in voxels}
    return sum(voxels[g] * widths[g] for g in voxels) / max(sum(voxels.values()), 1.0)


def bound(volumes: int) -> float:
    """The least share that is held on average of a further volume, were it drawn as these were."""
    return LEVEL * volumes / (volumes + 1)


def _found(observed: Sequence[Observed], *, complete: bool) -> dict[str, list[NoiseLevel]]:
    alike: dict[str, dict[float, list[Observed]]] = {}
    for one in observed:
        alike.setdefault(one.refined, {}).setdefault(one.how.noise_hu, []).append(one)
    return {
        refined: [_noise_level(same, complete=complete) for _, same in sorted(by_noise.items())]
        for refined, by_noise in alike.items()
    }


def _noise_level(observed: Sequence[Observed], *, complete: bool) -> NoiseLevel:
    found = {group: _quantile(_mean_over_volumes(observed, group)) for group in GROUPS}
    known = {group: factor for group, factor in found.items() if factor is not None}
    noise_hu = float(np.mean([one.noise_hu for one in observed]))
    return NoiseLevel(noise_hu, {**_unknown(observed, known), **known} if complete else known)


def _unknown(observed: Sequence[Observed], known: Factors) -> dict[str, float]:
    """For all groups what is assumed of those that no volume shows."""
    seen = known.keys() - {UNSEEN}
    widest_hu = max(
        (_half_width_hu(one, group, known[group]) for one in observed for group in seen), default=0.0
    )
    return {**dict.fromkeys(GROUPS, max((known[group] for group in seen), default=1.0)), UNSEEN: widest_hu}


def _half_width_hu(one: Observed, group: str, factor: float) -> float:
    return factor if group == UNSEEN else factor * one.width_hu[group]


def _mean_over_volumes(observed: Sequence[Observed], group: str) -> Float[ndarray, " bins"] | None:
    shares: dict[str, list[Float[ndarray, " bins"]]] = {}
    for one in observed:
        counts = one.counts[group]
        if counts.sum() >= LEAST:
            shares.setdefault(one.volume, []).append(counts / counts.sum())
    if not shares:
        return None
    mean: ndarray = np.mean([np.mean(cases, axis=0) for cases in shares.values()], axis=0)
    return mean


def _quantile(shares: Float[ndarray, " bins"] | None) -> float | None:
    if shares is None:
        return None
    return float(_EDGES[1 + int(np.searchsorted(np.cumsum(shares), LEVEL))])

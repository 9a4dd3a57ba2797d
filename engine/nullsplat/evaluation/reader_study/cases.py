"""The volumes of a reader study, made from truths: degraded, and reconstructed by each method."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from tempfile import TemporaryDirectory

import numpy as np
import torch

from nullsplat.core.console import StageProgress
from nullsplat.core.errors import ConfigurationError
from nullsplat.core.suggestion import did_you_mean
from nullsplat.core.units import LOWEST_HU
from nullsplat.core.volume import Volume
from nullsplat.evaluation.data.degrade import Protocol, crop_to_blocks, degrade
from nullsplat.evaluation.methods.baselines import BASELINES, reconstruct
from nullsplat.evaluation.methods.known import known_of
from nullsplat.pipeline.config import configure
from nullsplat.pipeline.presets import PRESETS
from nullsplat.pipeline.run import super_resolve

TRUTH = "truth"


@dataclass(frozen=True)
class Making:
    """How cases are made.

    Attributes:
        how: the degradation.
        methods: baselines, presets, and `truth`.
        device: the processor that computes.
        seed: of the noise and the engine.
        progress: told about the engine's stages.
    """

    how: Protocol
    methods: tuple[str, ...]
    device: torch.device
    seed: int
    progress: StageProgress

    def __post_init__(self) -> None:
        """Find out before the long work whether all methods are known.

        Raises:
            ConfigurationError: one is not.
        """
        known = (TRUTH, *BASELINES, *PRESETS)
        unknown = [method for method in self.methods if method not in known]
        if unknown:
            raise ConfigurationError(
                f"methods are {', '.join(known)}; got {', '.join(unknown)}" + did_you_mean(unknown[0], known)
            )


def make_cases(truths: Sequence[Callable[[], Volume]], making: Making) -> Iterator[dict[str, Volume]]:
    """For each truth, the volume of each method on the truth's grid; one case at a time.

    Args:
        truths: read one volume each, in HU.
        making: how.
    Raises:
        GeometryError: a truth is too small for the degradation.
        NullSplatError: the engine failed.
    """
    for read in truths:
        yield make_case(read(), making)


def make_case(volume: Volume, making: Making) -> dict[str, Volume]:
    """The volume of each method for one truth.

    Raises:
        GeometryError: the truth is too small for the degradation.
        NullSplatError: the engine failed.
    """
    hu = np.maximum(crop_to_blocks(volume.hu, making.how), np.float32(LOWEST_HU))
    truth = Volume(hu, replace(volume.geometry, shape=(hu.shape[0], hu.shape[1], hu.shape[2])))
    # In whole HU and not below air, as a scanner delivers it.
    low = np.rint(np.maximum(degrade(hu, making.how, making.seed), np.float32(LOWEST_HU)))
    measured = Volume(low, truth.geometry.resampled((low.shape[0], low.shape[1], low.shape[2])))
    made = {method: _made(method, truth, measured, making) for method in making.methods}
    # Rounding of the coarse grid and back must not give a method a grid of its own.
    return {method: Volume(volume.hu, truth.geometry) for method, volume in made.items()}


def _made(method: str, truth: Volume, measured: Volume, making: Making) -> Volume:
    if method == TRUTH:
        return truth
    if method in BASELINES:
        return Volume(reconstruct(method, measured.hu, known_of(making.how)), truth.geometry)
    config = configure(making.how.scale, method, seed=making.seed, resolution=known_of(making.how).resolution)
    with TemporaryDirectory(prefix="nullsplat-study-") as folder:  # takes less memory than to keep all
        return super_resolve(
            measured, config, device=making.device, progress=making.progress, folder=folder
        ).volume

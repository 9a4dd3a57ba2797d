"""Pairs on disk, so that a resumed run does not make them again and memory holds only what is looked at."""

import dataclasses
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int16
from numpy import ndarray

from nullsplat.core.errors import StorageError
from nullsplat.core.volume import Axes3
from nullsplat.prior.conditions import Conditions


@dataclass(frozen=True)
class Pair:
    """A truth and what is known of it without learning, on one grid; on disk, its arrays stay there until looked at.

    Attributes:
        volumes: truth, base, cubic interpolation, and the base refined in the first round; HU.
        samples: of the measured volume along (z, y, x).
        spread_hu: root mean square of truth minus base.
        conditions: what is asked.
        refined: whether it was; else the last volume is the base.
    """

    volumes: Int16[ndarray, "4 z y x"]
    samples: tuple[int, int, int]
    spread_hu: float
    conditions: Conditions
    refined: bool = False

    @property
    def thick(self) -> bool:
        """Whether only z was degraded."""
        return self.conditions.factors[1] == 1


def save_pair(pair: Pair, folder: Path) -> None:
    """Write a pair whole or not at all.

    Raises:
        StorageError: the disk is full.
    """
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    about = {
        "samples": pair.samples,
        "spread_hu": pair.spread_hu,
        "refined": pair.refined,
        **dataclasses.asdict(pair.conditions),
    }
    try:
        partial.mkdir(parents=True)
        np.save(partial / "volumes.npy", pair.volumes)
        (partial / "pair.json").write_text(json.dumps(about))
        partial.rename(folder)
    except OSError as error:
        raise StorageError(f"training pairs cannot be written to {folder.parent}: {error}") from error


def load_pair(folder: Path) -> Pair:
    """A pair that `save_pair` wrote."""
    about = json.loads((folder / "pair.json").read_text())
    m, n, o = about.pop("samples")
    spread = about.pop("spread_hu")
    factors, spreads, spacing = (_axes3(about[key]) for key in ("factors", "spreads", "spacing"))
    conditions = Conditions(factors, spreads, spacing, about["noise_hu"], about["unit_hu"])
    volumes = np.load(folder / "volumes.npy", mmap_mode="r")
    return Pair(volumes, (m, n, o), spread, conditions, about["refined"])


def _axes3(values: list[float]) -> Axes3:
    z, y, x = values
    return z, y, x

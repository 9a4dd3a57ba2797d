"""What the stages of a run hand on, so that a run can be taken up after any interruption."""

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.errors import ConfigurationError
from nullsplat.core.measure import Cost
from nullsplat.core.volume import Geometry, Volume
from nullsplat.pipeline.refine import Stage1
from nullsplat.pipeline.stage1 import Projections
from nullsplat.pipeline.store import FolderStore, MemoryStore, Store
from nullsplat.splat.field.placement import PlacedField

_OF_THE_SOURCE = ("source", "geometry", "remarks")
"""What does not depend on how the source is processed."""

VolumeHu = Float[Tensor, "z y x"]


@dataclass(frozen=True)
class Stage1Facts:
    """What stage 1 found, without its arrays.

    Attributes:
        noise_hu: standard deviation of the noise in the measured volume.
        columns: of the detector that its projections belong to; None where it made a volume, or nothing.
        steps: network evaluations per slab or view and sample.
        prior: what it worked on: slabs, projections, or none.
        profile_check: whether the data speak for the slice profile, see `physics.profile_check`.
        series: figures that say whether the prior knows its kind, see `prior.series_figures`.
    """

    noise_hu: float
    columns: int | None
    steps: int
    prior: str
    profile_check: dict[str, Any]
    series: dict[str, float]


class Checkpoints:
    """The source volume, what each stage made of it, and what each stage took.

    Reading what no stage has made yet raises UnreadableFile, writing to a full disk StorageError. What is read is on
    the CPU and must not be changed in place.
    """

    def __init__(self, folder: Path | str | None = None) -> None:
        """Keep files in a folder, which is made if it is not there; None keeps everything in memory."""
        self._folder = folder
        self.store: Store = MemoryStore() if folder is None else FolderStore(Path(folder))

    def claim(self, volume: Volume, run: str) -> None:
        """Make these the checkpoints of one source and one run, see `stages.identity`.

        Raises:
            ConfigurationError: they are of another run.
        """
        voxels = np.ascontiguousarray(volume.hu)  # hashed where it lies: bytes would be a copy of the volume
        mine = {"source_sha256": hashlib.sha256(voxels.data).hexdigest(), "run": run}
        if self.store.has_json("run") and self.store.load_json("run") != mine:
            raise ConfigurationError(
                f"{self._folder} holds a run of another source or with other settings; give an empty folder"
            )
        self.store.save_json("run", mine)

    def adopt(self, run: str) -> None:
        """Make these the checkpoints of a run, see `stages.identity`: what another left of its stages is thrown away."""
        if not self.is_of(run):
            self.store.save_json("identity", {})  # first, so that nothing counts any more
            self.store.keep_only((*_OF_THE_SOURCE, "identity"))
            self.store.save_json("identity", {"run": run})

    def is_of(self, run: str) -> bool:
        """Whether the stages that are done here are this run's."""
        return self.store.has_json("identity") and self.store.load_json("identity") == {"run": run}

    def is_done(self, stage: str) -> bool:
        """Whether a stage has finished."""
        return self.store.has_json(f"{stage}.done")

    def mark_done(self, stage: str, cost: Cost) -> None:
        """Say that a stage has finished, and what it took; after all that it made."""
        self.store.save_json(f"{stage}.done", dataclasses.asdict(cost))

    def cost(self, stage: str) -> dict[str, float]:
        """What a finished stage took: seconds, peak_memory_mib, peak_gpu_memory_mib."""
        return self.store.load_json(f"{stage}.done")

    def keep_source(self, volume: Volume) -> None:
        """Keep the measured volume."""
        self.store.save_arrays("source", {"hu": volume.hu})
        slices = {name: getattr(volume, name) for name in _SLICES}
        self.store.save_json("geometry", {**volume.geometry.to_dict(), **slices})

    def remark(self, remarks: Sequence[str]) -> None:
        """Keep what a reader of the report must know about the source."""
        self.store.save_json("remarks", {"source_remarks": "; ".join(remarks)} if remarks else {})

    @property
    def source(self) -> Volume:
        """The measured volume."""
        stored = self.store.load_json("geometry")
        slices = {name: stored[name] for name in _SLICES if name in stored}
        return Volume(self.store.load_array("source", "hu"), self.geometry, **slices)

    @property
    def geometry(self) -> Geometry:
        """The grid of the measured volume, without its voxels."""
        return Geometry.from_dict(self.store.load_json("geometry"))

    def keep_stage1(self, base_hu: VolumeHu, made: Stage1, facts: Stage1Facts) -> None:
        """Keep the base, what the prior made of it, and what was found of the measured volume."""
        self._save("base", hu=base_hu)
        self._save("refined", hu=made.hu)
        self._save("deviation", hu=made.deviation_hu)
        self._save("stated", hu=made.half_width_hu)
        self._save("drawn", hu=made.sample_hu)
        if (seen := made.projections) is not None:
            self._save("projections", mean=seen.mean, deviation=seen.deviation)
        self.store.save_json("stage1", dataclasses.asdict(facts))

    @property
    def facts(self) -> Stage1Facts:
        """What stage 1 found."""
        return Stage1Facts(**self.store.load_json("stage1"))

    @property
    def base_hu(self) -> VolumeHu:
        """The base volume."""
        return self._load("base")

    @property
    def refined_hu(self) -> VolumeHu | None:
        """Stage 1's volume; None where its prior makes none."""
        return self._load("refined") if self.store.has_arrays("refined") else None

    @property
    def deviation_hu(self) -> VolumeHu | None:
        """How far its samples differ; None where there is one sample, or the prior makes no volumes."""
        return self._load("deviation") if self.store.has_arrays("deviation") else None

    @property
    def stated_hu(self) -> VolumeHu | None:
        """Half widths of the intervals as the prior states them, see `prior.task.Refinement`; None where it knows none."""
        return self._load("stated") if self.store.has_arrays("stated") else None

    @property
    def drawn_hu(self) -> VolumeHu | None:
        """Stage 1's sample; None where none was asked for."""
        return self._load("drawn") if self.store.has_arrays("drawn") else None

    @property
    def projections(self) -> Projections | None:
        """What stage 1 made of projections; None where its prior makes volumes, or there is none."""
        columns = self.facts.columns
        if columns is None:
            return None
        mean, deviation = (self._load("projections", key) for key in ("mean", "deviation"))
        return Projections(mean, deviation, columns)

    def keep_stage2(self, field: PlacedField, residual_hu: VolumeHu) -> None:
        """Keep the field, and what it adds to the base."""
        self.store.save_field("field", field)
        self._save("residual", hu=residual_hu)

    @property
    def field(self) -> PlacedField:
        """What stage 2 fitted."""
        return self.store.load_field("field")

    @property
    def residual_hu(self) -> VolumeHu:
        """What the field adds to the base."""
        return self._load("residual")

    def keep_result(
        self, hu: VolumeHu, half_width_hu: VolumeHu | None = None, sample_hu: VolumeHu | None = None
    ) -> None:
        """Keep the super-resolved volume, its intervals and its sample; their geometry follows from the source's."""
        self._save("result", hu=hu)
        self._save("interval", hu=half_width_hu)
        self._save("sample", hu=sample_hu)

    @property
    def result(self) -> Volume:
        """The super-resolved volume."""
        return self._on_result_grid("result")

    @property
    def deviation(self) -> Volume | None:
        """Standard deviation in HU of stage 1's samples; None where there is one sample, or the prior makes no volumes."""
        return self._on_result_grid("deviation") if self.store.has_arrays("deviation") else None

    @property
    def interval(self) -> Volume | None:
        """Half width in HU of the interval that holds the truth in 90 % of voxels; None where nobody calibrated the prior."""
        return self._on_result_grid("interval") if self.store.has_arrays("interval") else None

    @property
    def sample(self) -> Volume | None:
        """A sample of the prior, consistent with the measurement, whose mean the result is; None where none was asked for."""
        return self._on_result_grid("sample") if self.store.has_arrays("sample") else None

    def keep_report(self, report: dict[str, Any]) -> None:
        """Keep the figures of the run."""
        self.store.save_json("report", report)

    @property
    def report(self) -> dict[str, Any]:
        """Figures of the run, and remarks on its source."""
        remarks = self.store.load_json("remarks") if self.store.has_json("remarks") else {}
        return {**self.store.load_json("report"), **remarks}

    def _save(self, name: str, **tensors: Float[Tensor, "..."] | None) -> None:
        there = {key: tensor.cpu().numpy() for key, tensor in tensors.items() if tensor is not None}
        if there:
            self.store.save_arrays(name, there)

    def _load(self, name: str, key: str = "hu") -> Float[Tensor, "..."]:
        return torch.from_numpy(self.store.load_array(name, key))

    def _on_result_grid(self, name: str) -> Volume:
        hu = self.store.load_array(name, "hu")
        return Volume(hu, self.geometry.resampled(hu.shape))


_SLICES = ("slice_thickness", "slice_profile", "profile_evidence")

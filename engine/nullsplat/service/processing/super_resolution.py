"""The real image processing behind the service: pipeline, prior and DICOM layer of this package."""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import numba
import torch

from nullsplat import __version__
from nullsplat.core.device import resolve_device
from nullsplat.core.progress import Progress
from nullsplat.dicom.provenance import Provenance, profile_in_words
from nullsplat.dicom.read.series import read_folder
from nullsplat.dicom.write.encoding import check_encoder
from nullsplat.physics.profile import AUTO, Profile, Resolution
from nullsplat.pipeline.checkpoints import Checkpoints
from nullsplat.pipeline.config import PipelineConfig, configure
from nullsplat.pipeline.presets import PRESETS
from nullsplat.pipeline.stages import RUNNERS, identity
from nullsplat.prior import weights
from nullsplat.service.processing.derived_files import Output, write_all
from nullsplat.service.processing.protocol import Derived, Parameters, Source
from nullsplat.service.settings import Settings


@dataclass(frozen=True)
class Profiles:
    """Sensitivity profiles that an engine assumes; see `physics.profile`.

    Attributes:
        slice: across slices; auto as the header indicates.
        in_plane: across pixels, where the axial plane is refined.
    """

    slice: str = AUTO
    in_plane: str = "gaussian"


class SuperResolution:
    """Fulfils `processing.Processing`."""

    def __init__(
        self,
        device: str = "auto",
        cpu_threads: int = 0,
        prior: str | None = None,
        output: Output | None = None,
        profiles: Profiles | None = None,
    ) -> None:
        """Decide how to compute.

        Args:
            device: auto, cpu or cuda.
            cpu_threads: 0 leaves that to the libraries.
            prior: name or folder of the prior, see `weights.locate`; None leaves it to the preset.
            output: what is written of a result, and how.
            profiles: of slices and pixels, where a job does not say.
        """
        self._profiles = profiles or Profiles()
        self._output = output or Output()
        self._prior = prior
        self._device = device
        self._cpu_threads = cpu_threads

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Compute and write as the settings of a process ask for."""
        profiles = Profiles(settings.slice_profile, settings.in_plane_profile)
        return cls(settings.device, settings.cpu_threads, settings.prior, Output.of(settings), profiles)

    def model(self) -> tuple[str, str]:
        """Name and SHA-256 of the prior in use, or of the one that presets for a node use; raises WeightsError."""
        folder = weights.locate(self._prior or weights.BLOCK)
        return str(weights.manifest(folder)["name"]), weights.model_hash(folder)

    def verify(self) -> None:
        """Compare the weights of the packaged priors, or of the one in use, with their checksums; raises WeightsError."""
        for name in [self._prior] if self._prior else weights.PACKAGED:
            weights.verify(weights.locate(name))

    def presets(self) -> tuple[str, ...]:
        """Names of the presets."""
        return tuple(PRESETS)

    def check(self, parameters: Parameters) -> None:
        """Refuse parameters that cannot be met; raises ConfigurationError."""
        self._configure(parameters, Source("", 1.0))
        check_encoder(self._output.options.syntax)
        resolve_device(self._device)

    def prepare(self, dicom: Path, work: Path, parameters: Parameters) -> Source:
        """Read a DICOM folder into the workspace; raises IneligibleSeries, UnreadableFile."""
        series = read_folder(dicom, allow_gaps=parameters.allow_gaps)
        checkpoints = Checkpoints(work)
        checkpoints.keep_source(series.volume)
        checkpoints.remark(series.remarks)
        known = Resolution.of(series.volume)
        return Source(
            series.fingerprint,
            known.slice_thickness_ratio,
            str(known.slice_profile),
            known.why,
            series.volume.hu.size,
        )

    def is_done(self, stage: str, work: Path, parameters: Parameters, source: Source) -> bool:
        """Whether stage1, stage2 or consistency was done here as this processing would do it."""
        checkpoints = Checkpoints(work)
        run = identity(self._configure(parameters, source))
        return checkpoints.is_done(stage) and checkpoints.is_of(run)

    def run(self, stage: str, work: Path, parameters: Parameters, source: Source, progress: Progress) -> None:
        """Do one of the stages stage1, stage2, consistency; returns at once if it is done already.

        Output of a worker with another prior or other presets is discarded: a result has one origin.
        """
        self._limit_threads()
        config = self._configure(parameters, source)
        checkpoints = Checkpoints(work)
        checkpoints.adopt(identity(config))
        RUNNERS[stage](checkpoints, config, resolve_device(self._device), progress)

    def report(self, work: Path) -> dict[str, Any]:
        """The figures of a finished run."""
        return Checkpoints(work).report

    def derive(
        self, dicom: Path, work: Path, parameters: Parameters, source: Source, target: Path
    ) -> Derived:
        """Write the result as DICOM files into an empty folder.

        The headers are read from the fetched files again, so that no patient's data ever enters the database.
        """
        checkpoints = Checkpoints(work)
        series = read_folder(dicom, allow_gaps=parameters.allow_gaps)
        provenance = replace(_provenance(parameters, source, checkpoints.report), remarks=series.remarks)
        return write_all(series, checkpoints, provenance, target, self._output)

    def _configure(self, parameters: Parameters, source: Source) -> PipelineConfig:
        profile, why = self._slice_profile(parameters, source)
        return configure(
            parameters.scale,
            parameters.preset,
            seed=parameters.seed,
            samples=parameters.samples,
            resolution=Resolution(
                source.slice_thickness_ratio,
                Profile.parse(profile),
                Profile.parse(self._profiles.in_plane),
                why,
            ),
            prior=self._prior,
        )

    def _slice_profile(self, parameters: Parameters, source: Source) -> tuple[str, str]:
        """The job's own, else the engine's setting, else what the header indicates; and why."""
        if parameters.slice_profile != AUTO:
            return parameters.slice_profile, "asked for by the job"
        if self._profiles.slice != AUTO:
            return self._profiles.slice, "set for this engine"
        return source.slice_profile, source.profile_reason

    def _limit_threads(self) -> None:
        if self._cpu_threads:
            torch.set_num_threads(self._cpu_threads)
            # Applies to the calling thread only, and each job has its own thread.
            numba.set_num_threads(min(self._cpu_threads, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]


def _provenance(parameters: Parameters, source: Source, report: dict[str, Any]) -> Provenance:
    return Provenance(
        fingerprint=source.fingerprint,
        model_hash=report["model_hash"],
        config_hash=report["config_hash"],
        steps=report["steps"],
        lr_consistency_rmse_hu=report["lr_consistency_rmse_hu"],
        created=datetime.now().astimezone(),
        software_version=__version__,
        stage1=report["stage1_prior"],
        outside_training=report.get("outside_training", ""),
        slice_profile=profile_in_words(report["slice_profile"]),
        scale=parameters.scale,
        preset=parameters.preset,
        attempt=parameters.attempt,
        seed=parameters.seed,
        samples=parameters.samples,
    )

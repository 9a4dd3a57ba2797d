"""The image processing as the service sees it; what implements it knows nothing of jobs."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from nullsplat.core.progress import Progress
from nullsplat.physics.profile import AUTO


@dataclass(frozen=True)
class Source:
    """What later steps need of the fetched series without reading it again.

    Attributes:
        fingerprint: SHA-256 of the series' UID and its instances' UIDs.
        slice_thickness_ratio: slice thickness over slice distance; 1 for contiguous slices.
        slice_profile: indicated by the header, see `physics.profile`.
        profile_reason: the evidence.
        voxels: of the volume that was read, which is larger than its slices where they are sheared; 0 if unknown.
    """

    fingerprint: str
    slice_thickness_ratio: float
    slice_profile: str = "bell"
    profile_reason: str = "assumed"
    voxels: int = 0


@dataclass(frozen=True)
class Parameters:
    """What a job asks of the processing."""

    scale: tuple[float, float, float]
    preset: str
    attempt: int
    seed: int = 0
    samples: int = 1
    slice_profile: str = AUTO
    allow_gaps: bool = False

    @classmethod
    def of(cls, request: dict[str, Any]) -> "Parameters":
        """Those of a job_request of the contract."""
        z, y, x = (float(factor) for factor in request["parameters"]["scale"])
        rest = {name: value for name, value in request["parameters"].items() if name != "scale"}
        return cls(scale=(z, y, x), attempt=request["attempt"], **rest)


@dataclass(frozen=True)
class Derived:
    """The finished series as it will be stored.

    Attributes:
        series_instance_uid: of the new series.
        files: SOP Instance UID to the name of its file, in the order of the slices.
        further: of each further series that is stored with it (maps, the report), its Series Instance UID and its
            files like `files`.
        classes: SOP Class UID of the instances of each further series.
    """

    series_instance_uid: str
    files: dict[str, str]
    further: dict[str, dict[str, str]] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)

    @property
    def all_series(self) -> dict[str, dict[str, str]]:
        """Everything that is stored, by series; the result goes last, so when it is complete, all is."""
        return {**self.further, self.series_instance_uid: self.files}


@runtime_checkable
class Processing(Protocol):
    """All that the service asks of the image processing. Folders hold the state between calls."""

    def model(self) -> tuple[str, str]:
        """Name and SHA-256 of the prior; raises WeightsError."""

    def verify(self) -> None:
        """Compare the prior's weights with their checksum; raises WeightsError."""

    def presets(self) -> tuple[str, ...]:
        """Names of the presets."""

    def check(self, parameters: Parameters) -> None:
        """Refuse parameters that cannot be met; raises ConfigurationError."""

    def prepare(self, dicom: Path, work: Path, parameters: Parameters) -> Source:
        """Read a DICOM folder into the workspace; raises IneligibleSeries, UnreadableFile."""

    def is_done(self, stage: str, work: Path, parameters: Parameters, source: Source) -> bool:
        """Whether stage1, stage2 or consistency was done here as this processing would do it."""

    def run(self, stage: str, work: Path, parameters: Parameters, source: Source, progress: Progress) -> None:
        """Do one of the stages stage1, stage2, consistency; returns at once if it is done already."""

    def report(self, work: Path) -> dict[str, Any]:
        """The figures of a finished run."""

    def derive(
        self, dicom: Path, work: Path, parameters: Parameters, source: Source, target: Path
    ) -> Derived:
        """Write the result as DICOM files into an empty folder."""

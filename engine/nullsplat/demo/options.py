"""What can be chosen about a run of the demonstration."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from nullsplat.core.errors import ConfigurationError, StorageError
from nullsplat.evaluation.data.public_data import cache_folder

MARKER = ".nullsplat-demo"
LARGEST_FACTOR = 8


@dataclass(frozen=True)
class Options:
    """A run of the demonstration.

    Attributes:
        folder: all files of the run; its subfolders are emptied at the start.
        cache: keeps the downloaded chest CT, and the OHIF viewer once `make viewer` has fetched it.
        volume: a NIfTI file to use instead of the public chest CT.
        factor: how many slices become one.
        slices: how many slices of the volume are used.
        noise_hu: standard deviation of the added noise, HU.
        seed: of the noise, the UIDs and the engine.
        preset: of the engine.
        device: auto, cpu or cuda.
        http_port, dicom_port, engine_port: on loopback; 0 takes a free one.
    """

    folder: Path = Path("demo")
    cache: Path = field(default_factory=cache_folder)
    volume: Path | None = None
    factor: int = 2
    slices: int = 132
    noise_hu: float = 15.0
    seed: int = 0
    preset: str = "preview"
    device: str = "auto"
    http_port: int = 0
    dicom_port: int = 0
    engine_port: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot work before anything is started.

        Raises:
            ConfigurationError: factor, slices or noise out of range.
        """
        if not 2 <= self.factor <= LARGEST_FACTOR:
            raise ConfigurationError(f"--factor must be from 2 to {LARGEST_FACTOR}, got {self.factor}")
        if self.slices < 2 * self.factor:
            raise ConfigurationError(f"--slices must be at least {2 * self.factor}, got {self.slices}")
        if not 0 <= self.noise_hu <= 500:
            raise ConfigurationError(f"--noise must be from 0 to 500 HU, got {self.noise_hu:g}")

    @property
    def out(self) -> Path:
        """What the run leaves behind."""
        return self.folder / "out"

    @property
    def scan(self) -> Path:
        """The simulated scan's DICOM files."""
        return self.folder / "scan"

    @property
    def node(self) -> Path:
        """Data and logs of the node."""
        return self.folder / "node"

    @property
    def viewer(self) -> Path:
        """Where the OHIF viewer is, if it has been fetched; the same folder as in scripts/viewer.py."""
        return self.cache / "ohif"

    @property
    def pacs(self) -> Path:
        """What arrived at the second DICOM node."""
        return self.folder / "pacs"

    def prepare(self) -> None:
        """Make the folder, and clear what an earlier run left in it.

        Raises:
            ConfigurationError: the folder holds something that no demonstration put there.
            StorageError: it cannot be written.
        """
        marker = self.folder / MARKER
        if self.folder.exists() and not marker.exists() and any(self.folder.iterdir()):
            raise ConfigurationError(f"{self.folder} holds other files; choose an empty folder with --folder")
        try:
            for folder in (self.out, self.scan, self.node, self.pacs):
                if folder.exists():
                    shutil.rmtree(folder)
            self.out.mkdir(parents=True)
            marker.write_text("Made by nullsplat demo, which replaces the folders in here at each run.\n")
        except OSError as error:
            raise StorageError(f"{self.folder} must be writable: {error}") from error

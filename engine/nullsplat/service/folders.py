"""A job's files: where they are, whether there is room for them, and what is kept when it ends."""

import json
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nullsplat.core.errors import StorageError
from nullsplat.core.files import replacing, writing

MIB = 2**20
VANISHED = "let nothing else write or delete below the folder that NULLSPLAT_SPOOL names, and check its disk"
"""Advice where a job's files are not as a worker left them."""
LARGER = "free some space or let NULLSPLAT_SPOOL name a folder on a larger disk"
SOURCE_BYTES_PER_VOXEL = 2 + 4
"""The DICOM files, and the volume as float32."""
RESULT_BYTES_PER_VOXEL = 4 + 4 + 4 + 2 + 4 + 4 + 2
"""Stage 1 or base, stage 2 and the result as float32, and the DICOM files as int16; of the intervals those that the prior
states and the calibrated ones as float32, and their Parametric Map as uint16."""
DEVIATION_BYTES_PER_VOXEL = 4 + 4
"""The samples' deviation and its Parametric Map as float32, where there are several samples."""


logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobFolder:
    """The files of one job below the spool, or of one worker's turn at it, see `worker.turns`."""

    path: Path

    @property
    def source(self) -> Path:
        """The fetched DICOM files, complete as soon as the folder exists."""
        return self.path / "source"

    @property
    def work(self) -> Path:
        """The pipeline's workspace."""
        return self.path / "work"

    @property
    def derived(self) -> Path:
        """The finished DICOM files, complete as soon as the folder exists."""
        return self.path / "derived"

    def write(self, name: str, content: Any) -> None:
        """Write a small JSON document atomically: whole or not at all; raises StorageError."""
        with writing(self.path, LARGER):
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with replacing(self.path / name, LARGER, durable=True) as partial:
            partial.write_text(json.dumps(content))

    def has(self, name: str) -> bool:
        """Whether `write` wrote that, even if it was damaged since."""
        return (self.path / name).exists()

    def read(self, name: str) -> Any:
        """What `write` wrote; None where there is nothing, or it is damaged and has to be made again."""
        try:
            return json.loads((self.path / name).read_text())
        except FileNotFoundError:
            return None
        except ValueError:
            logger.warning("%s is damaged", self.path / name)
            return None

    def partial(self, folder: Path) -> Path:
        """An empty folder beside `folder`, to be filled and then renamed."""
        part = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(mode=0o700, parents=True)
        return part

    def discard_images(self) -> None:
        """Delete all image data; small documents (figures, report) stay."""
        for folder in self.images:
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def images(self) -> tuple[Path, ...]:
        """The folders with image data that are here."""
        whole = (self.source, self.work, self.derived)
        named = (*whole, *(folder.with_name(f"{folder.name}.part") for folder in whole))
        return tuple(folder for folder in named if folder.exists())


def bytes_needed(source_voxels: int, scale: tuple[float, float, float], samples: int = 1) -> int:
    """Disk space for a job on a series of so many voxels."""
    factor = scale[0] * scale[1] * scale[2]
    result = RESULT_BYTES_PER_VOXEL + (DEVIATION_BYTES_PER_VOXEL if samples > 1 else 0)
    return int(source_voxels * (SOURCE_BYTES_PER_VOXEL + factor * result))


def require_space(spool: Path, needed: int, reserve_mib: int) -> None:
    """Refuse a job that the disk has no room for.

    Raises:
        StorageError: fewer than `needed` bytes are free beyond the reserve.
    """
    free = shutil.disk_usage(spool).free
    if free < needed + reserve_mib * MIB:
        raise StorageError(
            f"the job needs {-(-needed // MIB)} MB beside a reserve of {reserve_mib} MB, the spool's disk has "
            f"{free // MIB} MB free; {LARGER}"
        )

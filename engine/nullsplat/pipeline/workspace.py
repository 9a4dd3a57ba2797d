"""The files of one run: written whole or not at all, so that a run can be taken up after any interruption."""

import dataclasses
import errno
import hashlib
import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.errors import ConfigurationError, StorageError, UnreadableFile
from nullsplat.core.measure import Cost
from nullsplat.core.volume import Geometry, Volume
from nullsplat.splat.field.files import encode_safetensors, load_field
from nullsplat.splat.field.placement import PlacedField

STAGES = ("stage1", "stage2", "consistency")
_OF_THE_SOURCE = (("source", "npz"), ("geometry", "json"), ("remarks", "json"))
"""What does not depend on how the source is processed."""


class Workspace:
    """A folder with the source volume, what each stage made of it, and what each stage took."""

    def __init__(self, path: Path) -> None:
        """Use `path`, which is made if it is not there."""
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    def claim(self, volume: Volume, run: str) -> None:
        """Make this the folder of one source and one run, see `stages.identity`.

        Raises:
            ConfigurationError: the folder holds another run.
            StorageError: the folder cannot be written.
        """
        voxels = np.ascontiguousarray(volume.hu)  # hashed where it lies: bytes would be a copy of the volume
        mine = {"source_sha256": hashlib.sha256(voxels.data).hexdigest(), "run": run}
        if self._file("run", "json").exists() and self.load_json("run") != mine:
            raise ConfigurationError(
                f"{self.path} holds a run of another source or with other settings; give an empty folder"
            )
        self.save_json("run", mine)

    def adopt(self, run: str) -> None:
        """Make this the folder of a run, see `stages.identity`: what another left of its stages is thrown away.

        Raises:
            StorageError: the folder cannot be written.
        """
        if not self.is_of(run):
            self._file("identity", "json").unlink(missing_ok=True)  # first, so that nothing counts any more
            kept = {self._file(name, suffix) for name, suffix in _OF_THE_SOURCE}
            for path in self.path.iterdir():
                if path.is_file() and path not in kept:
                    path.unlink(missing_ok=True)
            self.save_json("identity", {"run": run})

    def is_of(self, run: str) -> bool:
        """Whether the stages that are done here are this run's."""
        return self._file("identity", "json").exists() and self.load_json("identity") == {"run": run}

    def save_source(self, volume: Volume) -> None:
        """Keep the measured volume.

        Raises:
            StorageError: the folder cannot be written.
        """
        self.save_arrays("source", hu=volume.hu)
        self.save_json("geometry", dataclasses.asdict(volume.geometry))

    def source(self) -> Volume:
        """The measured volume.

        Raises:
            UnreadableFile: it was never saved, or is damaged.
        """
        return Volume(self.load_array("source", "hu"), self.source_geometry())

    def source_geometry(self) -> Geometry:
        """The grid of the measured volume, without its voxels.

        Raises:
            UnreadableFile: it was never saved, or is damaged.
        """
        stored = self.load_json("geometry")
        axes = tuple(tuple(axis) for axis in stored["axes"])
        return Geometry(tuple(stored["shape"]), tuple(stored["spacing"]), tuple(stored["origin"]), axes)  # type: ignore[arg-type]

    def save_result(self, volume: Volume) -> None:
        """Keep the super-resolved volume; its geometry follows from the source's.

        Raises:
            StorageError: the folder cannot be written.
        """
        self.save_arrays("result", hu=volume.hu)

    def result(self) -> Volume:
        """The super-resolved volume.

        Raises:
            UnreadableFile: the run is not finished, or the file is damaged.
        """
        return self._on_result_grid("result")

    def deviation(self) -> Volume | None:
        """Standard deviation in HU of stage 1's samples; None where there is one sample, or the prior makes no volumes.

        Raises:
            UnreadableFile: the file is damaged.
        """
        return self._on_result_grid("deviation") if self.has("deviation") else None

    def save_field(self, field: PlacedField) -> None:
        """Keep what stage 2 fitted.

        Raises:
            StorageError: the folder cannot be written.
        """
        content = encode_safetensors(field)
        self._write(self._file("field", "safetensors"), lambda file: file.write(content))

    def field(self) -> PlacedField:
        """What stage 2 fitted.

        Raises:
            UnreadableFile: stage 2 has not been run, or the file is damaged.
        """
        return load_field(self._file("field", "safetensors"))

    def remark(self, remarks: Sequence[str]) -> None:
        """Keep what a reader of the report must know about the source.

        Raises:
            StorageError: the folder cannot be written.
        """
        self.save_json("remarks", {"source_remarks": "; ".join(remarks)} if remarks else {})

    def report(self) -> dict[str, Any]:
        """Figures of the run, and remarks on its source.

        Raises:
            UnreadableFile: the run is not finished.
        """
        remarks = self.load_json("remarks") if self._file("remarks", "json").exists() else {}
        return {**self.load_json("report"), **remarks}

    def is_done(self, stage: str) -> bool:
        """Whether a stage has finished."""
        return self._file(stage, "done.json").exists()

    def mark_done(self, stage: str, cost: Cost) -> None:
        """Say that a stage has finished, and what it took; written after all of its files."""
        self.save_json(f"{stage}.done", dataclasses.asdict(cost))

    def cost(self, stage: str) -> dict[str, float]:
        """What a finished stage took: seconds, peak_memory_mib, peak_gpu_memory_mib."""
        return self.load_json(f"{stage}.done")

    def save_arrays(self, name: str, **arrays: Float[np.ndarray, "..."] | Float[Tensor, "..."]) -> None:
        """Write arrays under a name.

        Raises:
            StorageError: the folder cannot be written.
        """
        plain = {k: a.cpu().numpy() if isinstance(a, Tensor) else a for k, a in arrays.items()}

        def write(file: BinaryIO) -> None:
            np.savez(file, **plain)  # type: ignore[arg-type]

        self._write(self._file(name, "npz"), write)

    def has(self, name: str) -> bool:
        """Whether arrays of that name were written."""
        return self._file(name, "npz").exists()

    def load_array(self, name: str, key: str) -> Float[np.ndarray, "..."]:
        """Read one array back, and only that one.

        Raises:
            UnreadableFile: missing or damaged.
        """
        path = self._file(name, "npz")
        try:
            with np.load(path, allow_pickle=False) as stored:
                array: np.ndarray = stored[key]
                return array
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise UnreadableFile(
                f"{path.name} of this run is missing or damaged: {error}; start it again"
            ) from error

    def load_tensor(self, name: str, key: str, device: torch.device) -> Float[Tensor, "..."]:
        """One array as a tensor on a device; nobody else has it, so it may be changed in place.

        Raises:
            UnreadableFile: missing or damaged.
        """
        return torch.from_numpy(self.load_array(name, key)).to(device)

    def save_json(self, name: str, content: dict[str, Any]) -> None:
        """Write a small JSON file.

        Raises:
            StorageError: the folder cannot be written.
        """
        text = json.dumps(content, indent=2).encode()
        self._write(self._file(name, "json"), lambda file: file.write(text))

    def load_json(self, name: str) -> dict[str, Any]:
        """Read a JSON file back.

        Raises:
            UnreadableFile: missing or damaged.
        """
        path = self._file(name, "json")
        try:
            content: dict[str, Any] = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise UnreadableFile(
                f"{path.name} of this run is missing or damaged: {error}; start it again"
            ) from error
        return content

    def _on_result_grid(self, name: str) -> Volume:
        hu = self.load_array(name, "hu")
        return Volume(hu, self.source_geometry().resampled(hu.shape))

    def _file(self, name: str, suffix: str) -> Path:
        return self.path / f"{name}.{suffix}"

    @staticmethod
    def _write(path: Path, write: Callable[[BinaryIO], object]) -> None:
        partial = path.with_name(path.name + ".partial")
        try:
            with partial.open("wb") as file:
                write(file)
            partial.replace(path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            full = (
                "the disk is full"
                if error.errno in (errno.ENOSPC, errno.EDQUOT)
                else str(error.strerror or error)
            )
            raise StorageError(f"{path.name} cannot be written: {full}; free space and run again") from error

"""Where the checkpoints of a run are kept: in memory, or in files that are written whole or not at all."""

import json
import shutil
import zipfile
from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from nullsplat.core.errors import UnreadableFile
from nullsplat.core.files import PARTIAL, replacing
from nullsplat.splat.field.files import encode_safetensors, load_field
from nullsplat.splat.field.placement import PlacedField

Json = dict[str, Any]
Arrays = dict[str, Float[ndarray, "..."]]


class Store(Protocol):
    """Named arrays, small records and fields.

    Reading what is not there, or is damaged, raises UnreadableFile; a full disk raises StorageError.
    """

    def save_arrays(self, name: str, arrays: Arrays) -> None:
        """Keep arrays under a name."""

    def load_array(self, name: str, key: str) -> Float[ndarray, "..."]:
        """One of the arrays, and only that one; it must not be changed in place."""

    def has_arrays(self, name: str) -> bool:
        """Whether there are arrays of that name."""

    def save_json(self, name: str, content: Json) -> None:
        """Keep a record that JSON can hold."""

    def load_json(self, name: str) -> Json:
        """The record."""

    def has_json(self, name: str) -> bool:
        """Whether there is a record of that name."""

    def save_field(self, name: str, placed: PlacedField) -> None:
        """Keep a field."""

    def load_field(self, name: str) -> PlacedField:
        """The field, on the CPU."""

    def keep_only(self, names: Collection[str]) -> None:
        """Throw away whatever else there is."""


@dataclass
class MemoryStore:
    """For a notebook: gone with the object."""

    content: dict[tuple[type, str], Any] = field(default_factory=dict)

    def save_arrays(self, name: str, arrays: Arrays) -> None:
        """See `Store`."""
        self.content[ndarray, name] = dict(arrays)

    def load_array(self, name: str, key: str) -> Float[ndarray, "..."]:
        """See `Store`."""
        array: ndarray = self._get(ndarray, name)[key]
        return array

    def has_arrays(self, name: str) -> bool:
        """See `Store`."""
        return (ndarray, name) in self.content

    def save_json(self, name: str, content: Json) -> None:
        """See `Store`."""
        self.content[dict, name] = json.loads(
            json.dumps(content)
        )  # a copy, and the same that a file would give

    def load_json(self, name: str) -> Json:
        """See `Store`."""
        return dict(self._get(dict, name))

    def has_json(self, name: str) -> bool:
        """See `Store`."""
        return (dict, name) in self.content

    def save_field(self, name: str, placed: PlacedField) -> None:
        """See `Store`."""
        self.content[PlacedField, name] = PlacedField(
            placed.gaussians.detached().to(torch.device("cpu")), placed.grid
        )

    def load_field(self, name: str) -> PlacedField:
        """See `Store`."""
        placed: PlacedField = self._get(PlacedField, name)
        return placed

    def keep_only(self, names: Collection[str]) -> None:
        """See `Store`."""
        self.content = {key: kept for key, kept in self.content.items() if key[1] in names}

    def _get(self, kind: type, name: str) -> Any:
        if (kind, name) not in self.content:
            raise UnreadableFile(f"{name} of this run is missing; run its stages in their order")
        return self.content[kind, name]


class FolderStore:
    """For node and command line: a killed run can be taken up, and memory holds only what is worked on."""

    def __init__(self, path: Path) -> None:
        """Use `path`, which is made if it is not there."""
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    def save_arrays(self, name: str, arrays: Arrays) -> None:
        """See `Store`."""
        with self._replacing(name, "npz") as partial:
            np.savez(partial, **arrays)  # type: ignore[arg-type]

    def load_array(self, name: str, key: str) -> Float[ndarray, "..."]:
        """See `Store`."""
        path = self._file(name, "npz")
        try:
            with np.load(path, allow_pickle=False) as stored:
                array: ndarray = stored[key]
                return array
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise _damaged(path, error) from error

    def has_arrays(self, name: str) -> bool:
        """See `Store`."""
        return self._file(name, "npz").exists()

    def save_json(self, name: str, content: Json) -> None:
        """See `Store`."""
        with self._replacing(name, "json") as partial:
            partial.write_text(json.dumps(content, indent=2))

    def load_json(self, name: str) -> Json:
        """See `Store`."""
        path = self._file(name, "json")
        try:
            content: Json = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise _damaged(path, error) from error
        return content

    def has_json(self, name: str) -> bool:
        """See `Store`."""
        return self._file(name, "json").exists()

    def save_field(self, name: str, placed: PlacedField) -> None:
        """See `Store`."""
        with self._replacing(name, "safetensors") as partial:
            partial.write_bytes(encode_safetensors(placed))

    def load_field(self, name: str) -> PlacedField:
        """See `Store`."""
        return load_field(self._file(name, "safetensors"))

    def keep_only(self, names: Collection[str]) -> None:
        """See `Store`."""
        for path in self.path.iterdir():
            if path.name.startswith(PARTIAL):  # what a killed writer left
                shutil.rmtree(path, ignore_errors=True)
            elif path.is_file() and path.name.rpartition(".")[0] not in names:
                path.unlink(missing_ok=True)

    def _file(self, name: str, suffix: str) -> Path:
        return self.path / f"{name}.{suffix}"

    def _replacing(self, name: str, suffix: str) -> AbstractContextManager[Path]:
        return replacing(self._file(name, suffix), "free space and run again")


def _damaged(path: Path, error: Exception) -> UnreadableFile:
    return UnreadableFile(f"{path.name} of this run is missing or damaged: {error}; start it again")

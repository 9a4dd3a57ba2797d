"""Radiographs kept on disk as 8-bit arrays under names that are salted hashes, with nothing else of the patient."""

import hashlib
import hmac
import json
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from nullsplat.core.errors import UnreadableFile
from nullsplat.core.files import replacing, writing
from nullsplat.core.private import private_folder
from nullsplat.prior.xray.data import Radiograph

_SALT = "salt"
_SALT_BYTES = 32
_SELECTION = "selection.json"
_REMEDY = "make room or give another --out, then start again: what was fetched stays"


class RadiographCache:
    """A folder, readable by its user only, with one file per image.

    `<instance>.<patient>.npy` is an image, `<instance>.<reason>.unusable` an empty mark that it was seen and left out.
    Instances and patients are HMAC-SHA256 of their identifiers with a random key, the file `salt`, so that nobody
    who has the images alone can tell whose they are; whoever deletes `salt` starts a new cache.
    """

    def __init__(self, folder: Path) -> None:
        """Open or create the cache.

        Raises:
            StorageError: the folder cannot be written.
            UnreadableFile: its salt is damaged.
        """
        self.folder = folder
        with writing(folder, _REMEDY):
            private_folder(folder)
            salt = folder / _SALT
            if not salt.exists():
                self._write(_SALT, secrets.token_bytes(_SALT_BYTES))
            self._salt = salt.read_bytes()
        if len(self._salt) != _SALT_BYTES:
            raise UnreadableFile(f"{salt} is damaged; delete the folder {folder} and start again")
        found = (path.name.split(".") for path in folder.iterdir() if path.is_file())
        self._kept = {parts[0]: (parts[1], parts[2]) for parts in found if len(parts) == 3}

    def key(self, identifier: str) -> str:
        """The salted hash of an identifier."""
        return hmac.new(self._salt, identifier.encode(), hashlib.sha256).hexdigest()[:32]

    def patient_of(self, instance: str) -> str | None:
        """The patient's key if the image with this key is there."""
        second, kind = self._kept.get(instance, ("", ""))
        return second if kind == "npy" else None

    def unusable(self, instance: str) -> str | None:
        """Why the image with this key was left out, if it was."""
        second, kind = self._kept.get(instance, ("", ""))
        return second if kind == "unusable" else None

    def keep(self, instance: str, patient: str, image: UInt8[ndarray, "z u"]) -> None:
        """Keep an image in one piece: it is there as a whole or not at all.

        Raises:
            StorageError: the folder cannot be written.
        """
        with replacing(self.folder / f"{instance}.{patient}.npy", _REMEDY) as partial:
            np.save(partial, image, allow_pickle=False)
        self._kept[instance] = (patient, "npy")

    def mark_unusable(self, instance: str, reason: str) -> None:
        """Remember that an image was seen and cannot be used.

        Args:
            instance: the image's key.
            reason: a word fit for a file name.
        Raises:
            StorageError: the folder cannot be written.
        """
        self._write(f"{instance}.{reason}.unusable", b"")
        self._kept[instance] = (reason, "unusable")

    def select(self, request: str, instances: Iterable[str], left_out: Counter[str]) -> None:
        """Note which images a finished search chose, so that the same request need not ask the archive again.

        Raises:
            StorageError: the folder cannot be written.
        """
        selection = {"request": request, "images": sorted(instances), "left_out": dict(left_out)}
        self._write(_SELECTION, json.dumps(selection).encode())

    def selected(self, request: str) -> tuple[tuple[str, ...], Counter[str]] | None:
        """What `select` noted for the same request, if all of it is still there.

        Raises:
            UnreadableFile: the note is damaged.
        """
        path = self.folder / _SELECTION
        if not path.exists():
            return None
        try:
            selection = json.loads(path.read_text())
        except ValueError as error:
            raise UnreadableFile(f"{path} is damaged; delete it and start again") from error
        if selection["request"] != request or any(
            self.patient_of(name) is None for name in selection["images"]
        ):
            return None
        return tuple(selection["images"]), Counter(selection["left_out"])

    def read(self, instances: Iterable[str]) -> Iterator[Radiograph]:
        """The images with these keys, in the order of the keys.

        Raises:
            UnreadableFile: a file is damaged.
        """
        for instance in sorted(instances):
            patient = self._kept[instance][0]
            path = self.folder / f"{instance}.{patient}.npy"
            try:
                yield Radiograph(patient, np.load(path, allow_pickle=False))
            except (OSError, ValueError, EOFError) as error:
                raise UnreadableFile(
                    f"{path} is damaged; delete it and start again, it will be fetched again"
                ) from error

    def _write(self, name: str, content: bytes) -> None:
        with replacing(self.folder / name, _REMEDY) as partial:
            partial.write_bytes(content)

"""A small disk that can be filled: a tmpfs where this user may mount one, else only a folder."""

import contextlib
import subprocess
from pathlib import Path

BLOCK = 1 << 16


class SmallDisk:
    """A folder on a disk of its own.

    Attributes:
        mounted: whether it really is a disk of its own, so that it can be filled.
    """

    def __init__(self, folder: Path, mib: int) -> None:
        self.folder = folder
        self.mounted = False
        self._mib = mib

    def __enter__(self) -> "SmallDisk":
        self.folder.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={self._mib}m,mode=700", "tmpfs", str(self.folder)]
        with contextlib.suppress(FileNotFoundError):
            self.mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
        return self

    def __exit__(self, *_: object) -> None:
        if self.mounted:
            # Lazily: a killed process may hold a file for a moment longer.
            subprocess.run(["umount", "-l", str(self.folder)], capture_output=True, check=True)
            self.mounted = False

    def fill(self) -> None:
        """Leave not a single byte free."""
        if not self.mounted:
            raise RuntimeError(f"{self.folder} is not a disk of its own and must not be filled")
        with contextlib.suppress(OSError), self._ballast.open("ab", buffering=0) as file:
            while True:
                file.write(bytes(BLOCK))

    def free(self) -> None:
        """Undo `fill`."""
        self._ballast.unlink(missing_ok=True)

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"

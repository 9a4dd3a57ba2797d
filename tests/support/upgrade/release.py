"""The state of this repository at an earlier commit, as files: its engine, plugin, configuration and test doubles."""

import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PARTS = ("engine", "plugin", "orthanc-config", "tests")


def checked_out(commit: str, folder: Path) -> Path:
    """Write `PARTS` of a commit into `folder` and return it; skips the test where git does not have the commit."""
    command = ["git", "-C", str(ROOT), "archive", commit, *PARTS]
    try:
        done = subprocess.run(command, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", b"").decode().strip() or error
        pytest.skip(
            f"needs a clone with the commit {commit}, a shallow one or a source distribution has not: {reason}"
        )
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder

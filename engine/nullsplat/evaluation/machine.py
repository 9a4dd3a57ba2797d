"""The machine that figures hold for."""

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numba
import torch

import nullsplat
from nullsplat.core.device import resolve_device

_PACKAGES = ("torch", "numba", "numpy", "scipy", "gsplat", "astra-toolbox")


@dataclass(frozen=True)
class Machine:
    """A machine, and the versions of everything that was timed on it.

    Attributes:
        processor: model of the CPU.
        cores: cores that this process may use.
        memory: how much the machine has.
        threads: threads of numba and of torch.
        gpu: name of the GPU that computed; empty if the CPU did.
        load_average: processes that wanted a core in the minute before the run, those of others too.
        nullsplat: version.
        commit: of the checkout that NullSplat was run from; empty elsewhere. `+changes` follows if files differ.
        packages: versions of the others; None for one that is not installed.
        python: version.
        system: kernel and machine type.
    """

    processor: str
    cores: int
    memory: str
    threads: dict[str, int]
    gpu: str
    load_average: float | None
    nullsplat: str
    commit: str
    packages: dict[str, str | None]
    python: str
    system: str

    @property
    def name(self) -> str:
        """The processor that computed, and how many cores there are of it."""
        return self.gpu or f"{self.processor}, {self.cores} core{'s' if self.cores > 1 else ''}"

    @property
    def file_name(self) -> str:
        """Machine and commit (or version) in letters, digits and hyphens."""
        return re.sub(r"[^a-z0-9]+", "-", f"{self.name} {self.commit or self.nullsplat}".lower()).strip("-")

    @property
    def was_busy(self) -> bool:
        """Whether others wanted more than a quarter of the cores before the run, so that times are not to be trusted."""
        return self.load_average is not None and self.load_average > self.cores / 4

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)

    @property
    def summary(self) -> dict[str, Any]:
        """What the figures of an evaluation depend on, as its files have it."""
        kept = {name: getattr(self, name) for name in ("processor", "cores", "memory", "system", "python")}
        return kept | {
            "threads": self.threads["torch"],
            "gpu": self.gpu or "none",
            "torch": self.packages["torch"],
        }


def describe_machine(device: torch.device | None = None) -> Machine:
    """This machine, with the device that computes; by default the GPU if there is one."""
    device = device or resolve_device("auto")
    return Machine(
        processor=processor_model(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory=_fact(Path("/proc/meminfo"), "MemTotal") or "unknown",
        threads={"numba": numba.get_num_threads(), "torch": torch.get_num_threads()},
        gpu=torch.cuda.get_device_name(device) if device.type == "cuda" else "",
        load_average=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        nullsplat=nullsplat.__version__,
        commit=checkout_commit(Path(nullsplat.__file__).parent),
        packages={name: _version(name) for name in _PACKAGES},
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
    )


def processor_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The CPU's model where the system tells it, else its kind."""
    return _fact(cpuinfo, "model name") or platform.processor() or platform.machine()


def _fact(path: Path, name: str) -> str:
    """The value of the first line `name: value` of a file of /proc; empty where there is none."""
    lines = path.read_text().splitlines() if path.exists() else []
    values = (line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == name)
    return next(values, "")


def checkout_commit(package: Path) -> str:
    """The short commit of the checkout that tracks the package; empty if it is installed, not checked out.

    A package that lies in an environment inside some checkout is not tracked by it.
    """
    git = shutil.which("git")
    if git is None or not _git(git, package, "ls-files", "__init__.py"):
        return ""
    changes = _git(git, package, "status", "--porcelain", "--untracked-files=no", ".")
    return _git(git, package, "rev-parse", "--short", "HEAD") + ("+changes" if changes else "")


def _git(git: str, folder: Path, *words: str) -> str:
    done = subprocess.run(  # noqa: S603 - fixed words
        [git, *words], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None

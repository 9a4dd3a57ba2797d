"""Builds and runs images with buildah, which needs neither a service nor a registry: each build is a chroot."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.docker.host_packages import apt_proxy_settings, debian_sources
from tests.docker.stores import Store

from nullsplat.node.processes import Child, start

ROOT = Path(__file__).resolve().parents[2]
SLOWEST_BUILD = 900.0


def why_not() -> str:
    """Why no image can be built here; empty when one can be."""
    if os.geteuid() != 0:
        return "building images without a container service needs root: chroot and mounts"
    probe = subprocess.run(
        ["unshare", "--mount", "chroot", "/", "true"], capture_output=True, text=True, check=False
    )
    if probe.returncode:
        return f"this machine lets root neither mount nor chroot: {probe.stderr.strip()}"
    return "" if shutil.which("apt-get") else "the base images are made with apt, which this machine lacks"


@dataclass(frozen=True)
class Build:
    """One build: Dockerfile, the stage to build (empty: the last), and folders that it may see, by their path there."""

    dockerfile: str
    base: str
    target: str = ""
    mounts: Mapping[Path, Path] = field(default_factory=dict)


class Buildah:
    """Builds in a store, with what cannot stay there in a folder."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store, self._folder = store, folder
        self.program = ["buildah", *store.options]
        self._containers: list[str] = []

    def call(self, *arguments: str, patience: float = SLOWEST_BUILD) -> str:
        """What a buildah command prints; its complaint is the error's text."""
        done = subprocess.run(
            [*self.program, *arguments], capture_output=True, text=True, check=False, timeout=patience
        )
        if done.returncode:
            tail = "\n".join((done.stdout + done.stderr).splitlines()[-40:])
            raise AssertionError(
                f"buildah {arguments[0]} must succeed, but exits {done.returncode}, with what earlier builds left in "
                f"{self._store.images}, which may be removed:\n{tail}"
            )
        return done.stdout.strip()

    def base(self, suite: str, files: Mapping[str, str]) -> str:
        """An image of a minimal Debian with this machine's way to packages: of an earlier build, or a new one."""
        made_of = {"sources": debian_sources(suite), "apt": apt_proxy_settings(), "files": dict(files)}
        name = f"localhost/nullsplat/base:{suite}-{digest(made_of)}"
        if not self.call("images", "--quiet", "--filter", f"reference={name}"):
            self._make_base(suite, made_of, name)
        return name

    def _make_base(self, suite: str, made_of: Mapping[str, Any], name: str) -> None:
        work = self._folder / suite
        work.mkdir(parents=True)
        sources, apt, archive = work / "sources.list", work / "apt.conf", work / "base.tar"
        sources.write_text(made_of["sources"])
        apt.write_text(made_of["apt"])
        options = ["--quiet", "--mode=root", "--variant=minbase", f"--aptopt={apt}"]
        command = ["mmdebstrap", *options, suite, str(archive), str(sources)]
        subprocess.run(command, check=True, timeout=SLOWEST_BUILD)
        container = self.call("from", "scratch")
        self.call("add", "--quiet", container, str(archive), "/")
        for path, text in made_of["files"].items():
            (work / "file").write_text(text)
            self.call("copy", "--quiet", container, str(work / "file"), path)
        self.call("commit", "--quiet", "--rm", container, name)
        archive.unlink()

    def build(self, build: Build) -> str:
        """The ID of the image that was built, which no other build can take away as it could a name."""
        options = ["--isolation=chroot", "--pull-never", "--format=docker", "--quiet"]
        options += [f"--layers={str(self._store.is_kept).lower()}", f"--build-arg=BASE={build.base}"]
        options += [f"--volume={here}:{there}:ro" for here, there in build.mounts.items()]
        options += [f"--target={build.target}"] if build.target else []
        said = self.call("build", *options, f"--file={ROOT / build.dockerfile}", str(ROOT))
        return said.splitlines()[-1]

    def container(self, image: str) -> str:
        """The name of a new container, which goes with `end`."""
        self._containers.append(self.call("from", "--pull-never", image))
        return self._containers[-1]

    def configuration(self, image: str) -> dict[str, Any]:
        """What the image says about itself: User, Entrypoint, Cmd, Healthcheck, Env, Volumes."""
        configuration: dict[str, Any] = json.loads(self.call("inspect", "--type=image", image))["Docker"][
            "config"
        ]
        return configuration

    def end(self) -> None:
        """Remove the containers; images stay as long as their store."""
        if self._containers:
            self.call("rm", *self._containers)


def digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


class Container:
    """A root filesystem made from an image, and the processes that run in it."""

    def __init__(
        self, buildah: Buildah, image: str, mounts: Mapping[Path, str], environment: Mapping[str, str]
    ) -> None:
        self._buildah = buildah
        self._image = image
        self.configuration = buildah.configuration(image)
        self.volumes = set(self.configuration["Volumes"])
        self._options = [f"--volume={here}:{there}" for here, there in mounts.items()]
        self._options += [f"--env={name}={value}" for name, value in environment.items()]
        self._name = buildah.container(image)
        # Otherwise buildah puts a volume of its own over what is mounted at the same place.
        for target in {there.partition(":")[0] for there in mounts.values()} & self.volumes:
            buildah.call("config", f"--volume={target}-", self._name)
        self.root = Path(buildah.call("mount", self._name))

    def start(self, name: str, log: Path, *command: str) -> Child:
        """What the image does when it is started, with `command` in place of the image's own."""
        arguments = [*self.configuration["Entrypoint"], *(command or self.configuration["Cmd"])]
        return start(name, [*self._buildah.program, *self._run(arguments)], {}, log)

    def output(self, *command: str) -> str:
        """What a command prints, run as the image's own user."""
        return self._buildah.call(*self._run(command), patience=120)

    def is_healthy(self, *instead: str) -> bool:
        """What the image's own health check says, or another one."""
        kind, *command = self.configuration["Healthcheck"]["Test"]
        assert kind == "CMD"
        whole = [*self._buildah.program, *self._run(instead or command)]
        return subprocess.run(whole, capture_output=True, check=False, timeout=120).returncode == 0

    def _run(self, command: Sequence[str]) -> list[str]:
        return ["run", "--isolation=chroot", *self._options, self._name, "--", *command]

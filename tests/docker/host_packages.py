"""What this machine's apt and pip are told about where packages come from, so that a build can be told the same."""

import ast
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CERTIFICATES = Path("/run/host/certificates.crt")
"""Where a build finds the certificates that this machine's pip trusts."""


@dataclass(frozen=True)
class PipSettings:
    """Attributes: `text`, a pip.conf; `mounts`, what a build must see under which path for it to hold."""

    text: str
    mounts: dict[Path, Path]


def debian_sources(suite: str) -> str:
    """Lines of a sources.list for one release of Debian, from the mirrors that this machine uses itself."""
    form = "$(LABEL)|$(REPO_URI)|$(CODENAME)"
    output = _run("apt-get", "indextargets", "--format", form, "Created-By: Packages")
    found = sorted({line for line in output.splitlines() if line.startswith("Debian")})
    lines = []
    for line in found:
        _, address, codename = line.split("|")
        here = codename.partition("-")[0]
        lines.append(f"deb {address} {codename.replace(here, suite, 1)} main")
    return "".join(f"{line}\n" for line in dict.fromkeys(lines))


def apt_proxy_settings() -> str:
    """The lines of this machine's apt configuration that say how servers are reached."""
    return _run(
        "apt-config", "dump", "--format", '%F "%v";%n', "Acquire::http", "Acquire::https", "Acquire::Retries"
    )


def pip_settings() -> PipSettings:
    """This machine's pip configuration, from its files and its environment."""
    values: dict[str, str] = {}
    # Environment variables come last, as they do for pip.
    lines = sorted(_run(sys.executable, "-m", "pip", "config", "list").splitlines(), key=_is_environment)
    for line in lines:
        name, _, value = line.partition("=")
        values[name.rpartition(".")[2]] = ast.literal_eval(value)
    mounts = {}
    for path in _local_paths(" ".join(values.values())):
        mounts[path] = path
    if certificates := values.get("cert"):
        mounts.pop(Path(certificates), None)
        mounts[Path(certificates)] = CERTIFICATES
        values["cert"] = str(CERTIFICATES)
    settings = "".join(f"{name} = {' '.join(value.split())}\n" for name, value in sorted(values.items()))
    return PipSettings(f"[global]\n{settings}", mounts)


def _is_environment(line: str) -> bool:
    return line.startswith(":env:")


def _local_paths(text: str) -> list[Path]:
    """Files and folders of this machine that a value names, as a path or as a file: URL.

    For the URL of an index it is the folder above, since its pages may link to a folder beside it.
    """
    words = text.split()
    plain = [Path(word) for word in words if word.startswith("/")]
    indexes = [Path(word.removeprefix("file://")).parent for word in words if word.startswith("file:///")]
    return [path for path in plain + indexes if path.exists()]


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout

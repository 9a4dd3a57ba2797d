#!/usr/bin/env python3
"""Looks at what the engine's environment is made of: `make audit`. docs/security.md says what this covers.

Checks without the network: every dependency has an upper bound, every installed distribution that the engine needs has
a licence that is allowed (or a reason below), no CUDA in a CPU environment, the viewer is pinned by a hash. Known
weaknesses are looked up by pip-audit, where that is installed and its service answers; else this says so.
"""

import base64
import importlib.util
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
ALLOWED = re.compile(
    r"(?:0?BSD(?:-[23]-Clause)?|MIT(?:-CMU)?|Apache(?:-2\.0)?|LLVM-exception|ISC|Zlib|CC0-1\.0|BSL-1\.0|PSF(?:-2\.0)?|CNRI-Python"
    r"|Unlicense|MPL-2\.0)"
)
"""May be used and passed on with notices. MPL-2.0 asks for its own files alone, which we do not change."""
IN_WORDS = {
    "BSD License": "BSD",
    "BSD 3-Clause": "BSD",
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "Python Software Foundation License": "PSF",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
REASONS = {
    "nullsplat": "our own; the plugin in it is under the AGPL because it links to Orthanc",
    "gsplat": "states no licence in its metadata; its LICENSE file is Apache-2.0",
    "psycopg": "LGPL-3.0, used as an unchanged library that everybody may replace",
    "psycopg-binary": "LGPL-3.0, as psycopg",
    "python-gdcm": "states no licence in its metadata; its LICENSE file is Apache-2.0, and GDCM itself is BSD",
}
"""Distributions whose licence is not among the allowed ones, and why they are used all the same."""


def unbounded(requirements: Iterable[str]) -> list[str]:
    """Return the requirements that any later version would meet."""
    return [
        text
        for text in requirements
        if not {one.operator for one in Requirement(text).specifier} & {"<", "<=", "==", "~="}
    ]


def needed(root: str) -> Iterator[metadata.Distribution]:
    """Yield the installed distributions that `root` needs, itself included, each once."""
    seen: set[tuple[str, frozenset[str]]] = set()
    told: set[str] = set()
    waiting: list[tuple[str, frozenset[str]]] = [(root, frozenset())]
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # pip installs what is needed; an optional part that is not here cannot do harm
        if name not in told:
            told.add(name)
            yield distribution
        for text in distribution.requires or []:
            requirement = Requirement(text)
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
                waiting.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))


def licence(distribution: metadata.Distribution) -> str:
    """Return the licence that a distribution states, as an SPDX expression where it can be told; empty when it is silent."""
    stated = distribution.metadata
    if stated.get("License-Expression"):
        return str(stated["License-Expression"])
    classifiers = [
        text.split(" :: ")[-1] for text in stated.get_all("Classifier", []) if text.startswith("License ::")
    ]
    words = [text for text in classifiers if text != "OSI Approved"] or [
        (stated.get("License") or "").split("\n")[0].strip()
    ]
    return " AND ".join(IN_WORDS.get(one, one) for one in words if one)


def is_allowed(expression: str) -> bool:
    """Return whether one of the choices that the expression offers is allowed in all its parts."""
    choices = re.split(r"\s+OR\s+", expression.replace("(", "").replace(")", ""))
    return any(
        all(ALLOWED.fullmatch(part.strip()) for part in re.split(r"\s+(?:AND|WITH)\s+", choice))
        for choice in choices
    )


def refused_licences(distributions: Iterable[tuple[str, str]]) -> list[str]:
    """Return the names, with licences, that are neither allowed nor explained."""
    return [
        f"{name}: {stated or 'states no licence'}"
        for name, stated in distributions
        if not is_allowed(stated) and canonicalize_name(name) not in REASONS
    ]


def cuda(torch_version: str, names: Iterable[str]) -> list[str]:
    """Return the CUDA distributions in an environment with torch's CPU build."""
    return [one for one in names if "+cpu" in torch_version and re.match(r"(?:nvidia|cuda)[-_]", one)]


def loose_viewer(script: str) -> list[str]:
    """Return what is missing for the viewer to be one exact file."""
    version = re.search(r'VERSION = .*"(\d+\.\d+\.\d+)"', script)
    digest = re.search(r'INTEGRITY = "([^"]+)"', script)
    whole = digest is not None and len(base64.b64decode(digest[1])) == 64
    return [] if version and whole else ["scripts/viewer.py must name one version and its SHA-512"]


def problems() -> dict[str, list[str]]:
    """Return what is wrong, check by check."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    here = list(needed("nullsplat"))
    names = [one.metadata["Name"] for one in here]
    return {
        "dependencies without an upper bound": unbounded(project["dependencies"]),
        "licences that are neither allowed nor explained": refused_licences(
            zip(names, map(licence, here), strict=True)
        ),
        "CUDA in a CPU environment": cuda(metadata.version("torch"), names),
        "the viewer's pin": loose_viewer((ROOT / "scripts" / "viewer.py").read_text(encoding="utf-8")),
    }


def look_up() -> str:
    """Ask pip-audit for known weaknesses and return its last words, or why it was not asked."""
    if importlib.util.find_spec("pip_audit") is None:
        return "NOT CHECKED, pip-audit is not installed (pip install pip-audit)"
    command = [sys.executable, "-m", "pip_audit", "--local", "--progress-spinner", "off", "--timeout", "15"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    words = (done.stdout.strip() or done.stderr.strip()) or "none found"
    if done.returncode and "Found" not in done.stderr:
        return f"NOT CHECKED, pip-audit's service does not answer: {words.splitlines()[-1][:200]}"
    return words if done.returncode else "none known"


if __name__ == "__main__":
    found = problems()
    for check, wrong in found.items():
        print(f"{check}: {', '.join(wrong) or 'none'}")
    weaknesses = look_up()
    print(f"known weaknesses: {weaknesses}")
    sys.exit(bool(any(found.values()) or not weaknesses.startswith(("NOT CHECKED", "none known"))))

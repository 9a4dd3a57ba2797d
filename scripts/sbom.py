#!/usr/bin/env python3
"""Writes what a release is made of as a CycloneDX 1.6 bill of materials: `sbom.py FOLDER`, as `make package` and the engine's image do.

In FOLDER/nullsplat-VERSION.cdx.json are the engine, every installed distribution that it needs and no tool beside them, each with version,
licence and package URL, which needs which, and the packaged weights with their SHA-256. Needs `packaging` alone, so that it runs wherever the
engine does; a test has CycloneDX's own schema judge what it writes.
"""

import hashlib
import json
import sys
import uuid
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

from audit import ROOT, licence, needed
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

WEIGHTS = ROOT / "engine" / "nullsplat" / "prior" / "weights"


def bill(root: str = "nullsplat") -> dict[str, Any]:
    """Return the bill of materials of an installed distribution."""
    parts = {canonicalize_name(one.metadata["Name"]): one for one in needed(root)}
    libraries = {name: _library(name, one) for name, one in parts.items()}
    weights = [_weights(path) for path in sorted(WEIGHTS.glob("*/*/*.safetensors"))]
    whole = {**libraries.pop(canonicalize_name(root)), "type": "application"}
    references = {name: one["bom-ref"] for name, one in libraries.items()}
    needs = [
        {"ref": one["bom-ref"], "dependsOn": _among(references, parts[name])}
        for name, one in libraries.items()
    ]
    mine = [*_among(references, parts[canonicalize_name(root)]), *(one["bom-ref"] for one in weights)]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": uuid.uuid4().urn,
        "version": 1,
        "metadata": {"timestamp": datetime.now(UTC).isoformat(timespec="seconds"), "component": whole},
        "components": [*libraries.values(), *weights],
        "dependencies": [{"ref": whole["bom-ref"], "dependsOn": mine}, *needs],
    }


def _among(references: dict[str, str], distribution: metadata.Distribution) -> list[str]:
    """Return the references of what a distribution needs here."""
    requirements = map(Requirement, distribution.requires or [])
    names = {
        canonicalize_name(one.name)
        for one in requirements
        if not one.marker or one.marker.evaluate({"extra": ""})
    }
    return sorted(references[name] for name in names & references.keys())


def _library(name: str, distribution: metadata.Distribution) -> dict[str, Any]:
    about, stated = distribution.metadata, licence(distribution)
    licences = {"expression": stated} if about.get("License-Expression") else {"license": {"name": stated}}
    return {
        "type": "library",
        "bom-ref": f"{name}=={distribution.version}",
        "name": about["Name"],
        "version": distribution.version,
        "description": about.get("Summary", ""),
        "purl": f"pkg:pypi/{name}@{quote(distribution.version, safe='')}",
        **({"licenses": [licences]} if stated else {}),
    }


def _weights(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {
        "type": "machine-learning-model",
        "bom-ref": f"weights:{digest}",
        "name": path.relative_to(WEIGHTS).parts[0],
        "version": digest[:12],
        "description": "packaged weights; what trained them is in the MODEL_CARD.md beside them",
        "hashes": [{"alg": "SHA-256", "content": digest}],
    }


if __name__ == "__main__":
    path = Path(sys.argv[1]) / f"nullsplat-{metadata.version('nullsplat')}.cdx.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(bill(), indent=2) + "\n", encoding="utf-8")
    print(path)

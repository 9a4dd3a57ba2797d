#!/usr/bin/env python3
"""Writes what a release is made of as a CycloneDX 1.6 bill of materials: `sbom.py FOLDER`, as `make package` does.

In FOLDER/nullsplat-VERSION.cdx.json are the engine, every installed distribution that it needs and no tool beside them, each with version, licence and package
URL, which needs which, and the packaged weights with their SHA-256.
"""

import hashlib
import sys
from importlib import metadata
from pathlib import Path

from audit import ROOT, licence, needed
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

WEIGHTS = ROOT / "engine" / "nullsplat" / "prior" / "weights"


def bill(root: str = "nullsplat") -> Bom:
    """Return the bill of materials of an installed distribution."""
    parts = {canonicalize_name(one.metadata["Name"]): one for one in needed(root)}
    libraries = {name: _library(one) for name, one in parts.items()}
    weights = [_weights(path) for path in sorted(WEIGHTS.glob("*/*/*.safetensors"))]
    whole = libraries[canonicalize_name(root)]
    whole.type = ComponentType.APPLICATION
    bom = Bom(components=[*(one for one in libraries.values() if one is not whole), *weights])
    bom.metadata.component = whole
    for name, one in parts.items():
        bom.register_dependency(
            libraries[name], [libraries[needs] for needs in _needs(one) if needs in libraries]
        )
    bom.register_dependency(whole, weights)
    return bom


def _needs(distribution: metadata.Distribution) -> set[str]:
    requirements = map(Requirement, distribution.requires or [])
    return {
        canonicalize_name(one.name)
        for one in requirements
        if not one.marker or one.marker.evaluate({"extra": ""})
    }


def _library(distribution: metadata.Distribution) -> Component:
    name, stated = distribution.metadata["Name"], licence(distribution)
    return Component(
        name=name,
        version=distribution.version,
        bom_ref=f"{canonicalize_name(name)}=={distribution.version}",
        description=distribution.metadata.get("Summary"),
        licenses=[LicenseFactory().make_from_string(stated)] if stated else (),
        purl=PackageURL("pypi", None, canonicalize_name(name), distribution.version),
    )


def _weights(path: Path) -> Component:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Component(
        name=path.relative_to(WEIGHTS).parts[0],
        version=digest[:12],
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=f"weights:{digest}",
        description="packaged weights; what trained them is in the MODEL_CARD.md beside them",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
    )


def written(bom: Bom) -> str:
    """Return the bill as JSON that was checked against CycloneDX's schema."""
    text = JsonV1Dot6(bom).output_as_string(indent=2)
    if wrong := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise SystemExit(f"the bill of materials breaks the schema of CycloneDX 1.6: {wrong}")
    return text


if __name__ == "__main__":
    path = Path(sys.argv[1]) / f"nullsplat-{metadata.version('nullsplat')}.cdx.json"
    path.write_text(written(bill()) + "\n", encoding="utf-8")
    print(path)

"""The bill of materials that `make package` writes, read back and judged by CycloneDX's own schema."""

import hashlib
import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from nullsplat.prior import weights

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "sbom.py"


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, str(SCRIPT), str(folder)], check=True)
    return (folder / f"nullsplat-{metadata.version('nullsplat')}.cdx.json").read_text()


@pytest.fixture(scope="module")
def bill(text: str) -> dict[str, Any]:
    return dict(json.loads(text))


def test_it_follows_the_schema(text: str) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_what_the_engine_needs_is_in_it_and_its_tools_are_not(bill: dict[str, Any]) -> None:
    versions = {one["purl"]: one["version"] for one in bill["components"] if "purl" in one}
    for name in ("torch", "sympy", "highdicom"):  # sympy is torch's
        version = metadata.version(name)
        assert versions[f"pkg:pypi/{name}@{version.replace('+', '%2B')}"] == version
    names = {one["name"].lower() for one in bill["components"]}
    assert not names & {"pytest", "ruff", "cyclonedx-python-lib"}
    assert bill["metadata"]["component"]["name"] == "nullsplat"


def test_the_weights_are_in_it_with_their_hashes(bill: dict[str, Any]) -> None:
    models = {
        one["name"]: one["hashes"] for one in bill["components"] if one["type"] == "machine-learning-model"
    }
    for prior in weights.PACKAGED:
        content = (weights.locate(prior) / weights.UNET_FILE).read_bytes()
        assert models[prior] == [{"alg": "SHA-256", "content": hashlib.sha256(content).hexdigest()}]


def test_who_needs_whom_is_told(bill: dict[str, Any]) -> None:
    needs = {one["ref"].split("==")[0]: one.get("dependsOn", []) for one in bill["dependencies"]}
    assert any(one.startswith("sympy==") for one in needs["torch"])
    assert sum(one.startswith("weights:") for one in needs["nullsplat"]) == len(weights.PACKAGED)
    assert not any(one.startswith("pyyaml==") for one in needs["nullsplat"])  # of an extra

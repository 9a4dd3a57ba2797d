"""The Kubernetes manifests: valid, hardened, and every name that is used is there."""

import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from tests.docker.test_compose import settings_secrets

from nullsplat.node.configuration import overlay, read_configuration

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docker/kubernetes"
BASE = FOLDER / "base"
KUBERNETES = "1.32"
Json = dict[str, Any]


def documents(folder: Path) -> list[Json]:
    """All objects of a folder's manifests; kustomization.yaml and site/ are none."""
    paths = [path for path in sorted(folder.glob("*.yaml")) if path.name != "kustomization.yaml"]
    return [one for path in paths for one in yaml.safe_load_all(path.read_text())]


OBJECTS = documents(BASE)
WORKLOADS = {one["metadata"]["name"]: one for one in OBJECTS if one["kind"] in ("StatefulSet", "Deployment")}


def pod(name: str) -> Json:
    specification: Json = WORKLOADS[name]["spec"]["template"]["spec"]
    return specification


def container(name: str) -> Json:
    (only,) = pod(name)["containers"]
    found: Json = only
    return found


def test_all_parts_are_there() -> None:
    assert WORKLOADS.keys() == {"orthanc", "engine", "worker"}
    listed = yaml.safe_load((BASE / "kustomization.yaml").read_text())["resources"]
    assert sorted(listed) == sorted(
        path.name for path in BASE.glob("*.yaml") if path.name != "kustomization.yaml"
    )


@pytest.mark.parametrize("one", OBJECTS, ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
def test_kubernetes_own_schema_is_met(one: Json) -> None:
    kubernetes_validate.validate(one, KUBERNETES, strict=True)


@pytest.mark.parametrize("overlay_name", ["cpu", "gpu"])
def test_kustomize_makes_valid_objects(overlay_name: str) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("no kubectl here, which has kustomize; the manifests below the overlays were looked at")
    command = ["kubectl", "kustomize", str(FOLDER / "overlays" / overlay_name)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    objects = list(yaml.safe_load_all(done.stdout))
    for one in objects:
        kubernetes_validate.validate(one, KUBERNETES, strict=True)
    assert len(objects) == len(OBJECTS) + 1  # the ConfigMap `site`
    check_overlay(objects, overlay_name)


def check_overlay(objects: list[Json], overlay_name: str) -> None:
    (worker,) = (
        one for one in objects if one["kind"] == "StatefulSet" and one["metadata"]["name"] == "worker"
    )
    (only,) = worker["spec"]["template"]["spec"]["containers"]
    environment = {entry["name"]: entry.get("value") for entry in only["env"]}
    assert environment["NULLSPLAT_SECRET_FILE"], "an overlay must add to the environment, not replace it"
    assert environment["NULLSPLAT_DEVICE"] == {"cpu": "cpu", "gpu": "cuda"}[overlay_name]
    assert only["resources"]["limits"].get("nvidia.com/gpu") == {"cpu": None, "gpu": 1}[overlay_name]
    assert only["image"].endswith({"cpu": "engine:0.1.0", "gpu": "engine:0.1.0-cuda"}[overlay_name])
    (orthanc,) = (
        one for one in objects if one["kind"] == "StatefulSet" and one["metadata"]["name"] == "orthanc"
    )
    (site,) = (one["metadata"]["name"] for one in objects if one["kind"] == "ConfigMap")
    volumes = orthanc["spec"]["template"]["spec"]["volumes"]
    assert site in {volume["configMap"]["name"] for volume in volumes if "configMap" in volume}
    assert {one["metadata"].get("namespace") for one in objects if one["kind"] != "Namespace"} == {
        "nullsplat"
    }


@pytest.mark.parametrize("name", ["orthanc", "engine", "worker"])
def test_pods_are_hardened(name: str) -> None:
    security = pod(name)["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] == security["fsGroup"] == 10001
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod(name)["automountServiceAccountToken"] is False
    own = container(name)["securityContext"]
    assert own["readOnlyRootFilesystem"] is True
    assert own["allowPrivilegeEscalation"] is False
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert "hostNetwork" not in pod(name), "workers tell each other's processes apart by the host's name"


@pytest.mark.parametrize("name", ["orthanc", "engine", "worker"])
def test_pods_are_probed_and_limited(name: str) -> None:
    assert {"startupProbe", "livenessProbe"} <= container(name).keys()
    assert container(name)["resources"]["limits"]["memory"]
    assert container(name)["resources"]["requests"].keys() == {"cpu", "memory"}
    ports = {port["name"] for port in container(name).get("ports", [])}
    for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
        if "httpGet" in container(name).get(kind, {}):
            assert container(name)[kind]["httpGet"]["port"] in ports


@pytest.mark.parametrize("name", ["orthanc", "engine", "worker"])
def test_every_mount_has_a_volume_and_every_file_a_mount(name: str) -> None:
    claims = {one["metadata"]["name"] for one in WORKLOADS[name]["spec"].get("volumeClaimTemplates", [])}
    volumes = {volume["name"] for volume in pod(name)["volumes"]} | claims
    mounts = {mount["name"]: mount["mountPath"] for mount in container(name)["volumeMounts"]}
    assert mounts.keys() == volumes
    claimed = {
        volume["persistentVolumeClaim"]["claimName"]
        for volume in volumes_of_kind(name, "persistentVolumeClaim")
    }
    assert claimed <= {one["metadata"]["name"] for one in OBJECTS if one["kind"] == "PersistentVolumeClaim"}
    secrets = {f"/run/secrets/nullsplat/{item['path']}" for item in secret_items(name)}
    for entry in container(name)["env"]:
        value = entry.get("value", "")
        if entry["name"].endswith("_FILE") and "/secrets/" in value:
            assert value in secrets
    assert {item["key"] for item in secret_items(name)} <= settings_secrets(), "what make-secrets.sh makes"


def test_the_configuration_map_holds_what_the_pods_name() -> None:
    (generator,) = yaml.safe_load((BASE / "kustomization.yaml").read_text())["configMapGenerator"]
    assert {volume["configMap"]["name"] for volume in volumes_of_kind("orthanc", "configMap")} == {
        generator["name"]
    }
    files = {Path(file).name for file in generator["files"]}
    assert all((BASE / file).is_file() for file in generator["files"])
    (rules,) = (
        entry["value"] for entry in container("orthanc")["env"] if entry["name"] == "NULLSPLAT_RULES_FILE"
    )
    assert Path(rules).name in files


def test_the_site_files_can_be_used() -> None:
    site = read_configuration(BASE / "site")
    merged = overlay(read_configuration(ROOT / "orthanc-config"), site)
    assert merged.keys() == read_configuration(ROOT / "orthanc-config").keys(), "a misspelt section"
    (rule,) = tomllib.loads((BASE / "site/rules.toml").read_text())["rule"]
    assert rule["match"] == {"low_dose": True}


def test_services_lead_to_ports_of_pods() -> None:
    services = [one for one in OBJECTS if one["kind"] == "Service"]
    assert {one["metadata"]["name"] for one in services} == {"orthanc", "dicom", "engine", "worker"}
    for service in services:
        name = service["spec"]["selector"]["app.kubernetes.io/name"]
        ports = {port["name"] for port in container(name).get("ports", [])}
        assert {port["targetPort"] for port in service["spec"].get("ports", [])} <= ports
    for name, workload in WORKLOADS.items():
        labels = workload["spec"]["template"]["metadata"]["labels"]
        assert workload["spec"]["selector"]["matchLabels"] == labels == {"app.kubernetes.io/name": name}


def test_urls_name_services_and_their_ports() -> None:
    open_ports = {
        f"{one['metadata']['name']}:{port['port']}"
        for one in OBJECTS
        if one["kind"] == "Service"
        for port in one["spec"].get("ports", [])
    }
    urls = [
        entry["value"]
        for name in WORKLOADS
        for entry in container(name)["env"]
        if entry["name"].endswith("_URL")
    ]
    assert {url.split("/")[2] for url in urls} == {"orthanc:8042", "engine:8043"} <= open_ports


def test_network_policies_deny_first_and_let_only_existing_ports_through() -> None:
    policies = {one["metadata"]["name"]: one["spec"] for one in OBJECTS if one["kind"] == "NetworkPolicy"}
    assert policies["nothing-by-default"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for name in ("orthanc", "engine"):
        assert policies[name]["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": name}
        let_in = {port["port"] for rule in policies[name]["ingress"] for port in rule["ports"]}
        assert let_in == {port["containerPort"] for port in container(name)["ports"]}
        assert all(rule["from"] for rule in policies[name]["ingress"]), "an empty `from` is everybody"


def volumes_of_kind(name: str, kind: str) -> Iterator[Json]:
    return (volume for volume in pod(name)["volumes"] if kind in volume)


def secret_items(name: str) -> list[Json]:
    return [item for volume in volumes_of_kind(name, "secret") for item in volume["secret"]["items"]]

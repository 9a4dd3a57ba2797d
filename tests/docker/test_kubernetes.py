"""The Helm chart: rendered for several sites it is valid and hardened, and every name that is used is there."""

import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from tests.docker.helm import helm
from tests.docker.test_compose import settings_secrets

from nullsplat.node.configuration import overlay, read_configuration
from nullsplat.service.contract.messages import schema
from nullsplat.service.settings import Settings, unknown_variables

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "docker/kubernetes"
KUBERNETES = "1.32"
Json = dict[str, Any]
PLAIN, FULL = "as it is", "GPUs, PostgreSQL inside, ingress, autoscaling"
SITES: dict[str, Json] = {
    PLAIN: {},
    FULL: {
        "worker": {
            "device": "cuda",
            "drainSeconds": 600,
            "sharedSpool": {"enabled": True, "storage": "300Gi", "storageClass": "nfs"},
        },
        "postgresql": {"inside": True},
        "ingress": {"enabled": True, "host": "ct.example", "tlsSecret": "ct-tls", "worklist": True},
        "autoscaling": {"enabled": True, "minimum": 0, "maximum": 8},
        "images": {"pullSecrets": ["registry"]},
        "engine": {"environment": {"NULLSPLAT_TRANSFER_SYNTAX": "jpeg-ls"}},
        "storageClass": "fast",
        "audit": {"host": "audit.example", "tlsSecret": "audit-tls"},
        "network": {"databases": ["10.1.0.0/16"], "repositories": ["10.2.0.1/32"]},
    },
    "no network policies, three workers": {
        "network": {"enabled": False},
        "worker": {"replicas": 3, "tolerations": [{"key": "ct", "operator": "Exists"}]},
    },
}
OF_KEDA = ("ScaledObject", "TriggerAuthentication")


def rendered(values: Json, *more: str) -> "subprocess.CompletedProcess[str]":
    """What `helm template` says, with the values from standard input."""
    command = [str(helm()), "template", "node", str(CHART), "--namespace", "ct", "--values", "-", *more]
    return subprocess.run(command, input=yaml.safe_dump(values), capture_output=True, text=True, check=False)


@dataclass(frozen=True)
class Rendered:
    """The objects of one site."""

    objects: list[Json]

    def of_kind(self, *kinds: str) -> dict[str, Json]:
        return {one["metadata"]["name"]: one for one in self.objects if one["kind"] in kinds}

    @property
    def workloads(self) -> dict[str, Json]:
        return self.of_kind("StatefulSet", "Deployment")

    def pod(self, name: str) -> Json:
        specification: Json = self.workloads[name]["spec"]["template"]["spec"]
        return specification

    def container(self, name: str) -> Json:
        (only,) = self.pod(name)["containers"]
        found: Json = only
        return found

    def environment(self, name: str) -> dict[str, str]:
        return {entry["name"]: entry.get("value", "") for entry in self.container(name)["env"]}

    def volumes_of_kind(self, name: str, kind: str) -> Iterator[Json]:
        return (volume for volume in self.pod(name)["volumes"] if kind in volume)

    def secret_items(self, name: str) -> list[Json]:
        (own,) = (volume for volume in self.volumes_of_kind(name, "secret") if volume["name"] == "secrets")
        items: list[Json] = own["secret"]["items"]
        return items


def of_site(name: str) -> Rendered:
    done = rendered(SITES[name])
    assert done.returncode == 0, done.stderr
    return Rendered([one for one in yaml.safe_load_all(done.stdout) if one])


@pytest.fixture(scope="module", params=SITES)
def site(request: pytest.FixtureRequest) -> Rendered:
    return of_site(request.param)


@pytest.fixture(scope="module")
def full() -> Rendered:
    return of_site(FULL)


@pytest.fixture(scope="module")
def plain() -> Rendered:
    return of_site(PLAIN)


def test_helm_finds_nothing() -> None:
    done = subprocess.run(
        [str(helm()), "lint", "--strict", str(CHART)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_chart_has_the_projects_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert chart["version"] == chart["appVersion"] == project["version"]


def test_kubernetes_own_schema_is_met(site: Rendered) -> None:
    for one in site.objects:
        if one["kind"] not in OF_KEDA:
            kubernetes_validate.validate(one, KUBERNETES, strict=True)
        assert one["metadata"]["labels"]["app.kubernetes.io/part-of"] == "nullsplat"


def test_parts_are_there_when_asked_for(plain: Rendered, full: Rendered) -> None:
    assert plain.workloads.keys() == {"orthanc", "engine", "worker"}
    assert full.workloads.keys() == {"orthanc", "engine", "worker", "postgres"}
    more = {one["kind"] for one in full.objects} - {one["kind"] for one in plain.objects}
    assert more == {"Ingress", *OF_KEDA}
    assert not of_site("no network policies, three workers").of_kind("NetworkPolicy")


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"worker": {"replica": 3}}, "additional properties 'replica' not allowed"),
        ({"worker": {"device": "gpu"}}, "must be one of 'cpu', 'cuda'"),
        ({"ingress": {"enabled": True}}, "/ingress/host"),
        ({"engine": {"environment": {"TRANSFER_SYNTAX": "jpeg-ls"}}}, "TRANSFER_SYNTAX"),
        ({"network": {"senders": ["10.1.2.3"]}}, "/network/senders/0"),
    ],
)
def test_a_wrong_value_is_named(values: Json, complaint: str) -> None:
    done = rendered(values)
    assert done.returncode != 0
    assert complaint in done.stderr


def test_pods_are_hardened(site: Rendered) -> None:
    for name in site.workloads:
        security = site.pod(name)["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["runAsUser"] == security["fsGroup"] == (999 if name == "postgres" else 10001)
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert site.pod(name)["automountServiceAccountToken"] is False
        own = site.container(name)["securityContext"]
        assert own["readOnlyRootFilesystem"] is True
        assert own["allowPrivilegeEscalation"] is False
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert "hostNetwork" not in site.pod(name), (
            "workers tell each other's processes apart by the host's name"
        )


def test_pods_are_probed_and_limited(site: Rendered) -> None:
    for name in site.workloads:
        container = site.container(name)
        assert {"startupProbe", "livenessProbe"} <= container.keys()
        assert container["resources"]["limits"]["memory"]
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        ports = {port["name"] for port in container.get("ports", [])}
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            if "httpGet" in container.get(kind, {}):
                assert container[kind]["httpGet"]["port"] in ports


def test_every_mount_has_a_volume_and_every_file_a_mount(site: Rendered) -> None:
    for name, workload in site.workloads.items():
        claims = {one["metadata"]["name"] for one in workload["spec"].get("volumeClaimTemplates", [])}
        volumes = {volume["name"] for volume in site.pod(name)["volumes"]} | claims
        mounts = {mount["name"]: mount["mountPath"] for mount in site.container(name)["volumeMounts"]}
        assert mounts.keys() == volumes
        claimed = {
            volume["persistentVolumeClaim"]["claimName"]
            for volume in site.volumes_of_kind(name, "persistentVolumeClaim")
        }
        assert claimed <= site.of_kind("PersistentVolumeClaim").keys()
        secrets = {f"/run/secrets/nullsplat/{item['path']}" for item in site.secret_items(name)}
        for variable, value in site.environment(name).items():
            if variable.endswith("_FILE") and "/secrets/" in value:
                assert value in secrets
        assert {item["key"] for item in site.secret_items(name)} <= settings_secrets(), (
            "what make-secrets.sh makes"
        )


def test_the_configuration_map_holds_what_the_pods_name(site: Rendered) -> None:
    (volume,) = site.volumes_of_kind("orthanc", "configMap")
    files = site.of_kind("ConfigMap")[volume["configMap"]["name"]]["data"]
    assert Path(site.environment("orthanc")["NULLSPLAT_RULES_FILE"]).name in files
    for name, content in files.items():
        assert content.strip() == (CHART / "site" / name).read_text().strip()


def test_other_site_files_make_new_pods_of_orthanc(tmp_path: Path) -> None:
    def stamp(*more: str) -> str:
        done = rendered({}, *more)
        objects = Rendered([one for one in yaml.safe_load_all(done.stdout) if one])
        annotations = objects.workloads["orthanc"]["spec"]["template"]["metadata"]["annotations"]
        return str(annotations["checksum/site"])

    (tmp_path / "rules.toml").write_text('[[rule]]\nname = "all"\n')
    assert stamp() == stamp() != stamp("--set-file", f"site.rules={tmp_path / 'rules.toml'}")


def test_the_site_files_can_be_used() -> None:
    own = read_configuration(CHART / "site")
    merged = overlay(read_configuration(ROOT / "orthanc-config"), own)
    assert merged.keys() == read_configuration(ROOT / "orthanc-config").keys(), "a misspelt section"
    (rule,) = tomllib.loads((CHART / "site/rules.toml").read_text())["rule"]
    assert rule["match"] == {"low_dose": True}


def test_settings_are_ones_that_the_engine_knows(full: Rendered) -> None:
    for name in ("engine", "worker"):
        environment = full.environment(name)
        assert unknown_variables(environment) == ()
        assert environment["NULLSPLAT_TRANSFER_SYNTAX"] == "jpeg-ls"


def test_the_audit_repository_is_told_with_the_nodes_certificate(plain: Rendered, full: Rendered) -> None:
    for name in ("engine", "worker"):
        assert not any(variable.startswith("NULLSPLAT_AUDIT") for variable in plain.environment(name))
        environment = full.environment(name)
        assert environment["NULLSPLAT_AUDIT_SYSLOG"] == "audit.example:6514"
        (volume,) = (one for one in full.volumes_of_kind(name, "secret") if one["name"] == "audit")
        assert volume["secret"]["secretName"] == "audit-tls"
        files = {environment[f"NULLSPLAT_AUDIT_{what}_FILE"] for what in ("CA", "CERTIFICATE", "KEY")}
        assert files == {f"/etc/nullsplat/audit/{file}" for file in ("ca.crt", "tls.crt", "tls.key")}
    let_out = full.of_kind("NetworkPolicy")["engine-and-workers"]["spec"]["egress"]
    assert {"ports": [{"port": 6514}], "to": [{"ipBlock": {"cidr": "10.2.0.1/32"}}]} in let_out


def test_workers_share_the_jobs_files_when_asked_to_and_no_audit_log(plain: Rendered, full: Rendered) -> None:
    claim = full.of_kind("PersistentVolumeClaim")["jobs"]["spec"]
    assert claim["accessModes"] == ["ReadWriteMany"]
    assert (claim["storageClassName"], claim["resources"]["requests"]["storage"]) == ("nfs", "300Gi")
    mounts = {mount["name"]: mount["mountPath"] for mount in full.container("worker")["volumeMounts"]}
    assert full.environment("worker")["NULLSPLAT_SHARED_SPOOL"].startswith(f"{mounts['jobs']}/")
    assert full.environment("worker")["NULLSPLAT_SPOOL"].startswith(f"{mounts['spool']}/")
    assert "NULLSPLAT_SHARED_SPOOL" not in plain.environment("worker")
    own = rendered({"worker": {"sharedSpool": {"enabled": True, "claim": "of-the-site"}}})
    given = Rendered([one for one in yaml.safe_load_all(own.stdout) if one])
    assert "jobs" not in given.of_kind("PersistentVolumeClaim")
    assert [
        volume["persistentVolumeClaim"] for volume in given.volumes_of_kind("worker", "persistentVolumeClaim")
    ] == [{"claimName": "of-the-site"}]


def test_a_worker_on_a_gpu_has_one(plain: Rendered, full: Rendered) -> None:
    for site, device, gpus in ((plain, "cpu", None), (full, "cuda", 1)):
        assert site.environment("worker")["NULLSPLAT_DEVICE"] == device
        assert site.container("worker")["resources"]["limits"].get("nvidia.com/gpu") == gpus
    assert [one["key"] for one in full.pod("worker")["tolerations"]] == ["nvidia.com/gpu"]
    assert "tolerations" not in plain.pod("worker")


def test_who_takes_a_worker_away_waits_longer_than_it_drains(site: Rendered) -> None:
    drains = float(site.environment("worker")["NULLSPLAT_DRAIN_SECONDS"])
    assert (
        site.pod("worker")["terminationGracePeriodSeconds"]
        > drains
        > Settings.model_fields["drain_seconds"].default
    )


def test_autoscaling_asks_the_engine_for_jobs_that_it_has(full: Rendered) -> None:
    (scaled,) = full.of_kind("ScaledObject").values()
    specification = scaled["spec"]
    assert specification["scaleTargetRef"] == {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "name": "worker",
    }
    assert "replicas" not in full.workloads["worker"]["spec"], "an upgrade must not undo what KEDA has scaled"
    assert (specification["minReplicaCount"], specification["maxReplicaCount"]) == (0, 8)
    states = {trigger["name"]: trigger for trigger in specification["triggers"]}
    assert states.keys() == schema()["$defs"]["engine_info"]["properties"]["queue"]["properties"].keys()
    assert specification["advanced"]["scalingModifiers"]["formula"].split(" + ") == list(states)
    for state, trigger in states.items():
        assert trigger["type"] == "metrics-api"
        assert trigger["metadata"]["url"] == "http://engine.ct.svc:8043/v1/engine"
        assert trigger["metadata"]["valueLocation"] == f"queue.{state}"
        assert trigger["authenticationRef"]["name"] in full.of_kind("TriggerAuthentication")
    (authentication,) = full.of_kind("TriggerAuthentication").values()
    (token,) = authentication["spec"]["secretTargetRef"]
    assert (token["parameter"], token["key"]) == ("token", "shared_secret")


def test_people_come_in_by_tls_only(full: Rendered) -> None:
    (ingress,) = full.of_kind("Ingress").values()
    (tls,) = ingress["spec"]["tls"]
    (rule,) = ingress["spec"]["rules"]
    assert tls == {"hosts": [rule["host"]], "secretName": "ct-tls"}
    leads = {path["path"]: path["backend"]["service"] for path in rule["http"]["paths"]}
    to_engine = {key: {"name": "engine", "port": {"name": "http"}} for key in ("/workitems", "/subscribers")}
    assert leads == {"/": {"name": "orthanc", "port": {"name": "http"}}} | to_engine


def test_the_worklist_is_offered_to_other_machines_only_where_that_is_asked_for() -> None:
    ingress = {"enabled": True, "host": "ct.example", "tlsSecret": "ct-tls"}
    for worklist in (False, True):
        done = rendered({"ingress": ingress | {"worklist": worklist}})
        site = Rendered([one for one in yaml.safe_load_all(done.stdout) if one])
        (rule,) = site.of_kind("Ingress")["orthanc"]["spec"]["rules"]
        assert len(rule["http"]["paths"]) == (3 if worklist else 1)
        (let_in,) = site.of_kind("NetworkPolicy")["engine"]["spec"]["ingress"]
        controller = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}
        assert (controller in let_in["from"]) == worklist
        assert ("FORWARDED_ALLOW_IPS" in site.environment("engine")) == worklist


def test_services_lead_to_ports_of_pods(site: Rendered) -> None:
    services = site.of_kind("Service")
    assert services.keys() == {*site.workloads, "dicom"}
    for service in services.values():
        name = service["spec"]["selector"]["app.kubernetes.io/name"]
        ports = {port["name"] for port in site.container(name).get("ports", [])}
        assert {port["targetPort"] for port in service["spec"].get("ports", [])} <= ports
    for name, workload in site.workloads.items():
        labels = workload["spec"]["template"]["metadata"]["labels"]
        assert workload["spec"]["selector"]["matchLabels"] == labels == {"app.kubernetes.io/name": name}


def test_urls_name_services_and_their_ports(site: Rendered) -> None:
    open_ports = {
        f"{name}:{port['port']}"
        for name, one in site.of_kind("Service").items()
        for port in one["spec"].get("ports", [])
    }
    urls = [
        value
        for name in site.workloads
        for variable, value in site.environment(name).items()
        if variable.endswith("_URL")
    ]
    assert {url.split("/")[2] for url in urls} == {"orthanc:8042", "engine:8043"} <= open_ports


def test_network_policies_deny_first_and_let_only_existing_ports_through(
    plain: Rendered, full: Rendered
) -> None:
    for site in (plain, full):
        policies = {name: one["spec"] for name, one in site.of_kind("NetworkPolicy").items()}
        assert policies["nothing-by-default"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
        for name in site.workloads.keys() - {"worker"}:
            assert policies[name]["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": name}
            let_in = {port["port"] for rule in policies[name]["ingress"] for port in rule["ports"]}
            assert let_in == {port["containerPort"] for port in site.container(name)["ports"]}
            assert all(rule["from"] for rule in policies[name]["ingress"]), "an empty `from` is everybody"
    asked_by = full.of_kind("NetworkPolicy")["engine"]["spec"]["ingress"][0]["from"]
    assert {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "keda"}}} in asked_by

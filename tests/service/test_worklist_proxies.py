"""Worklist and event reports through nginx and Apache, as the examples in orthanc-config set them up."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from tests.support.security.apache import AROUND as AROUND_APACHE
from tests.support.security.apache import MODULES
from tests.support.security.authority import Authority, example_authority
from tests.support.security.proxy import AROUND
from tests.support.service.engine import SECRET, Engine
from tests.support.service.ups_client import STATE, UpsClient, value
from tests.support.service.ups_watcher import ALL, watching

from nullsplat.node.configuration import configuration_folder
from nullsplat.node.processes import free_port, start, wait_until_listening

LOADED = ("mpm_event", "authn_core", "authz_core", "socache_shmcb", "headers", "proxy", "proxy_http", "ssl")


@dataclass(frozen=True)
class Proxy:
    """A program, how it is called and what stands around the example."""

    program: str
    around: str
    arguments: tuple[str, ...]
    logs: str
    listen: tuple[str, str]


NGINX = Proxy(
    "nginx",
    AROUND.replace("nullsplat.conf", "worklist.conf"),
    ("-p", "{folder}", "-e", "stderr", "-c", "{folder}/main.conf"),
    "/var/log/nginx",
    ("listen 8044", "listen 127.0.0.1:{port}"),
)
APACHE = Proxy(
    "apache2",
    AROUND_APACHE.replace("Listen 127.0.0.1:{port}\n", "").replace("nullsplat.conf", "worklist.conf"),
    ("-X", "-f", "{folder}/main.conf"),
    "/var/log/apache2",
    ("8044", "{port}"),
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return example_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(params=[NGINX, APACHE], ids=["nginx", "apache"])
def proxy(
    request: pytest.FixtureRequest, engine: Engine, authority: Authority, tmp_path: Path
) -> Iterator[str]:
    """The address of the worklist behind a proxy."""
    proxy: Proxy = request.param
    if shutil.which(proxy.program) is None:
        pytest.skip(f"{proxy.program} is needed: make setup-system")
    folder, port = tmp_path / "proxy", free_port()
    folder.mkdir()
    example = proxy.program.removesuffix("2")
    text = (configuration_folder() / f"{example}-worklist.conf.example").read_text()
    for shipped, ours in (
        (proxy.listen[0], proxy.listen[1].format(port=port)),
        ("/etc/nullsplat/tls", str(authority.folder)),
        ("http://127.0.0.1:8043", str(engine.client.base_url).rstrip("/")),
        (proxy.logs, str(folder)),
    ):
        assert shipped in text
        text = text.replace(shipped, ours)
    (folder / "worklist.conf").write_text(text)
    modules = "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in LOADED)
    (folder / "main.conf").write_text(proxy.around.format(folder=folder, modules=modules))
    command = [proxy.program, *(argument.format(folder=folder) for argument in proxy.arguments)]
    child = start(proxy.program, command, {}, folder / "proxy.log")
    wait_until_listening(child, port)
    yield f"https://127.0.0.1:{port}"
    child.stop()


def test_a_client_orders_and_hears_of_it_through_the_proxy_and_reaches_nothing_else(
    proxy: str, engine: Engine, authority: Authority, request_for: Callable[..., dict[str, Any]]
) -> None:
    secret = {"Authorization": f"Bearer {SECRET}"}
    trusted = {"ca_certs": str(authority.ca_file)}
    with httpx.Client(base_url=proxy, verify=authority.client(), headers=secret, trust_env=False) as client:
        with watching(UpsClient(proxy, SECRET), "WATCHER", sslopt=trusted) as watcher:
            answer = client.post(f"/workitems/{ALL}/subscribers/WATCHER")
            assert (answer.status_code, urlsplit(answer.headers["Content-Location"]).scheme) == (201, "wss")
            assert (
                answer.headers["Content-Location"] == f"{proxy.replace('https', 'wss')}/subscribers/WATCHER"
            )
            engine.put(request_for())
            assert value(watcher.next(), STATE) == "SCHEDULED"
        assert client.get("/workitems").status_code == 200
        assert client.get("/workitems", headers={"Authorization": "Bearer x"}).status_code == 401
        for path in ("/v1/jobs", "/metrics", "/healthz", "/workitemsx"):
            assert client.get(path).status_code == 404

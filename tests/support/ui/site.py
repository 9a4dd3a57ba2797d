"""The plugin, loaded by its own script over a make-believe `orthanc` module, and served on loopback."""

import importlib.util
import json
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock
from urllib.parse import parse_qsl, urlsplit

from tests.support.ui.archive import BrowserArchive
from tests.support.ui.engine import PacedEngine

SCRIPT = Path(__file__).resolve().parents[3] / "plugin" / "nullsplat_plugin.py"
SECRET = "a-secret-of-the-tests"
Callback = Callable[..., None]


class Output:
    """Orthanc's RestOutput: what was answered."""

    def __init__(self) -> None:
        self.status, self.body, self.headers = 200, b"", dict[str, str]()

    def AnswerBuffer(self, body: str | bytes, kind: str) -> None:  # noqa: N802 - Orthanc's names
        self.body = body.encode() if isinstance(body, str) else body
        self.headers["Content-Type"] = kind

    def SetHttpHeader(self, name: str, value: str) -> None:  # noqa: N802
        self.headers[name] = value

    def SendHttpStatus(self, status: int, body: str, size: int) -> None:  # noqa: N802
        self.status, self.body = status, body.encode()

    def SendHttpStatusCode(self, status: int) -> None:  # noqa: N802
        self.status = status

    def SendMethodNotAllowed(self, allowed: str) -> None:  # noqa: N802
        self.status, self.headers["Allow"] = 405, allowed

    def Redirect(self, where: str) -> None:  # noqa: N802
        self.status, self.headers["Location"] = 301, where


@dataclass
class Site:
    """A node as a browser sees it.

    Attributes:
        archive: its series.
        engine: the engine beside it.
        asked: method and path of every request of the browser.
        sent: headers of every POST.
        silent: answers 503 to everything about NullSplat while it is set.
    """

    archive: BrowserArchive
    engine: PacedEngine
    url: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    sent: list[dict[str, str]] = field(default_factory=list)
    silent: bool = False
    routes: list[tuple[str, Callback]] = field(default_factory=list)
    plugin: ModuleType | None = None

    @property
    def page(self) -> str:
        """Address of the page."""
        return f"{self.url}/nullsplat/ui/index.html"

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Output:
        """What Orthanc answers."""
        address = urlsplit(target)
        path = "/" + "/".join(part for part in address.path.split("/") if part)  # as Orthanc does
        query = dict(parse_qsl(address.query))
        self.asked.append((method, path))
        output = Output()
        for route, callback in self.routes:
            if match := re.fullmatch(route, path):
                request = {
                    "method": method,
                    "groups": match.groups(),
                    "headers": headers,
                    "get": query,
                    "body": body,
                }
                if self.silent and "/ui/" not in path:
                    output.SendHttpStatus(503, "", 0)
                else:
                    callback(output, path, **request)
                return output
        self._answer_as_orthanc(output, path, query, body)
        return output

    def _answer_as_orthanc(self, output: Output, path: str, query: dict[str, str], body: bytes) -> None:
        try:
            if path == "/tools/bulk-content":
                kind, content = (
                    "application/json",
                    json.dumps(self.archive.bulk_content(json.loads(body))).encode(),
                )
            else:
                kind, content = self.archive.browse(path, query)
        except KeyError:
            output.SendHttpStatus(404, "", 0)
        else:
            output.AnswerBuffer(content, kind)


@contextmanager
def running_site(archive: BrowserArchive, engine: PacedEngine, **settings: Any) -> Iterator[Site]:
    """Load the plugin, start its work and serve it."""
    site = Site(archive, engine)
    configuration = {
        "UserMetadata": {"NullSplat": 4701},
        "StableAge": 1,
        "ServeFolders": {"/ohif": "/usr/share/ohif"},
        "NullSplat": {
            "EngineUrl": engine.url,
            "MinSlices": 3,
            "ReconcileInterval": 0.5,
            "PollInterval": 0.2,
            "RetryFirst": 0.2,
            "RetryLongest": 0.5,
            **settings,
        },
    }
    site.plugin = _load_plugin(_orthanc_module(site, configuration))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(site))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    site.plugin.on_change("started", None, "")
    try:
        yield site
    finally:
        site.plugin.on_change("stopped", None, "")
        server.shutdown()
        server.server_close()


def _orthanc_module(site: Site, configuration: dict[str, Any]) -> Any:
    archive = site.archive
    return SimpleNamespace(
        GetConfiguration=lambda: json.dumps(configuration),
        ChangeType=SimpleNamespace(
            STABLE_SERIES="stable", DELETED="deleted", JOB_SUCCESS="success", JOB_FAILURE="failure",
            UPDATED_MODALITIES=99, ORTHANC_STARTED="started", ORTHANC_STOPPED="stopped",
        ),
        ResourceType=SimpleNamespace(SERIES="series"),
        LogWarning=lambda words: None,
        LogError=lambda words: None,
        RegisterOnChangeCallback=lambda callback: None,
        RegisterIncomingHttpRequestFilter=lambda callback: None,
        RegisterRestCallback=lambda route, callback: site.routes.append((route, callback)),
        ExtendOrthancExplorer=lambda script: None,
        OrthancException=archive.OrthancException,
        RestApiGet=archive.RestApiGet,
        RestApiPut=archive.RestApiPut,
        RestApiPost=archive.RestApiPost,
    )  # fmt: skip


def _load_plugin(orthanc: Any) -> ModuleType:
    spec = importlib.util.spec_from_file_location("nullsplat_plugin_under_test", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Not patch.dict: it would also take away what the script imports, and a second copy of a module knows other classes.
    sys.modules["orthanc"] = orthanc
    try:
        with mock.patch.dict(os.environ, {"NULLSPLAT_SECRET": SECRET}):
            spec.loader.exec_module(module)
    finally:
        del sys.modules["orthanc"]
    return module


def _handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _exchange(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            if self.command == "POST":
                site.sent.append(headers)
            output = site.answer(self.command, self.path, headers, body)
            self.send_response(output.status)
            for name, value in output.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(output.body)))
            self.end_headers()
            self.wfile.write(output.body)

        do_GET = do_POST = _exchange  # noqa: N815 - the names are http.server's

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Stay silent."""

    return Handler

"""A DICOMweb archive in memory that does as it is told: QIDO-RS, WADO-RS and STOW-RS over real HTTP."""

import base64
import io
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pydicom

SERIES_PATH = re.compile(
    r"^/dicom-web/studies/(?P<study>[\d.]+)/series/(?P<series>[\d.]+)(?P<instances>/instances)?$"
)
PATIENCE = 60.0
STUDIES_PATH = re.compile(r"^/dicom-web/studies(/[\d.]+)?$")


class ArchiveDouble:
    """Start with `start`, end with `stop`; behaviour is changed through the attributes at any time."""

    def __init__(self) -> None:
        self.username, self.password = "engine", "engine-password"
        self.instances: dict[str, dict[str, bytes]] = {}
        self.away = False
        """Answer everything with 503."""
        self.hidden: set[str] = set()
        """SOP Instance UIDs that retrieving leaves out."""
        self.forget_next_store = False
        """Confirm the next instance that is stored, but do not keep it."""
        self.fail_store_after: int | None = None
        """Answer 503 once so many instances were stored."""
        self.seconds_per_store = 0.0
        self.may_store = threading.Event()
        """Set, unless a test has it keep those waiting that store."""
        self.may_store.set()
        self.idle_seconds = 1.0
        """After which a connection is closed, as Orthanc does."""
        self.page_size = 1000
        self.knows_pages = True
        self.silent = False
        """Store, but answer nothing of it."""
        self.break_off = False
        """Announce more than is sent when a series is retrieved."""
        self.cut_off = 0
        """Bytes that each retrieved instance lacks at its end, in an answer that is whole around it."""
        self.talks_html = False
        """Answer a retrieval with a web page, as a proxy's log-in does."""
        self.moved_to = ""
        """Answer everything with 307 and this address."""
        self.stored: list[str] = []
        self.retrieved = 0
        self._server: ThreadingHTTPServer | None = None
        self._port = 0

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/dicom-web"

    def start(self) -> None:
        handler = type("Handler", (_Handler,), {"double": self})
        self._server = _QuietServer(("127.0.0.1", self._port), handler)
        self._server.daemon_threads = True
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def add(self, series: str, files: dict[str, bytes]) -> None:
        self.instances.setdefault(series, {}).update(files)

    def derived(self, source: str) -> dict[str, dict[str, bytes]]:
        """All series but the source."""
        return {uid: files for uid, files in self.instances.items() if uid != source}


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, *_arguments: object) -> None:
        """Clients that go away in the middle are what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    double: ArchiveDouble
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        self.timeout = self.double.idle_seconds
        super().setup()

    def log_message(self, *_args: object) -> None:
        pass

    def do_GET(self) -> None:
        if self._refused():
            return
        path, _, query = self.path.partition("?")
        if STUDIES_PATH.match(path):
            self._answer(200, b"[]", "application/dicom+json")
        elif (found := SERIES_PATH.match(path)) is None:
            self._answer(404)
        elif found["instances"]:
            self._search(found["series"], query)
        else:
            self._retrieve(found["series"])

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self._refused():
            return
        time.sleep(self.double.seconds_per_store)
        self.double.may_store.wait(PATIENCE)
        boundary = re.search(r'boundary="?([^";]+)', self.headers["Content-Type"])[1].encode()
        parts = [part.partition(b"\r\n\r\n")[2] for part in body.split(b"\r\n--" + boundary)[1:-1]]
        limit = self.double.fail_store_after
        if limit is not None and len(self.double.stored) >= limit:
            self._answer(503)
            return
        references = [self._keep(part) for part in parts]
        if self.double.silent:
            self._answer(200)
            return
        self._answer(
            200,
            json.dumps({"00081199": {"vr": "SQ", "Value": references}}).encode(),
            "application/dicom+json",
        )

    def _keep(self, content: bytes) -> dict[str, object]:
        ds = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True)
        uid, series = str(ds.SOPInstanceUID), str(ds.SeriesInstanceUID)
        self.double.stored.append(uid)
        if self.double.forget_next_store:
            self.double.forget_next_store = False
        else:
            self.double.instances.setdefault(series, {}).setdefault(uid, content)
        return {
            "00081150": {"vr": "UI", "Value": [str(ds.SOPClassUID)]},
            "00081155": {"vr": "UI", "Value": [uid]},
        }

    def _search(self, series: str, query: str) -> None:
        offset = int(dict(pair.split("=", 1) for pair in query.split("&") if pair).get("offset", 0))
        offset = offset if self.double.knows_pages else 0
        found = [
            {
                "00080018": {"vr": "UI", "Value": [uid]},
                "00280010": {"vr": "US", "Value": [16]},
                "00280011": {"vr": "US", "Value": [16]},
            }
            for uid in list(self.double.instances.get(series, {}))[offset : offset + self.double.page_size]
        ]
        self._answer(200, json.dumps(found).encode(), "application/dicom+json")

    def _retrieve(self, series: str) -> None:
        self.double.retrieved += 1
        if self.double.talks_html:
            self._answer(200, b"<html>log in</html>", "text/html")
            return
        files = self.double.instances.get(series, {})
        body = b"".join(
            b"\r\n--frontier\r\nContent-Type: application/dicom\r\n\r\n"
            + content[: len(content) - self.double.cut_off]
            for uid, content in files.items()
            if uid not in self.double.hidden
        )
        self._answer(
            200, body + b"\r\n--frontier--", 'multipart/related; type="application/dicom"; boundary=frontier'
        )

    def _refused(self) -> bool:
        credentials = base64.b64encode(f"{self.double.username}:{self.double.password}".encode()).decode()
        if self.double.away:
            self._answer(503)
        elif self.headers.get("Authorization") != f"Basic {credentials}":
            self._answer(401)
        elif self.double.moved_to:
            self._answer(307)
        else:
            return False
        return True

    def _answer(self, status: int, body: bytes = b"", content_type: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        if self.double.moved_to:
            self.send_header("Location", self.double.moved_to + self.path)
        self.send_header("Content-Length", str(len(body) + 1000 * self.double.break_off))
        self.close_connection = self.double.break_off
        self.end_headers()
        self.wfile.write(body)

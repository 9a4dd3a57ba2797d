"""Another Orthanc, without our plugin, as the real thing to send to: DICOMweb server and storage SCP."""

import json
import time
from base64 import b64encode
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from nullsplat.node.installation import installed_orthanc
from nullsplat.node.processes import free_port, start

USER, PASSWORD = "sender", "telltale-password-of-the-second"
DICOMWEB = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"


@dataclass
class SecondOrthanc:
    """It runs in `folder`.

    Attributes:
        aet: its AE title.
    """

    folder: Path
    http_port: int
    dicom_port: int
    aet: str = "SECOND"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def run(self, stack: ExitStack) -> None:
        """Start it and wait until it answers; ended with `stack`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "second.json"
        path.write_text(json.dumps(self._configuration()))
        child = start("second Orthanc", [str(installed_orthanc()), str(path)], {}, self.folder / "second.log")
        stack.callback(child.process.wait)
        stack.callback(child.process.kill)
        deadline = time.monotonic() + 60
        while not self._answers():
            child.check()
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def get(self, path: str) -> Any:
        return json.loads(self.call("GET", path))

    def call(self, method: str, path: str, body: bytes | None = None) -> bytes:
        token = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        request = Request(self.url + path, body, {"Authorization": f"Basic {token}"}, method=method)  # noqa: S310
        with urlopen(request, timeout=20) as answer:  # noqa: S310
            content: bytes = answer.read()
        return content

    def learn(self, port: int) -> None:
        """Let it send its reports on storage commitment to this port."""
        node = {"AET": "NULLSPLAT", "Host": "127.0.0.1", "Port": port}
        self.call("PUT", "/modalities/NODE", json.dumps(node).encode())

    def transactions(self) -> int:
        """How many reports on storage commitment it has made."""
        jobs = self.get("/jobs?expand")
        return sum(job["Type"] == "StorageCommitmentScp" and job["State"] == "Success" for job in jobs)

    def uids(self) -> set[str]:
        """SOP Instance UIDs of all that it holds."""
        return {one["MainDicomTags"]["SOPInstanceUID"] for one in self.get("/instances?expand")}

    def _answers(self) -> bool:
        try:
            return bool(self.get("/system"))
        except (HTTPError, URLError, ConnectionError):
            return False

    def _configuration(self) -> dict[str, Any]:
        return {
            "StorageDirectory": str(self.folder / "second"),
            "IndexDirectory": str(self.folder / "second"),
            "HttpPort": self.http_port,
            "DicomPort": self.dicom_port,
            "DicomAet": self.aet,
            "DicomCheckCalledAet": True,
            "AuthenticationEnabled": True,
            "RegisteredUsers": {USER: PASSWORD},
            "RemoteAccessAllowed": False,
            "Plugins": [DICOMWEB],
        }


def second_orthanc(folder: Path) -> SecondOrthanc:
    """One that is not started yet."""
    return SecondOrthanc(folder, free_port(), free_port())

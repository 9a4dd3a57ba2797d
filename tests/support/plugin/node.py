"""A node under test: real Orthanc, fake engine, real peer, and the questions that tests ask of them."""

import json
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.presentation import build_context
from tests.support.plugin.fake_engine import FakeEngine

from nullsplat.node.orthanc import Modality, NodeSettings, OrthancNode
from nullsplat.node.pacs import Pacs
from nullsplat.node.processes import free_port

SECRET, ADMIN, ENGINE = "a-secret-of-the-tests", "admin-password", "engine-password"
QUICK = {
    "MinSlices": 3,
    "Preset": "preview",
    "Scale": [2, 1, 1],
    "ReconcileInterval": 0.5,
    "PollInterval": 0.2,
    "RetryFirst": 0.2,
    "RetryLongest": 0.5,
    "MaxAttempts": 3,
    "EngineTimeout": 5,
}
PATIENCE = 60.0


@dataclass
class OrthancAsked:
    """Orthanc with the plugin, and the questions that tests ask of them.

    Attributes:
        patience: seconds that a series may take to come into a state.
    """

    patience: ClassVar[float] = PATIENCE
    orthanc: OrthancNode

    def send(self, datasets: Sequence[Dataset], calling: str = "SCANNER") -> str:
        """C-STORE the data sets and return Orthanc's identifier of the series.

        The last slice goes first: on a busy machine a series counts as complete when only a part of it has come, and then the
        part has a gap and is not taken.
        """
        entity = AE(ae_title=calling)
        entity.requested_contexts = [
            build_context(sop_class, syntax)
            for sop_class, syntax in sorted(
                {(one.SOPClassUID, one.file_meta.TransferSyntaxUID) for one in datasets}
            )
        ]
        association = entity.associate("127.0.0.1", self.orthanc.dicom_port, ae_title="NULLSPLAT")
        assert association.is_established
        for dataset in (*datasets[-1:], *datasets[:-1]):
            assert association.send_c_store(dataset).Status == 0
        association.release()
        return self.find(str(datasets[0].SeriesInstanceUID))

    def find(self, series_uid: str) -> str:
        """Orthanc's identifier of the series."""
        found = self.call("POST", "/tools/lookup", series_uid.encode())[1]
        return str(next(one["ID"] for one in found if one["Type"] == "Series"))

    def series(self, series: str) -> dict[str, Any]:
        """What the plugin says about a series."""
        status, shown = self.call("GET", f"/nullsplat/series/{series}")
        assert status == 200, shown
        return dict(shown)

    def act(self, series: str, action: str) -> tuple[int, Any]:
        """Ask the plugin for something."""
        return self.call("POST", f"/nullsplat/series/{series}", json.dumps({"action": action}).encode())

    def wait_for(self, series: str, *states: str) -> dict[str, Any]:
        """Wait until the series is in one of the states and return what the plugin says about it."""
        return self.wait_until(series, lambda shown: shown["state"] in states)

    def wait_until(self, series: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until `holds` is true of what the plugin says about the series, and return that."""
        deadline = time.monotonic() + self.patience
        shown = self.series(series)
        while not holds(shown):
            assert time.monotonic() < deadline, (
                f"in vain waited on {json.dumps(shown, indent=1)}\n{self.orthanc.log.read_text()[-3000:]}"
            )
            time.sleep(0.1)
            shown = self.series(series)
        return shown

    def raw(self, path: str) -> bytes:
        """The bytes that Orthanc answers with."""
        token = b64encode(f"admin:{ADMIN}".encode()).decode()
        request = Request(self.orthanc.url + path, headers={"Authorization": f"Basic {token}"})  # noqa: S310
        with urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
            content: bytes = answer.read()
        return content

    def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        user: tuple[str, str] = ("admin", ADMIN),
        **headers: str,
    ) -> tuple[int, Any]:
        """HTTP status and JSON (or text) of a request to Orthanc."""
        token = b64encode(":".join(user).encode()).decode()
        given = {
            "Authorization": f"Basic {token}",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        request = Request(self.orthanc.url + path, body, given, method=method)  # noqa: S310
        try:
            with urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
                return answer.status, _parsed(answer.read())
        except HTTPError as error:
            with error:
                return error.code, _parsed(error.read())


@dataclass
class Node(OrthancAsked):
    """The whole arrangement.

    Attributes:
        orthanc: the node.
        engine: the fake engine.
        pacs: where results are routed to; also known to Orthanc as a sender.
    """

    engine: FakeEngine
    pacs: Pacs


def running_node(
    folder: Path, stack: ExitStack, overrides: dict[str, Any] | None = None, **settings: Any
) -> Node:
    """Start everything; ended with `stack`.

    Args:
        overrides: put over Orthanc's other sections.
        settings: put over the plugin's settings for the tests.
    """
    pacs = stack.enter_context(Pacs(folder / "pacs"))
    engine = stack.enter_context(FakeEngine(SECRET))
    orthanc = OrthancNode(
        NodeSettings(
            folder / "orthanc",
            ADMIN,
            ENGINE,
            SECRET,
            engine.url,
            {
                "SCANNER": Modality("SCANNER", "127.0.0.1", free_port()),
                "PACS": Modality("PACS", "127.0.0.1", pacs.port),
            },
            {"StableAge": 1, "DicomScuTimeout": 2, "NullSplat": {**QUICK, **settings}, **(overrides or {})},
        )
    )
    engine.archive = (orthanc.dicomweb_url, ENGINE)
    stack.enter_context(orthanc)
    return Node(orthanc, engine, pacs)


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode("utf-8", "replace")

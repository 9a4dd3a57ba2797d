"""Where results go: each way of delivery has a destination of its own, which can go away and come back.

What each of them holds is evidence: `folder` has one folder for each series, with a file for each instance.
"""

import json
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE, AllStoragePresentationContexts, build_role, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
    Verification,
)
from tests.support.plugin.second_orthanc import PASSWORD, USER, SecondOrthanc, second_orthanc

from nullsplat.node.orthanc import Modality
from nullsplat.node.pacs import SUCCESS, Pacs
from nullsplat.node.processes import Startable

COMMITTED = "committed.jsonl"
"""Instances that the committing destination vouched for, one report a line."""
REPORT_DELAY = 0.5
"""Seconds until a report on storage commitment is sent."""
ALL_KEPT, SOME_LOST = 1, 2
"""Event types of a report."""
NO_SUCH_INSTANCE = 0x0112


@dataclass(frozen=True)
class Way:
    """How results get to a destination.

    Attributes:
        name: of the destination, in the node's configuration.
        how: the way, for the report.
        place: the destination, in words.
    """

    name: str
    how: str
    place: str


WAYS = {
    "pacs": Way("PACS", "C-STORE", "the PACS"),
    "web": Way("WEB", "STOW-RS, to another Orthanc", "the web archive"),
    "keeper": Way("KEEPER", "C-STORE with storage commitment", "the committing archive"),
}
"""By kind: the name of its fault, and of the folder with what it holds."""


@dataclass
class Keeper(Pacs):
    """A PACS that is asked for storage commitment; requests that it has not answered are forgotten when it goes away.

    Attributes:
        committed: file with the reports that it gave.
        node: AE title and port that reports go to.
    """

    ae_title: str = "KEEPER"
    committed: Path = Path(COMMITTED)
    node: tuple[str, int] = ("", 0)
    _gone: threading.Event = field(default_factory=threading.Event, init=False, repr=False)

    def start(self) -> None:
        """Listen in background threads until `stop`."""
        entity = AE(ae_title=self.ae_title)
        entity.supported_contexts = AllStoragePresentationContexts
        for other in (Verification, StorageCommitmentPushModel):
            entity.add_supported_context(other)
        self._gone = threading.Event()
        server = entity.start_server(
            ("127.0.0.1", self.port),
            block=False,
            evt_handlers=[(evt.EVT_C_STORE, self._store), (evt.EVT_N_ACTION, self._asked)],
        )
        if server is None:
            raise RuntimeError("pynetdicom must return a server when not blocking")
        self.port = int(server.server_address[1])
        self._server = server

    def stop(self) -> None:
        """Close the port and forget what was asked."""
        self._gone.set()
        super().stop()

    def _asked(self, event: evt.Event) -> tuple[int, None]:
        asked = event.action_information
        answer = threading.Thread(target=self._answer, args=(asked, self._gone), daemon=True)
        answer.start()
        return SUCCESS, None

    def _answer(self, asked: Dataset, gone: threading.Event) -> None:
        if gone.wait(REPORT_DELAY):
            return
        held = {path.stem for path in self.folder.glob("*/*.dcm")}
        report = Dataset()
        report.TransactionUID = asked.TransactionUID
        report.ReferencedSOPSequence = [
            one for one in asked.ReferencedSOPSequence if one.ReferencedSOPInstanceUID in held
        ]
        lost = [one for one in asked.ReferencedSOPSequence if one.ReferencedSOPInstanceUID not in held]
        for one in lost:
            one.FailureReason = NO_SUCH_INSTANCE
        if lost:
            report.FailedSOPSequence = lost
        uids = [str(one.ReferencedSOPInstanceUID) for one in report.ReferencedSOPSequence]
        with self.committed.open(
            "a"
        ) as file:  # before it is said: what was said is in here, whatever happens now
            file.write(json.dumps(uids) + "\n")
        self._send(report, SOME_LOST if lost else ALL_KEPT)

    def _send(self, report: Dataset, kind: int) -> None:
        entity = AE(ae_title=self.ae_title)
        entity.add_requested_context(StorageCommitmentPushModel)
        title, port = self.node
        role = build_role(StorageCommitmentPushModel, scp_role=True)
        association = entity.associate("127.0.0.1", port, ae_title=title, ext_neg=[role])
        if association.is_established:
            association.send_n_event_report(
                report, kind, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
            )
            association.release()


class WebArchive(Startable):
    """Another Orthanc, which takes instances by STOW-RS and is killed with SIGKILL."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.orthanc: SecondOrthanc = second_orthanc(folder.with_name(f"{folder.name}-orthanc"))
        self._running = ExitStack()

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.orthanc.run(self._running)

    def stop(self) -> None:
        """End it as a power cut would."""
        self._running.close()

    def section(self, password_file: Path) -> dict[str, Any]:
        """Its entry in DicomWebDestinations; writes the file with its password."""
        password_file.write_text(PASSWORD)
        return {
            "Url": f"{self.orthanc.url}/dicom-web",
            "Username": USER,
            "PasswordFile": str(password_file),
            "AllowHttp": True,
            "Timeout": 10,
        }

    def collect(self) -> None:
        """Write what it holds into `folder`."""
        for instance in self.orthanc.get("/instances?expand"):
            series = self.orthanc.get(f"/instances/{instance['ID']}/series")
            folder = self.folder / series["MainDicomTags"]["SeriesInstanceUID"]
            folder.mkdir(parents=True, exist_ok=True)
            name = f"{instance['MainDicomTags']['SOPInstanceUID']}.dcm"
            # Twice the same UID would be two instances for Orthanc, if they had different patients.
            with (folder / name).open("xb") as file:
                file.write(self.orthanc.call("GET", f"/instances/{instance['ID']}/file"))


@dataclass
class Destinations:
    """All of them, in one folder each below `folder`."""

    folder: Path

    def __post_init__(self) -> None:
        """Make them; none listens yet."""
        self.web = WebArchive(self.folder / "web")
        self.keeper = Keeper(self.folder / "keeper", committed=self.folder / COMMITTED)
        self.pacs = Pacs(self.folder / "pacs")
        self.by_kind: dict[str, Startable] = {"pacs": self.pacs, "web": self.web, "keeper": self.keeper}

    def start(self, stack: ExitStack) -> None:
        """Start all of them, until `stack` is left."""
        for one in self.by_kind.values():
            stack.enter_context(one)

    def plugin_settings(self) -> dict[str, Any]:
        """What the section `NullSplat` says of them."""
        return {
            "Destinations": [way.name for way in WAYS.values()],
            "DicomWebDestinations": {WAYS["web"].name: self.web.section(self.folder / "web-password")},
            "StorageCommitment": [WAYS["keeper"].name],
        }

    def modalities(self) -> dict[str, dict[str, Any]]:
        """What `DicomModalities` says of them; those that are started already, since the system chooses their ports."""
        pacs, keeper = (
            Modality(one.ae_title, "127.0.0.1", one.port).configuration() for one in (self.pacs, self.keeper)
        )
        return {
            WAYS["pacs"].name: pacs,
            WAYS["keeper"].name: {**keeper, "AllowStorageCommitment": True},
        }

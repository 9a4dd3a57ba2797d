"""A second DICOM node that results are routed to: it stores what it receives, byte for byte."""

from dataclasses import dataclass, field
from pathlib import Path

from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.events import Event
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from pynetdicom.transport import ThreadedAssociationServer

from nullsplat.core.errors import StorageError
from nullsplat.core.files import make_folder, replacing
from nullsplat.node.processes import Startable

SUCCESS = 0x0000
OUT_OF_RESOURCES = 0xA700


@dataclass
class Pacs(Startable):
    """A storage SCP on loopback.

    Attributes:
        folder: where arrived instances are written, one folder for each series.
        ae_title: its AE title.
        port: where it listens; 0 lets the system choose one, and `start` sets it.
    """

    folder: Path
    ae_title: str = "PACS"
    port: int = 0
    _server: ThreadedAssociationServer | None = field(default=None, init=False, repr=False)

    def start(self) -> None:
        """Listen in background threads until `stop`."""
        entity = AE(ae_title=self.ae_title)
        entity.supported_contexts = AllStoragePresentationContexts
        entity.add_supported_context(Verification)
        server = entity.start_server(
            ("127.0.0.1", self.port), block=False, evt_handlers=[(evt.EVT_C_STORE, self._store)]
        )
        if server is None:
            raise RuntimeError("pynetdicom must return a server when not blocking")
        self.port = int(server.server_address[1])
        self._server = server

    def stop(self) -> None:
        """Close the port; associations in progress are aborted."""
        if self._server is not None:
            self._server.shutdown()
            self._server = None

    def received(self, series_instance_uid: str) -> dict[str, Path]:
        """The files that arrived of one series, by SOP Instance UID."""
        return {path.stem: path for path in (self.folder / series_instance_uid).glob("*.dcm")}

    def _store(self, event: Event) -> int:
        dataset = event.dataset
        target = self.folder / str(dataset.SeriesInstanceUID) / f"{dataset.SOPInstanceUID}.dcm"
        try:
            make_folder(target.parent)
            with replacing(target) as partial:
                partial.write_bytes(event.encoded_dataset())
        except StorageError:
            return OUT_OF_RESOURCES
        return SUCCESS

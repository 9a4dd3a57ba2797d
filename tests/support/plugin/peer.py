"""A storage SCP that does as a test says and counts what it was sent."""

from collections import Counter
from collections.abc import Iterable

from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, evt

from nullsplat.node.orthanc import Modality


class Peer:
    """Listens from the start until `close`.

    Attributes:
        got: how often it was sent something of each SOP Class.
        instances: how often it was sent each SOP Instance.
    """

    def __init__(
        self,
        title: str,
        classes: Iterable[str],
        status: int = 0,
        syntax: str = ExplicitVRLittleEndian,
        port: int = 0,
    ) -> None:
        self.status = status
        self.got: Counter[str] = Counter()
        self.instances: Counter[str] = Counter()
        entity = AE(ae_title=title)
        for sop_class in classes:
            entity.add_supported_context(sop_class, syntax)
        self._server = entity.start_server(
            ("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, self._take)]
        )
        self.modality = Modality(title, "127.0.0.1", int(self._server.server_address[1]))

    def _take(self, event: evt.Event) -> int:
        self.got[str(event.request.AffectedSOPClassUID)] += 1
        self.instances[str(event.request.AffectedSOPInstanceUID)] += 1
        return self.status

    def close(self) -> None:
        self._server.shutdown()

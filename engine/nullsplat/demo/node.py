"""The whole node on one machine: Orthanc with the plugin, the engine, and a PACS to route to."""

import secrets
from contextlib import ExitStack
from typing import Any

from nullsplat.demo.options import Options
from nullsplat.node.engine import Engine, EngineSettings
from nullsplat.node.observer import Node
from nullsplat.node.orthanc import ADMIN, ENGINE, Modality, NodeSettings, OrthancNode
from nullsplat.node.pacs import Pacs
from nullsplat.node.processes import Startable, free_port
from nullsplat.node.scanner import Peer
from nullsplat.node.viewer import viewer_configuration

SCANNER = "CTSCANNER"
STABLE_AGE_SECONDS = 3
"""Short, because the demonstration sends from the same machine; a scanner may pause for longer between slices."""


class DemoNode(Startable):
    """Starts all parts in order, and ends them in the opposite order whatever happens.

    Attributes:
        admin_password: of Orthanc's user for people.
        pacs: the routing target.
        orthanc: the archive with the plugin.
        engine: API and worker.
    """

    def __init__(self, options: Options) -> None:
        self.admin_password = secrets.token_urlsafe(12)
        self._secret = secrets.token_urlsafe(24)
        engine_password = secrets.token_urlsafe(24)
        engine_port = options.engine_port or free_port()
        self.pacs = Pacs(options.pacs)
        self.pacs.start()
        self.orthanc = OrthancNode(
            NodeSettings(
                folder=options.node.absolute() / "orthanc",
                admin_password=self.admin_password,
                engine_password=engine_password,
                secret=self._secret,
                engine_url=f"http://127.0.0.1:{engine_port}",
                modalities={
                    "SCANNER": Modality(SCANNER, "127.0.0.1", 104),
                    "PACS": Modality(self.pacs.ae_title, "127.0.0.1", self.pacs.port),
                },
                overrides=_overrides(options),
                http_port=options.http_port,
                dicom_port=options.dicom_port,
            )
        )
        self.engine = Engine(
            EngineSettings(
                port=engine_port,
                secret=self._secret,
                archive_url=self.orthanc.dicomweb_url,
                archive_username=ENGINE,
                archive_password=engine_password,
                device=options.device,
                folder=options.node.absolute() / "engine",
            )
        )

    def start(self) -> None:
        """Start everything and wait until the engine is ready."""
        with ExitStack() as stack:
            stack.callback(self.stop)
            self.orthanc.start()
            self.engine.start()
            stack.pop_all()

    def stop(self) -> None:
        """End the engine first, so that it can still talk to the archive, then Orthanc and the PACS."""
        with ExitStack() as stack:
            stack.callback(self.pacs.stop)
            stack.callback(self.orthanc.stop)
            stack.callback(self.engine.stop)

    def check(self) -> None:
        """Make sure that every process still runs.

        Raises:
            ChildFailed: one has ended.
        """
        self.orthanc.check()
        self.engine.check()

    @property
    def peer(self) -> Peer:
        """The node as a scanner sees it."""
        return Peer("127.0.0.1", self.orthanc.dicom_port, self.orthanc.ae_title)

    @property
    def addresses(self) -> Node:
        """Where its parts answer, with the keys to them."""
        engine_url = self.engine.settings.url
        return Node(self.orthanc.url, ADMIN, self.admin_password, engine_url, self._secret)


def _overrides(options: Options) -> dict[str, Any]:
    """What differs from the configuration that hospitals start from."""
    return {
        **viewer_configuration(options.viewer),
        "StableAge": STABLE_AGE_SECONDS,
        "NullSplat": {
            "Preset": options.preset,
            "Scale": [options.factor, 1, 1],
            "Seed": options.seed,
            "MinSlices": 5,
            "Destinations": ["PACS"],
            "PollInterval": 1,
        },
    }

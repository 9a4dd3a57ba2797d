"""Sends DICOM files to a node by C-STORE, as a scanner does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from nullsplat.core.errors import ArchiveError

SUCCESS = 0x0000


@dataclass(frozen=True)
class Peer:
    """A DICOM node to send to."""

    host: str
    port: int
    ae_title: str

    def __str__(self) -> str:
        """The node in the usual notation, AE@host:port."""
        return f"{self.ae_title}@{self.host}:{self.port}"


def send(
    paths: Sequence[Path],
    peer: Peer,
    calling: str = "CTSCANNER",
    progress: Callable[[int], None] | None = None,
) -> None:
    """C-STORE all files in one association, each in its own transfer syntax.

    Args:
        paths: DICOM files with file meta information.
        peer: where to.
        calling: our own application entity title.
        progress: called with the number stored.

    Raises:
        ArchiveError: the node cannot be reached, refuses the association or does not store an instance.
    """
    datasets = [dcmread(path) for path in paths]
    association = _associate(datasets, peer, calling)
    try:
        for stored, dataset in enumerate(datasets, start=1):
            _store(association, dataset, peer)
            if progress is not None:
                progress(stored)
    finally:
        association.release()


def _associate(datasets: Sequence[Dataset], peer: Peer, calling: str) -> Association:
    entity = AE(ae_title=calling)
    pairs = {(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID) for dataset in datasets}
    entity.requested_contexts = [build_context(kind, syntax) for kind, syntax in sorted(pairs)]
    association = entity.associate(peer.host, peer.port, ae_title=peer.ae_title)
    if not association.is_established:
        raise ArchiveError(
            f"{peer} must accept a DICOM association from {calling}, but did not; is it running?"
        )
    return association


def _store(association: Association, dataset: Dataset, peer: Peer) -> None:
    answer = association.send_c_store(dataset)
    status = answer.get("Status")
    if status != SUCCESS:
        code = "no answer" if status is None else f"status 0x{status:04X}"
        raise ArchiveError(f"{peer} must store instance {dataset.SOPInstanceUID}, got {code}; see its log")

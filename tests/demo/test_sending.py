import gc
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from nullsplat.core.errors import ArchiveError
from nullsplat.core.volume import Geometry, Volume
from nullsplat.demo.fetching import differing
from nullsplat.dicom.write.synthetic_series import SeriesDescription, write_ct_series
from nullsplat.node.pacs import Pacs
from nullsplat.node.processes import free_port
from nullsplat.node.scanner import Peer, send


@pytest.fixture
def series(tmp_path: Path) -> list[Path]:
    hu = np.random.default_rng(5).uniform(-900, 900, (4, 8, 8)).astype(np.float32)
    return write_ct_series(
        Volume(hu, Geometry((4, 8, 8), (5.0, 1.0, 1.0))), tmp_path / "scan", SeriesDescription()
    )


def test_what_is_sent_arrives_unchanged(series: list[Path], tmp_path: Path) -> None:
    stored: list[int] = []
    with Pacs(tmp_path / "pacs") as pacs:
        send(series, Peer("127.0.0.1", pacs.port, "PACS"), progress=stored.append)
        arrived = pacs.received(str(dcmread(series[0]).SeriesInstanceUID))
    assert stored == [1, 2, 3, 4]
    sent = {str(dcmread(path).SOPInstanceUID): path for path in series}
    assert differing(sent, arrived) == []


def test_a_changed_or_missing_instance_is_noticed(series: list[Path]) -> None:
    sent = {str(dcmread(path).SOPInstanceUID): path for path in series}
    (first, _), (last, _) = sorted(sent.items())[:2]
    changed = dcmread(sent[first])
    changed.PixelData = bytes(len(changed.PixelData))
    other = sent[first].with_name("changed.dcm")
    changed.save_as(other)
    arrived = {**sent, first: other}
    del arrived[last]
    assert differing(sent, arrived) == sorted([first, last])


# pynetdicom leaves the socket of a refused connection to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_node_that_is_not_there_is_named(series: list[Path]) -> None:
    with pytest.raises(ArchiveError, match=r"NOBODY@127\.0\.0\.1"):
        send(series, Peer("127.0.0.1", free_port(), "NOBODY"))
    gc.collect()


def test_a_node_without_room_is_reported(series: list[Path], tmp_path: Path) -> None:
    (tmp_path / "full").write_text("a file where the folder should be")
    with (
        Pacs(tmp_path / "full") as pacs,
        pytest.raises(ArchiveError, match="0xA700"),
    ):
        send(series, Peer("127.0.0.1", pacs.port, "PACS"))

"""The archive client believes what it has seen, and tells a pause from a refusal."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from tests.support.service.archive_double import ArchiveDouble
from tests.support.service.dicom_samples import SERIES, STUDY, ct_series

from nullsplat.core.errors import ArchiveError, ArchiveUnavailable, Cancelled, ConfigurationError
from nullsplat.dicomweb.archive import Archive
from nullsplat.dicomweb.retry import retry_until_deadline
from nullsplat.service.settings import Settings


@pytest.fixture
def client(settings: Settings) -> Iterator[Archive]:
    client = Archive(settings.archive)
    yield client
    client.close()


def test_a_holding_names_each_instance_once_and_counts_voxels(client: Archive) -> None:
    holding = client.holding(STUDY, SERIES)
    assert holding.sop_instance_uids == frozenset(ct_series())
    assert holding.voxels == 6 * 16 * 16


def test_a_holding_is_complete_when_the_archive_answers_in_pages(
    client: Archive, archive: ArchiveDouble
) -> None:
    archive.page_size = 4
    assert len(client.holding(STUDY, SERIES).sop_instance_uids) == 6


def test_a_holding_ends_when_the_archive_knows_no_pages(client: Archive, archive: ArchiveDouble) -> None:
    archive.knows_pages = False
    assert len(client.holding(STUDY, SERIES).sop_instance_uids) == 6


def test_an_unknown_series_is_an_empty_holding(client: Archive) -> None:
    assert client.holding(STUDY, "2.25.404").sop_instance_uids == frozenset()


def test_retrieved_files_are_the_archives(client: Archive, tmp_path: Path) -> None:
    uids = list(client.retrieve(STUDY, SERIES, tmp_path))
    stored = ct_series()
    assert uids == list(stored)
    for uid, path in zip(uids, sorted(tmp_path.iterdir()), strict=True):
        got, expected = pydicom.dcmread(path), pydicom.dcmread(pydicom.filebase.DicomBytesIO(stored[uid]))
        assert got == expected
        assert got.file_meta.TransferSyntaxUID == expected.file_meta.TransferSyntaxUID


def test_stored_files_arrive_in_the_archive(client: Archive, archive: ArchiveDouble, tmp_path: Path) -> None:
    for uid, content in ct_series(series="2.25.7").items():
        (tmp_path / uid).write_bytes(content)
    client.store(STUDY, sorted(tmp_path.iterdir()))
    assert set(archive.instances["2.25.7"]) == set(ct_series(series="2.25.7"))


def test_an_answer_that_does_not_name_every_instance_is_not_believed(
    client: Archive, archive: ArchiveDouble, tmp_path: Path
) -> None:
    archive.silent = True
    (tmp_path / "1.dcm").write_bytes(next(iter(ct_series().values())))
    with pytest.raises(ArchiveUnavailable, match="did not confirm 1 of 1"):
        client.store(STUDY, [tmp_path / "1.dcm"])


def test_a_connection_that_was_closed_while_idle_is_not_noticed(
    client: Archive, archive: ArchiveDouble
) -> None:
    archive.idle_seconds = 0.1
    for _ in range(3):
        retry_until_deadline(client.probe, 60, lambda why: None)
        time.sleep(0.3)


def test_an_archive_that_does_not_run_is_a_pause(client: Archive, archive: ArchiveDouble) -> None:
    archive.stop()
    with pytest.raises(ArchiveUnavailable, match="cannot be reached: connection refused"):
        client.probe()
    archive.start()
    retry_until_deadline(client.probe, 60, lambda why: None)


def test_an_answer_that_breaks_off_is_a_pause(
    client: Archive, archive: ArchiveDouble, tmp_path: Path
) -> None:
    archive.break_off = True
    with pytest.raises(ArchiveUnavailable):
        list(client.retrieve(STUDY, SERIES, tmp_path))


@pytest.mark.parametrize("cut_off", [1, 100, 511])
def test_an_instance_that_is_cut_off_in_an_intact_answer_is_a_pause_and_is_not_kept(
    client: Archive, archive: ArchiveDouble, tmp_path: Path, cut_off: int
) -> None:
    archive.cut_off = cut_off
    with pytest.raises(ArchiveUnavailable, match="ends in the middle of a value"):
        list(client.retrieve(STUDY, SERIES, tmp_path))
    assert not list(tmp_path.iterdir())


def test_an_answer_that_is_not_dicomweb_is_a_refusal(
    client: Archive, archive: ArchiveDouble, tmp_path: Path
) -> None:
    archive.talks_html = True
    with pytest.raises(ArchiveError, match="not DICOMweb") as caught:
        list(client.retrieve(STUDY, SERIES, tmp_path))
    assert not isinstance(caught.value, ArchiveUnavailable)


def test_patience_ends(client: Archive, archive: ArchiveDouble) -> None:
    archive.away = True
    notes: list[str] = []
    with pytest.raises(ArchiveError, match="given up after 1 s") as caught:
        retry_until_deadline(client.probe, 1.0, notes.append)
    assert not isinstance(caught.value, ArchiveUnavailable)
    assert "HTTP 503" in notes[0]


def test_a_refusal_is_not_repeated(client: Archive, archive: ArchiveDouble) -> None:
    archive.password = "changed"
    with pytest.raises(ArchiveError, match="HTTP 401"):
        retry_until_deadline(client.probe, 60.0, lambda why: pytest.fail("there was nothing to wait for"))


def test_an_archive_that_ends_while_tls_begins_is_waited_for(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hang_up() -> None:
            with contextlib.suppress(OSError):
                while True:
                    listening.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()
        access = replace(settings.archive, url=f"https://127.0.0.1:{listening.getsockname()[1]}/dicom-web")
        with (
            contextlib.closing(Archive(access)) as client,
            pytest.raises(ArchiveUnavailable, match="cannot be reached"),
        ):
            client.probe()
        listening.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_file_of_certificates_that_cannot_be_used_is_named_before_the_work(
    settings: Settings, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "ca.crt"
    if content is not None:
        file.write_text(content)
    with pytest.raises(
        ConfigurationError, match=r"NULLSPLAT_ARCHIVE_CA_FILE must name a readable file .*ca\.crt is none"
    ):
        replace(settings.archive, ca_file=file)


def test_a_password_may_hold_any_letters(settings: Settings, archive: ArchiveDouble) -> None:
    archive.username = archive.password = "žluťoučký kůň €"
    access = replace(settings.archive, credentials=(archive.username, archive.password))
    with contextlib.closing(Archive(access)) as client:
        client.probe()


def test_waiting_for_the_archive_can_be_cancelled(client: Archive, archive: ArchiveDouble) -> None:
    def cancelled(_why: str) -> None:
        raise Cancelled("enough")

    archive.away = True
    with pytest.raises(Cancelled):
        retry_until_deadline(client.probe, 60.0, cancelled)


def test_proxies_of_the_surroundings_are_not_used(client: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    client.probe()


def test_a_confirmation_that_leaves_things_out_is_a_pause_and_no_surprise(
    client: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "1.dcm").write_bytes(next(iter(ct_series().values())))
    answer = pydicom.Dataset()
    answer.ReferencedSOPSequence = [pydicom.Dataset()]
    monkeypatch.setattr(client._writer, "store_instances", lambda *_, **__: answer)
    with pytest.raises(ArchiveUnavailable, match="did not confirm 1 of 1"):
        client.store(STUDY, [tmp_path / "1.dcm"])
    answer.FailedSOPSequence = [pydicom.Dataset()]
    with pytest.raises(ArchiveUnavailable, match="did not store 1 of 1"):
        client.store(STUDY, [tmp_path / "1.dcm"])


@pytest.mark.parametrize("rows", [{"Value": [None]}, {"Value": ["many"]}, {}])
def test_a_search_that_tells_no_usable_size_is_estimated(
    client: Archive, monkeypatch: pytest.MonkeyPatch, rows: dict[str, object]
) -> None:
    found = {"00080018": {"Value": ["2.25.1"]}, "00280010": rows}
    monkeypatch.setattr(client._reader, "search_for_instances", lambda *_, **__: [found])
    assert client.holding(STUDY, SERIES).voxels == 512 * 512


def test_no_image_and_no_question_follows_a_redirect(
    client: Archive, archive: ArchiveDouble, tmp_path: Path
) -> None:
    (tmp_path / "1.dcm").write_bytes(next(iter(ct_series(series="2.25.7").values())))
    elsewhere = ArchiveDouble()
    elsewhere.start()
    archive.moved_to = f"http://127.0.0.1:{elsewhere.port}"
    try:
        for ask in (
            lambda: client.store(STUDY, [tmp_path / "1.dcm"]),
            lambda: list(client.retrieve(STUDY, SERIES, tmp_path)),
            lambda: client.holding(STUDY, SERIES),
            client.probe,
        ):
            with pytest.raises(ArchiveError, match=r"HTTP 307.*NULLSPLAT_ARCHIVE_URL") as refused:
                ask()
            assert not isinstance(refused.value, ArchiveUnavailable)  # asking again would not help
    finally:
        elsewhere.stop()
    assert (elsewhere.stored, elsewhere.retrieved) == ([], 0)

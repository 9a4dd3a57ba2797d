"""Radiographs come from the archive once, evenly over patients, and those that cannot be used are counted."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.support.service.radiograph_double import TAGS, Image, RadiographDouble, ramp

from nullsplat.core.errors import ArchiveError, StorageError, UnreadableFile
from nullsplat.core.progress import silent
from nullsplat.dicomweb import radiographs
from nullsplat.dicomweb.access import Access
from nullsplat.dicomweb.radiograph_download import Gathered, Wanted, gather
from nullsplat.dicomweb.radiographs import Study
from nullsplat.dicomweb.study_choice import LISTED_PER_CHOSEN, choose
from nullsplat.prior.xray.radiograph_cache import RadiographCache
from nullsplat.service.settings import ARCHIVE_NAMES

WANTED = Wanted(("CR", "DX"), studies=100, per_patient=10)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(radiographs, "PAUSES", (0.01, 0.01))
    monkeypatch.setattr(radiographs, "PAGE", 5)


@pytest.fixture
def archive() -> Iterator[RadiographDouble]:
    double = RadiographDouble()
    double.start()
    yield double
    double.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "archive"


def fetch(archive: RadiographDouble, folder: Path, wanted: Wanted = WANTED) -> Gathered:
    access = Access(archive.url, ARCHIVE_NAMES, (archive.username, archive.password), timeout=5.0)
    return gather(access, wanted, RadiographCache(folder), silent)


def test_images_arrive_as_the_prior_takes_them(archive: RadiographDouble, folder: Path) -> None:
    archive.images = [Image("A"), Image("B", attributes={"Modality": "DX"})]
    gathered = fetch(archive, folder)
    first, second = RadiographCache(folder).read(gathered.images)
    assert first.patient != second.patient
    for image in (first.image, second.image):
        # stored values 0..479 are stretched to 0..255
        np.testing.assert_allclose(image, ramp() * (255 / 479), atol=0.51)


def test_second_start_fetches_nothing(archive: RadiographDouble, folder: Path) -> None:
    archive.images = [Image("A"), Image("B"), Image("C", attributes={"BurnedInAnnotation": "YES"})]
    first = fetch(archive, folder)
    delivered, requests = len(archive.delivered), archive.requests
    assert delivered == 3
    archive.stop()
    assert fetch(archive, folder) == first
    assert archive.requests == requests


def test_a_larger_request_fetches_only_what_is_missing(archive: RadiographDouble, folder: Path) -> None:
    archive.images = [Image(name) for name in "ABCD"] + [Image("E", content=b"no DICOM")]
    fetch(archive, folder, Wanted(("CR",), 2, 10))
    gathered = fetch(archive, folder)
    assert len(gathered.images) == 4
    fetch(archive, folder, Wanted(("CR",), 50, 10))
    assert len(archive.delivered) == len(set(archive.delivered)) == 5


def test_a_deleted_image_is_fetched_again(archive: RadiographDouble, folder: Path) -> None:
    archive.images = [Image("A"), Image("B")]
    first = fetch(archive, folder)
    next(folder.glob("*.npy")).unlink()
    assert fetch(archive, folder) == first
    assert len(archive.delivered) == 3


def test_an_archive_that_goes_away_leaves_what_was_fetched(archive: RadiographDouble, folder: Path) -> None:
    archive.images = [Image(name) for name in "ABCD"]
    archive.away_after = 2
    with pytest.raises(ArchiveError, match=r"What was fetched stays in .* same command again"):
        fetch(archive, folder)
    assert len(list(folder.glob("*.npy"))) == 2
    archive.away, archive.away_after = False, None
    assert len(fetch(archive, folder).images) == 4
    assert len(archive.delivered) == 4


def test_attempts_are_bounded(archive: RadiographDouble, folder: Path) -> None:
    archive.away = True
    with pytest.raises(ArchiveError, match="HTTP 503"):
        fetch(archive, folder)
    assert archive.requests == 3  # one, and one after each of the two pauses


def test_one_image_that_is_not_delivered_does_not_end_the_search(
    archive: RadiographDouble, folder: Path
) -> None:
    archive.images = [Image(name) for name in "ABCD"]
    uids = [image.dataset.SOPInstanceUID for image in archive.images]
    archive.broken = {uids[0]: 500, uids[2]: 404}
    assert fetch(archive, folder).left_out == {"not-delivered": 2}
    archive.broken = {}
    assert len(fetch(archive, folder, Wanted(("CR",), 100, 10)).images) == 4  # it is tried again


def test_an_archive_that_delivers_nothing_is_an_error(archive: RadiographDouble, folder: Path) -> None:
    archive.images = [Image(name) for name in "ABCD"]
    archive.broken = {image.dataset.SOPInstanceUID: 404 for image in archive.images}
    with pytest.raises(ArchiveError, match="HTTP 404"):
        fetch(archive, folder)


def test_unusable_images_are_counted_by_reason(archive: RadiographDouble, folder: Path) -> None:
    frames = {"NumberOfFrames": 2, "PixelData": ramp().tobytes() * 2}
    archive.images = [
        Image("A", 0),
        Image("A", 1, attributes={"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}),
        Image("A", 2, attributes={"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7.3"}),
        Image("A", 3, attributes=frames),
        Image("A", 4, attributes={"BurnedInAnnotation": "YES"}),
        Image("A", 5, attributes={"PresentationIntentType": "FOR PROCESSING"}),
        Image("A", 6, attributes={"PixelData": b"\0\0"}),
        Image("A", 7, content=b"no DICOM"),
        Image("A", 8, attributes={"BurnedInAnnotation": "NO", "PresentationIntentType": "FOR PRESENTATION"}),
        Image("", 9),
    ]
    gathered = fetch(archive, folder)
    assert len(gathered.images) == 2
    assert gathered.left_out == {
        "secondary-capture": 2,
        "multi-frame": 1,
        "burned-in-annotation": 1,
        "for-processing": 1,
        "undecodable": 2,
        "no-patient-id": 1,
    }
    assert len(archive.delivered) == 7  # captures and frames were told by the search


def test_an_image_of_another_modality_than_its_series_is_left_out(
    archive: RadiographDouble, folder: Path
) -> None:
    liar = Image("A")
    liar.content = Image("A", attributes={"Modality": "CT"}).file()
    archive.images = [liar, Image("B")]
    assert fetch(archive, folder).left_out == {"other-modality": 1}


def test_other_modalities_are_not_fetched_from_an_archive_without_filters(
    archive: RadiographDouble, folder: Path
) -> None:
    archive.images = [
        Image("A"),
        Image("B", attributes={"Modality": "CT"}),
        Image("C", attributes={"Modality": "MG"}),
    ]
    archive.knows_filters = False
    assert len(fetch(archive, folder).images) == 1
    assert len(archive.delivered) == 1


def test_one_patient_never_dominates(archive: RadiographDouble, folder: Path) -> None:
    many = [Image("A", number, study) for study in range(3) for number in range(5)]
    archive.images = [*many, Image("B"), Image("C")]
    gathered = fetch(archive, folder, Wanted(("CR",), 100, 4))
    patients = [one.patient for one in RadiographCache(folder).read(gathered.images)]
    assert sorted(patients.count(patient) for patient in set(patients)) == [1, 1, 4]
    assert len(archive.delivered) == 6  # what is not used is not fetched either


def test_one_patient_never_dominates_where_the_search_tells_no_patient(
    archive: RadiographDouble, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(TAGS, "PatientID")
    archive.images = [Image("A", number, study) for study in range(3) for number in range(5)]
    assert len(fetch(archive, folder, Wanted(("CR",), 100, 4)).images) == 4


def test_few_studies_are_spread_over_patients() -> None:
    listing = [Study(f"{patient}{number}", patient) for patient in "ABC" for number in range(9)]
    assert [study.uid for study in choose([listing], 5)] == ["A0", "B0", "C0", "A1", "B1"]


def test_studies_of_all_modalities_are_chosen() -> None:
    first, second = (
        [Study(f"{kind}{number}", f"{kind}{number}") for number in range(9)] for kind in ("CR", "DX")
    )
    assert [study.uid for study in choose([first, second], 4)] == ["CR0", "DX0", "CR1", "DX1"]


def test_a_study_that_is_listed_for_two_modalities_is_chosen_once() -> None:
    both = [Study("1", "A"), Study("2", "B")]
    assert [study.uid for study in choose([both, both], 9)] == ["1", "2"]


def test_not_the_whole_of_a_large_archive_is_listed() -> None:
    asked = 0

    def endless() -> Iterator[Study]:
        nonlocal asked
        while True:
            asked += 1
            yield Study(str(asked), "the same patient")

    assert len(choose([endless()], 3)) == 3
    assert asked == 3 * LISTED_PER_CHOSEN


@pytest.mark.parametrize(("knows_limit", "knows_pages"), [(False, False), (False, True), (True, True)])
def test_server_that_ignores_limit(
    archive: RadiographDouble, folder: Path, knows_limit: bool, knows_pages: bool
) -> None:
    archive.images = [Image(f"P{number}") for number in range(12)]
    archive.knows_limit, archive.knows_pages = knows_limit, knows_pages
    assert len(fetch(archive, folder, Wanted(("CR",), 1000, 10)).images) == 12


def test_a_server_with_small_pages_is_asked_on(archive: RadiographDouble, folder: Path) -> None:
    archive.images = [Image(f"P{number}") for number in range(7)]
    archive.page_size = 3
    assert len(fetch(archive, folder).images) == 7


def test_the_cache_holds_no_identifier(archive: RadiographDouble, folder: Path) -> None:
    archive.images = [Image("PATIENT7"), Image("PATIENT8", attributes={"BurnedInAnnotation": "YES"})]
    fetch(archive, folder)
    known = [b"PATIENT7", b"PATIENT8", b"Name", b"127.0.0.1"]
    known += [str(image.dataset.SOPInstanceUID).encode() for image in archive.images]
    for path in folder.iterdir():
        content = path.name.encode() + path.read_bytes()
        assert not any(word in content for word in known), path
    assert folder.stat().st_mode & 0o077 == 0


def test_keys_differ_between_caches(tmp_path: Path) -> None:
    first, second = RadiographCache(tmp_path / "a"), RadiographCache(tmp_path / "b")
    assert first.key("PATIENT7") != second.key("PATIENT7")
    assert first.key("PATIENT7") == RadiographCache(tmp_path / "a").key("PATIENT7")


def test_a_damaged_image_is_named(archive: RadiographDouble, folder: Path) -> None:
    archive.images = [Image("A")]
    gathered = fetch(archive, folder)
    path = next(folder.glob("*.npy"))
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(UnreadableFile, match=rf"{path.name} is damaged; delete it"):
        list(RadiographCache(folder).read(gathered.images))


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="file/archive cannot be written"):
        RadiographCache(tmp_path / "file" / "archive")


def test_a_file_that_was_cut_off_while_it_was_written_is_no_image(folder: Path) -> None:
    cache = RadiographCache(folder)
    partial = folder / ".partial-77" / f"{cache.key('1')}.{cache.key('A')}.npy"
    partial.parent.mkdir()
    partial.write_bytes(b"half")
    assert RadiographCache(folder).patient_of(cache.key("1")) is None

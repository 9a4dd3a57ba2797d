"""The DICOMweb archive as a source of radiographs: which studies hold some, which images those are, getting one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from nullsplat.core.errors import ArchiveUnavailable
from nullsplat.dicom.headers import quiet_pydicom
from nullsplat.dicom.read.radiographs import Unusable, UnusableRadiograph
from nullsplat.dicomweb.access import Access
from nullsplat.dicomweb.connection import ANY_TRANSFER_SYNTAX, Connection, first_value
from nullsplat.dicomweb.retry import retry_with_pauses

MODALITY, MODALITIES_IN_STUDY, PATIENT_ID = "00080060", "00080061", "00100020"
STUDY_INSTANCE_UID, SERIES_INSTANCE_UID = "0020000D", "0020000E"
SOP_CLASS_UID, SOP_INSTANCE_UID, NUMBER_OF_FRAMES = "00080016", "00080018", "00280008"

PAGE = 100
"""Answers asked for at a time; archives limit them to a few hundred or thousand when they are not asked."""

PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds between attempts while the archive is unreachable: a minute in all, for a restart or a busy moment."""

Answer = dict[str, Any]
Search = Callable[..., list[Answer]]


@dataclass(frozen=True)
class Study:
    """A study that holds radiographs.

    Attributes:
        uid: Study Instance UID.
        patient: PatientID, empty where the archive does not tell.
    """

    uid: str
    patient: str


@dataclass(frozen=True)
class Instance:
    """An image as a search shows it.

    Attributes:
        study, series, uid: its instance UIDs.
        sop_class: SOP Class UID, empty where the archive does not tell.
        frames: Number of Frames, None where the archive does not tell.
    """

    study: str
    series: str
    uid: str
    sop_class: str
    frames: float | None


class RadiographArchive:
    """A DICOMweb server that is searched for radiographs, and never written to.

    Every method retries while the archive is unreachable, for as long as `PAUSES` allow, and raises:
        ArchiveUnavailable: it stayed unreachable.
        NotInArchive: it does not know what was asked for.
        ArchiveError: it refuses, or answers what is not DICOMweb.
    """

    def __init__(self, access: Access, tell: Callable[[str], None]) -> None:
        """Connect with `access`; `tell` hears why it takes so long."""
        self._connection = Connection(access)
        self._client = self._connection.client(access.timeout, permissive_uid=True)
        self._tell = tell

    def studies(self, modality: str) -> Iterator[Study]:
        """The studies that hold a modality, page by page as they are asked for."""
        answers = self._search(
            self._client.search_for_studies,
            STUDY_INSTANCE_UID,
            fields=["PatientID", "ModalitiesInStudy"],
            search_filters={"ModalitiesInStudy": modality},
        )
        for answer in answers:
            # an archive that does not know the filter answers with all its studies
            if modality in (answer.get(MODALITIES_IN_STUDY, {}).get("Value") or [modality]):
                yield Study(_text(answer, STUDY_INSTANCE_UID), _text(answer, PATIENT_ID).strip())

    def instances(self, study: Study, modalities: frozenset[str]) -> Iterator[Instance]:
        """The images of a study in series of the given modalities, in the archive's order."""
        all_series = self._search(
            partial(self._client.search_for_series, study.uid), SERIES_INSTANCE_UID, fields=["Modality"]
        )
        for series in all_series:
            if _text(series, MODALITY) in modalities:
                yield from self._instances(study.uid, _text(series, SERIES_INSTANCE_UID))

    def _instances(self, study: str, series: str) -> Iterator[Instance]:
        answers = self._search(
            partial(self._client.search_for_instances, study, series),
            SOP_INSTANCE_UID,
            fields=["SOPClassUID", "NumberOfFrames"],
        )
        for answer in answers:
            uid, sop_class = _text(answer, SOP_INSTANCE_UID), _text(answer, SOP_CLASS_UID)
            yield Instance(study, series, uid, sop_class, _frames(answer))

    def retrieve(self, instance: Instance) -> Dataset:
        """One image with its pixels.

        Raises:
            UnusableRadiograph: what the archive sent is no DICOM, or nothing.
        """

        def attempt() -> Dataset:
            with self._connection.plain_errors(), quiet_pydicom(), _unusable_content():
                image: Dataset = self._client.retrieve_instance(
                    instance.study, instance.series, instance.uid, media_types=ANY_TRANSFER_SYNTAX
                )
                return image

        return retry_with_pauses(attempt, PAUSES, self._tell)

    def answers(self) -> bool:
        """Whether a search succeeds at this moment; raises ArchiveError only."""
        try:
            with self._connection.plain_errors():
                self._client.search_for_studies(limit=1)
        except ArchiveUnavailable:
            return False
        return True

    def close(self) -> None:
        """Close idle connections."""
        self._connection.close()

    def _search(self, search: Search, identifier: str, **options: Any) -> Iterator[Answer]:
        """All answers of a search, each once.

        Some archives send fewer than were asked for, some all at once, and some repeat the first page for ever: the
        end is where a page brings nothing new.
        """
        seen: set[str] = set()
        received = 0
        while page := self._page(search, limit=PAGE, offset=received or None, **options):
            received += len(page)
            news = {uid: answer for answer in page if (uid := _text(answer, identifier)) and uid not in seen}
            if not news:
                return
            seen |= news.keys()
            yield from news.values()

    def _page(self, search: Search, **options: Any) -> list[Answer]:
        def attempt() -> list[Answer]:
            with self._connection.plain_errors():
                answers = search(**options)
                if not all(isinstance(answer, dict) for answer in answers):
                    raise ValueError("a search must be answered with attributes")
                return answers

        return retry_with_pauses(attempt, PAUSES, self._tell)


@contextmanager
def _unusable_content() -> Iterator[None]:
    """Tell an answer whose content is bad, which is about one image, from one that is not DICOMweb at all."""
    try:
        yield
    except InvalidDicomError as error:
        raise UnusableRadiograph(Unusable.UNDECODABLE) from error
    except IndexError as error:  # the client takes the first of no parts
        raise UnusableRadiograph(Unusable.NOT_DELIVERED) from error


def _text(answer: Answer, tag: str) -> str:
    return str(first_value(answer, tag, ""))


def _frames(answer: Answer) -> float | None:
    try:
        return float(first_value(answer, NUMBER_OF_FRAMES, None))
    except (TypeError, ValueError):  # it was not told, or is no number
        return None

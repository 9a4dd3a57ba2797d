"""From an archive into the prior's cache: how many images of each patient, and which are left out for which reason."""

from collections import Counter
from dataclasses import dataclass

from pydicom.dataset import Dataset

from nullsplat.core.errors import ArchiveError, ArchiveUnavailable, NotInArchive
from nullsplat.core.progress import Progress
from nullsplat.dicom.read.radiographs import Unusable, UnusableRadiograph, read_radiograph, unusable_kind
from nullsplat.dicomweb.access import Access
from nullsplat.dicomweb.radiographs import Instance, RadiographArchive, Study
from nullsplat.dicomweb.study_choice import choose
from nullsplat.prior.xray.radiograph_cache import RadiographCache

FAILURES_IN_A_ROW = 3
"""Images that are not delivered one after the other, from which on it is the archive's fault and not theirs."""

_MAY_CHANGE = {Unusable.OTHER_MODALITY, Unusable.NOT_DELIVERED}
"""Reasons that another start may see otherwise."""


@dataclass(frozen=True)
class Wanted:
    """Which radiographs to fetch.

    Attributes:
        modalities: such as CR and DX.
        studies: most studies to take images from.
        per_patient: most images of one patient.
    """

    modalities: tuple[str, ...]
    studies: int
    per_patient: int


@dataclass(frozen=True)
class Gathered:
    """The outcome of a search.

    Attributes:
        images: keys of the images in the cache.
        left_out: images that were seen and cannot be used, by reason (`dicom.read.radiographs.Unusable`).
    """

    images: tuple[str, ...]
    left_out: Counter[str]


def gather(access: Access, wanted: Wanted, cache: RadiographCache, progress: Progress) -> Gathered:
    """Fetch what is wanted and not in the cache yet; a search that was finished before is not made again.

    Raises:
        ArchiveError: the archive refuses or stays unreachable; what was fetched stays in the cache.
        StorageError: the cache cannot be written.
        UnreadableFile: the cache is damaged.
    """
    request = cache.key(f"{access.url} {wanted}")
    finished = cache.selected(request)
    if finished is not None:
        return Gathered(*finished)
    fetching = RadiographFetching(access, wanted, cache, progress)
    try:
        gathered = fetching.run()
    except ArchiveUnavailable as error:
        raise ArchiveError(
            f"{error}; given up after several attempts. What was fetched stays in {cache.folder}: start the same "
            "command again when the archive answers"
        ) from error
    finally:
        fetching.close()
    if gathered.images:
        cache.select(request, gathered.images, gathered.left_out)
    return gathered


class RadiographFetching:
    """One pass over the archive."""

    def __init__(self, access: Access, wanted: Wanted, cache: RadiographCache, progress: Progress) -> None:
        self._archive = RadiographArchive(access, lambda why: progress(self._fraction, why))
        self._wanted, self._cache, self._progress = wanted, cache, progress
        self._modalities = frozenset(wanted.modalities)
        self._images: set[str] = set()
        self._left_out: Counter[str] = Counter()
        self._taken: Counter[str] = Counter()
        self._fraction = 0.0
        self._failures = 0

    def run(self) -> Gathered:
        """Look at the chosen studies one after the other.

        Raises:
            ArchiveError: the archive refuses or stays unreachable.
            StorageError: the cache cannot be written.
        """
        studies = choose(
            [self._archive.studies(one) for one in self._wanted.modalities], self._wanted.studies
        )
        for done, study in enumerate(studies, start=1):
            self._take_from(study)
            self._fraction = done / len(studies)
            self._progress(self._fraction, f"{len(self._images)} images of {len(self._taken)} patients")
        return Gathered(tuple(sorted(self._images)), self._left_out)

    def close(self) -> None:
        """Close idle connections."""
        self._archive.close()

    def _take_from(self, study: Study) -> None:
        if self._has_enough_of(self._cache.key(study.patient)):
            return
        for instance in self._archive.instances(study, self._modalities):
            key = self._cache.key(instance.uid)
            try:
                patient = self._cache.patient_of(key) or self._fetched(key, instance)
            except UnusableRadiograph as error:
                self._leave_out(key, error.reason)
                continue
            if self._has_enough_of(patient):  # the archive's list named another patient than the image does
                return
            self._images.add(key)
            self._taken[patient] += 1
            if self._has_enough_of(patient):
                return

    def _has_enough_of(self, patient: str) -> bool:
        return self._taken[patient] >= self._wanted.per_patient

    def _fetched(self, key: str, instance: Instance) -> str:
        """Bring an image into the cache; returns its patient's key, raises UnusableRadiograph."""
        known = self._cache.unusable(key) or unusable_kind(instance.sop_class, instance.frames)
        if known is not None:
            raise UnusableRadiograph(Unusable(known))
        image, patient_id = read_radiograph(self._retrieved(instance), self._modalities)
        patient = self._cache.key(patient_id)
        self._cache.keep(key, patient, image)
        return patient

    def _retrieved(self, instance: Instance) -> Dataset:
        try:
            dataset = self._archive.retrieve(instance)
        except (ArchiveUnavailable, NotInArchive) as error:
            self._failures += 1
            if self._failures == FAILURES_IN_A_ROW or not self._archive.answers():
                raise
            raise UnusableRadiograph(Unusable.NOT_DELIVERED) from error
        self._failures = 0
        return dataset

    def _leave_out(self, key: str, reason: Unusable) -> None:
        self._left_out[reason.value] += 1
        if reason not in _MAY_CHANGE and self._cache.unusable(key) is None:
            self._cache.mark_unusable(key, reason.value)

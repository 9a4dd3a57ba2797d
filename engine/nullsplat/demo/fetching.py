"""Finds and fetches a series by DICOMweb, the way a viewer or a research script does."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import requests
from dicomweb_client import DICOMwebClient
from pydicom import dcmread
from pydicom.dataset import Dataset

from nullsplat.core.errors import ArchiveError


@dataclass(frozen=True)
class Found:
    """A series that QIDO-RS lists.

    Attributes:
        study_instance_uid: its study.
        series_instance_uid: the series.
        description: Series Description.
        instances: SOP Instance UIDs.
    """

    study_instance_uid: str
    series_instance_uid: str
    description: str
    instances: frozenset[str]


class Viewer:
    """A DICOMweb client with a user's name and password."""

    def __init__(self, url: str, username: str, password: str) -> None:
        session = requests.Session()
        session.auth = (username, password)
        session.trust_env = False  # the node is on loopback, whatever proxy the machine has
        self._client = DICOMwebClient(url, session=session)

    def find(self, series_instance_uid: str) -> Found:
        """Look a series up by QIDO-RS.

        Raises:
            ArchiveError: the archive does not list exactly this series.
        """
        filters = {"SeriesInstanceUID": series_instance_uid}
        rows = self._client.search_for_series(search_filters=filters, fields=["SeriesDescription"])
        if len(rows) != 1:
            raise ArchiveError(f"QIDO-RS must list series {series_instance_uid} once, got {len(rows)} series")
        series = Dataset.from_json(rows[0])
        study = str(series.StudyInstanceUID)
        listed = self._client.search_for_instances(study, series_instance_uid)
        instances = frozenset(str(Dataset.from_json(row).SOPInstanceUID) for row in listed)
        return Found(study, series_instance_uid, str(series.get("SeriesDescription", "")), instances)

    def fetch(self, found: Found, folder: Path, progress: Callable[[int], None] | None = None) -> list[Path]:
        """Write all instances of a series into `folder` by WADO-RS; returns the files, by Instance Number."""
        folder.mkdir(parents=True, exist_ok=True)
        numbered: list[tuple[int, Path]] = []
        instances = self._client.iter_series(found.study_instance_uid, found.series_instance_uid)
        for fetched, dataset in enumerate(instances, start=1):
            path = folder / f"{dataset.SOPInstanceUID}.dcm"
            dataset.save_as(path, enforce_file_format=True)
            numbered.append((int(dataset.InstanceNumber), path))
            if progress is not None:
                progress(fetched)
        return [path for _, path in sorted(numbered)]


def differing(left: dict[str, Path], right: dict[str, Path]) -> list[str]:
    """SOP Instance UIDs that only one side has, or whose attributes or pixels are not the same on both."""
    return sorted(uid for uid in left.keys() | right.keys() if not _same(left.get(uid), right.get(uid)))


def _same(left: Path | None, right: Path | None) -> bool:
    if left is None or right is None:
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd values in the source are no difference between two copies
        one, other = dcmread(left), dcmread(right)
        return Dataset(one) == Dataset(other)

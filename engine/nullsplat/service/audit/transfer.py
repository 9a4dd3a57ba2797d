"""Images that went from the archive to a worker or back, as an audit repository must be told of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydicom import dcmread

UNKNOWN = "<none>"
"""The identifier of a patient that the headers do not tell."""


@dataclass(frozen=True)
class Images:
    """Files of one study.

    Attributes:
        study: Study Instance UID.
        series: the files of each series.
    """

    study: str
    series: Sequence[Sequence[Path]]


@dataclass(frozen=True)
class Transfer:
    """What a repository is told of images of one study, which are of one patient.

    Attributes:
        study: Study Instance UID.
        patient: Patient ID.
        instances: how many of each SOP Class UID.
    """

    study: str
    patient: str
    instances: Mapping[str, int]

    @classmethod
    def unknown(cls, images: Images) -> Self:
        """Of images that cannot be looked at."""
        return cls(images.study, UNKNOWN, {})

    @classmethod
    def of(cls, images: Images) -> Self:
        """Of whole series, each of which has one SOP Class; one header of each is read.

        Raises:
            OSError, InvalidDicomError: a file cannot be read.
            AttributeError: a file says nothing of its SOP Class.
        """
        patient, instances = UNKNOWN, Counter[str]()
        for paths in filter(None, images.series):
            header = dcmread(paths[0], specific_tags=["SOPClassUID", "PatientID"], stop_before_pixels=True)
            instances[str(header.SOPClassUID)] += len(paths)
            patient = str(header.get("PatientID") or "").strip() or patient
        return cls(images.study, patient, instances)

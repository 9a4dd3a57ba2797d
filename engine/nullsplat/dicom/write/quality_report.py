"""Writes the figures of a run as a structured report, so that they can be read wherever the images are.

Source: PS3.3 A.35.2 (Enhanced SR IOD).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from highdicom.sr import EnhancedSR
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage

from nullsplat.core.files import make_folder
from nullsplat.dicom.headers import quiet_pydicom
from nullsplat.dicom.provenance import Provenance
from nullsplat.dicom.read.eligibility import PRODUCT_NAME
from nullsplat.dicom.read.series import SourceSeries
from nullsplat.dicom.uids import derive_uid
from nullsplat.dicom.write.codes import coding_schemes
from nullsplat.dicom.write.copied_attributes import carry_study_level, fill_required
from nullsplat.dicom.write.derived_series import DerivedOptions, DerivedSeries, describe_series
from nullsplat.dicom.write.files import write_file
from nullsplat.dicom.write.quality_content import ShownImages, measurement_report

FILE_NAME = "quality-report.dcm"
NUMBER = 4
"""Times the offset of series numbers is added to the source's; 2 and 3 are the maps'."""


@dataclass(frozen=True)
class QualityReport:
    """One report on disk."""

    series_instance_uid: str
    sop_instance_uid: str
    path: Path


def write_quality_report(
    source: SourceSeries,
    derived: DerivedSeries,
    figures: Mapping[str, Any],
    provenance: Provenance,
    folder: Path,
    options: DerivedOptions | None = None,
) -> QualityReport:
    """Write one Enhanced SR in its own series; the same arguments give the same bytes.

    Args:
        source: what was super-resolved.
        derived: what was made of it, with all that the report is to refer to.
        figures: of the run, see `pipeline.stages.run_consistency`; what is not there is left out.
        provenance: of the run; decides the UIDs and the creation time.
        folder: made if missing.
        options: a site's choices.
    Raises:
        StorageError: the folder cannot be written.
    """
    make_folder(folder)
    with quiet_pydicom():
        dataset = _report(source, derived, figures, provenance)
        carry_study_level(source.headers[0], dataset)
        describe_series(dataset, source, provenance, options or DerivedOptions(), NUMBER, "QA ")
    path = folder / FILE_NAME
    write_file(dataset, path)
    return QualityReport(str(dataset.SeriesInstanceUID), str(dataset.SOPInstanceUID), path)


def _report(
    source: SourceSeries, derived: DerivedSeries, figures: Mapping[str, Any], provenance: Provenance
) -> EnhancedSR:
    header = source.headers[0]
    study = str(header.StudyInstanceUID)
    read = [
        _evidence(study, str(h.SeriesInstanceUID), str(h.SOPInstanceUID), str(h.SOPClassUID))
        for h in source.instances
    ]
    made = _slices(study, derived)
    drawn = _slices(study, derived.sample) if derived.sample is not None else []
    further = [
        (one.shows, _evidence(study, one.series_instance_uid, one.sop_instance_uid, one.sop_class_uid))
        for one in derived.further
    ]
    return EnhancedSR(
        evidence=[*read, *made, *drawn, *(image for _, image in further)],
        content=measurement_report(ShownImages(read, made, drawn, further), figures, provenance),
        series_instance_uid=derive_uid(provenance, "quality report series"),
        series_number=1,
        sop_instance_uid=derive_uid(provenance, "quality report"),
        instance_number=1,
        manufacturer=PRODUCT_NAME,
        is_complete=True,
        specific_character_set=None,
        coding_schemes=coding_schemes(),
    )


def _slices(study: str, series: DerivedSeries) -> list[Dataset]:
    return [
        _evidence(study, series.series_instance_uid, uid, CTImageStorage) for uid in series.sop_instance_uids
    ]


def _evidence(study: str, series: str, instance: str, sop_class: str) -> Dataset:
    """What highdicom asks of a referenced image; who the patient is follows from the source afterwards."""
    image = Dataset()
    fill_required(image)
    image.SOPClassUID = sop_class
    image.StudyInstanceUID, image.SeriesInstanceUID, image.SOPInstanceUID = study, series, instance
    return image

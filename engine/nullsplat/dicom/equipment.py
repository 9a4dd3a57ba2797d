"""Who made the images: the scanner, and NullSplat.

Source: PS3.3 C.7.5.1 (General Equipment), C.12.1 (Contributing Equipment Sequence).
"""

import copy
import re
from datetime import datetime

from highdicom import ContributingEquipment
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from nullsplat.dicom import algorithm
from nullsplat.dicom.carried import carry
from nullsplat.dicom.eligibility import PRODUCT_NAME
from nullsplat.dicom.headers import text
from nullsplat.dicom.provenance import Provenance

_SCANNER = (
    "ManufacturerModelName", "SoftwareVersions", "DeviceSerialNumber", "InstitutionName",
    "InstitutionalDepartmentName", "InstitutionAddress", "StationName",
)  # fmt: skip


_DATE_TIME = re.compile(r"\d{8}(\d{2,6}(\.\d{1,6})?)?([+-]\d{4})?")


def contributing_equipment(header: Dataset, provenance: Provenance) -> list[Dataset]:
    """What the source already lists, then the scanner that acquired it, then NullSplat."""
    earlier = [copy.deepcopy(item) for item in header.get("ContributingEquipmentSequence") or []]
    return [*earlier, _scanner(header), _processor(provenance)]


def set_general_equipment(target: Dataset, provenance: Provenance) -> None:
    """Name the maker of the new series, which is not the scanner any more."""
    target.Manufacturer = PRODUCT_NAME
    target.ManufacturerModelName = PRODUCT_NAME
    target.SoftwareVersions = [provenance.software_version, f"weights {provenance.model_hash[:12]}"]


def date_time(moment: datetime) -> str:
    """A DICOM DT, with the offset from UTC where it is known."""
    return moment.strftime("%Y%m%d%H%M%S.%f%z")


def _scanner(header: Dataset) -> Dataset:
    item = ContributingEquipment(
        manufacturer=text(header, "Manufacturer")[:64] or "Unknown",
        purpose_of_reference=codes.DCM.AcquisitionEquipment,
        contribution_description="Acquisition equipment of the source images",
    )
    carry(header, item, _SCANNER)
    acquired = text(header, "AcquisitionDateTime") or text(header, "AcquisitionDate") + text(
        header, "AcquisitionTime"
    )
    if _DATE_TIME.fullmatch(acquired):
        item.add_new("ContributionDateTime", "DT", acquired)
    return item


def _processor(provenance: Provenance) -> Dataset:
    return ContributingEquipment(
        manufacturer=PRODUCT_NAME,
        manufacturer_model_name=PRODUCT_NAME,
        software_versions=provenance.software_version,
        purpose_of_reference=codes.DCM.ProcessingEquipment,
        contribution_datetime=date_time(provenance.created),
        contribution_description=algorithm.NAME,
    )

"""Who made the images: the scanner, and NullSplat with its weights, which every object names.

Source: PS3.3 C.7.5.1 (General Equipment), C.12.1 (Contributing Equipment Sequence), IHE AIR 6.5.3.1.
"""

import copy
from datetime import datetime

from highdicom import ContributingEquipment
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from nullsplat.dicom.headers import text
from nullsplat.dicom.provenance import Provenance
from nullsplat.dicom.read.eligibility import PRODUCT_NAME
from nullsplat.dicom.write import algorithm
from nullsplat.dicom.write.copied_attributes import carry
from nullsplat.dicom.write.repairs import is_date_time, repaired

_SCANNER = (
    "ManufacturerModelName", "SoftwareVersions", "DeviceSerialNumber", "InstitutionName",
    "InstitutionalDepartmentName", "InstitutionAddress", "StationName",
)  # fmt: skip


def contributing_equipment(header: Dataset, provenance: Provenance) -> list[Dataset]:
    """What the source already lists, then the scanner that acquired it, then NullSplat."""
    keyword = "ContributingEquipmentSequence"
    sound = repaired(header[keyword]) if keyword in header else None
    earlier = copy.deepcopy(list(sound.value)) if sound else []
    return [*earlier, _scanner(header), _processor(provenance)]


def set_general_equipment(target: Dataset, provenance: Provenance) -> None:
    """Name the maker of the new series, which is not the scanner any more."""
    target.Manufacturer = PRODUCT_NAME
    target.ManufacturerModelName = PRODUCT_NAME
    target.SoftwareVersions = algorithm.software_versions(provenance)


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
    if is_date_time(acquired):
        item.add_new("ContributionDateTime", "DT", acquired)
    return item


def _processor(provenance: Provenance) -> Dataset:
    item = ContributingEquipment(
        manufacturer=PRODUCT_NAME,
        manufacturer_model_name=PRODUCT_NAME,
        software_versions=algorithm.software_versions(provenance),
        purpose_of_reference=codes.DCM.ProcessingEquipment,
        contribution_datetime=date_time(provenance.created),
        contribution_description=algorithm.NAME,
    )
    item.DeviceUID = algorithm.device_uid(provenance)
    return item

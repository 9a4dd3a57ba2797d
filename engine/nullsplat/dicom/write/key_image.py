"""Writes a result's key image: one picture for viewers and archives that show neither map nor report.

Source: PS3.3 A.8.1 (Secondary Capture Image IOD).
"""

from pathlib import Path

from jaxtyping import UInt8
from numpy import ndarray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import SecondaryCaptureImageStorage

from nullsplat.core.files import make_folder
from nullsplat.core.volume import Volume
from nullsplat.dicom.headers import quiet_pydicom
from nullsplat.dicom.picture import Shown, draw
from nullsplat.dicom.provenance import Provenance
from nullsplat.dicom.read.series import SourceSeries
from nullsplat.dicom.uids import derive_uid
from nullsplat.dicom.write.copied_attributes import (
    REQUIRED_OF_A_STUDY,
    carry_body_part,
    carry_study_level,
    fill_required,
)
from nullsplat.dicom.write.derived_series import DerivedOptions, FurtherImage, describe_series, is_lossy
from nullsplat.dicom.write.files import write_file
from nullsplat.dicom.write.labels import derivation_description
from nullsplat.dicom.write.repairs import windows

FILE_NAME = "key-image.dcm"
NUMBER = 6
"""Times the offset of series numbers is added to the source's; up to 5 are maps and report, 7 is a sample."""
_WINDOW = (-300.0, 1400.0)
"""Where the source names none: lung and soft tissue can both be seen."""


def write_key_image(
    source: SourceSeries,
    result: Volume,
    interval: Volume | None,
    provenance: Provenance,
    folder: Path,
    options: DerivedOptions | None = None,
) -> FurtherImage:
    """Write one Secondary Capture in its own series; the same arguments give the same bytes.

    Args:
        source: what was super-resolved.
        result: HU on the finer grid.
        interval: half widths in HU on the same grid; None where the prior knows none.
        provenance: of the run; decides the UIDs and the creation time.
        folder: made if missing.
        options: a site's choices.
    Raises:
        StorageError: the folder cannot be written.
    """
    make_folder(folder)
    pixels = draw(Shown(source.volume, result, interval, _window(source.headers[0])))
    with quiet_pydicom():
        dataset = _describe(source, provenance, options or DerivedOptions())
    _set_pixels(dataset, pixels)
    path = folder / FILE_NAME
    write_file(dataset, path)
    return FurtherImage(
        codes.DCM.KeyImages,
        SecondaryCaptureImageStorage,
        dataset.SeriesInstanceUID,
        dataset.SOPInstanceUID,
        path,
    )


def _window(header: Dataset) -> tuple[float, float]:
    centres, widths = windows(header)
    return (float(centres[0]), float(widths[0])) if centres else _WINDOW


def _describe(source: SourceSeries, provenance: Provenance, options: DerivedOptions) -> Dataset:
    header = source.headers[0]
    dataset = Dataset()
    carry_study_level(header, dataset)
    carry_body_part(header, dataset)
    describe_series(dataset, source, provenance, options, NUMBER, "KEY ")
    dataset.SOPClassUID = SecondaryCaptureImageStorage
    dataset.SOPInstanceUID = derive_uid(provenance, "key image")
    dataset.SeriesInstanceUID = derive_uid(provenance, "key image series")
    dataset.Modality = "OT"
    dataset.ConversionType = "WSD"
    dataset.ImageType = ["DERIVED", "SECONDARY"]
    dataset.InstanceNumber = 1
    dataset.DerivationDescription = derivation_description(provenance)
    dataset.PatientOrientation = None
    dataset.BurnedInAnnotation = "NO"  # nothing that says who the patient is
    if options.synthetic_data:
        dataset.SyntheticData = "YES"
    if is_lossy(source):
        dataset.LossyImageCompression = "01"
    fill_required(dataset, REQUIRED_OF_A_STUDY)
    return dataset


def _set_pixels(dataset: Dataset, pixels: UInt8[ndarray, "rows columns 3"]) -> None:
    dataset.SamplesPerPixel = 3
    dataset.PhotometricInterpretation = "RGB"
    dataset.PlanarConfiguration = 0
    dataset.Rows, dataset.Columns, _ = pixels.shape
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelRepresentation = 0
    dataset.add_new("PixelData", "OB", pixels.tobytes())

"""Writes how sure a result is: the standard deviation of several samples, as a Parametric Map of floats.

Source: PS3.3 A.75 (Parametric Map IOD), C.7.6.16.2.11 (Real World Value Mapping).
"""

from pathlib import Path

import highdicom as hd
import numpy as np
from highdicom.pm import ParametricMap, RealWorldValueMapping
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from nullsplat.core.volume import Volume
from nullsplat.dicom.carried import carry, carry_series_level, fill_required
from nullsplat.dicom.deriving import DerivedOptions, check_same_extent, is_lossy, set_creation
from nullsplat.dicom.eligibility import PRODUCT_NAME
from nullsplat.dicom.equipment import contributing_equipment, set_general_equipment
from nullsplat.dicom.headers import quiet_pydicom
from nullsplat.dicom.labels import series_description, series_number
from nullsplat.dicom.planes import decimal
from nullsplat.dicom.provenance import Provenance
from nullsplat.dicom.reading import SourceSeries
from nullsplat.dicom.uids import derive_uid
from nullsplat.dicom.writing import make_folder, write_file

FILE_NAME = "uncertainty.dcm"

_PLANE = (
    "Rows",
    "Columns",
    "PixelSpacing",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "SliceThickness",
)


def write_uncertainty(
    source: SourceSeries,
    deviation: Volume,
    provenance: Provenance,
    folder: Path,
    options: DerivedOptions | None = None,
) -> Path:
    """Write one multi-frame object in a series of its own; the same arguments give the same bytes.

    Args:
        source: what was super-resolved.
        deviation: standard deviation of the samples in HU, on the grid of the result.
        provenance: of the run; decides the UIDs and the creation time.
        folder: made if missing.
        options: a site's choices.
    Raises:
        GeometryError: the map lies elsewhere than the source.
        StorageError: the folder cannot be written.
    """
    check_same_extent(source.volume.geometry, deviation.geometry)
    make_folder(folder)
    with quiet_pydicom():
        dataset = _parametric_map(source, deviation, provenance)
        _describe_series(dataset, source, provenance, options or DerivedOptions())
        _fix_measures(dataset, source, deviation)
    path = folder / FILE_NAME
    write_file(dataset, path)
    return path


def _parametric_map(source: SourceSeries, deviation: Volume, provenance: Provenance) -> ParametricMap:
    highest = max(float(deviation.hu.max()), 1.0)
    window = max(float(np.percentile(deviation.hu, 99)), 1.0)
    frames = hd.Volume(
        deviation.hu,
        deviation.geometry.affine,
        coordinate_system="PATIENT",
        frame_of_reference_uid=str(source.headers[0].FrameOfReferenceUID),
    )
    return ParametricMap(
        source_images=[_source_image(header, source.slice_thickness) for header in source.headers],
        pixel_array=frames,
        series_instance_uid=derive_uid(provenance, "uncertainty series"),
        series_number=1,
        sop_instance_uid=derive_uid(provenance, "uncertainty"),
        instance_number=1,
        manufacturer=PRODUCT_NAME,
        manufacturer_model_name=PRODUCT_NAME,
        software_versions=provenance.software_version,
        device_serial_number=provenance.model_hash[
            :12
        ],  # the same program with other weights is another device
        contains_recognizable_visual_features=False,
        content_label="UNCERTAINTY",
        content_description=f"Standard deviation of {provenance.samples} samples",
        real_world_value_mappings=[
            RealWorldValueMapping(
                lut_label="STDDEV",
                lut_explanation="Standard deviation of the samples",
                unit=codes.UCUM.HounsfieldUnit,
                value_range=(0.0, highest),
                slope=1.0,
                intercept=0.0,
                quantity_definition=codes.SCT.StandardDeviation,
            )
        ],
        voi_lut_transformations=[hd.VOILUTTransformation(window_center=window / 2, window_width=window)],
    )


def _source_image(header: Dataset, slice_thickness: float) -> Dataset:
    """What highdicom looks at in a source image, complete even where the scanner left gaps."""
    image = Dataset()
    carry_series_level(header, image)
    carry(header, image, (*_PLANE, "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID"))
    fill_required(image)
    image.Modality = "CT"
    image.SliceThickness = decimal(slice_thickness)
    image.Manufacturer = PRODUCT_NAME  # of the equipment items, which are replaced
    return image


def _describe_series(
    dataset: Dataset, source: SourceSeries, provenance: Provenance, options: DerivedOptions
) -> None:
    header = source.headers[0]
    carry_series_level(header, dataset)
    set_general_equipment(dataset, provenance)
    set_creation(dataset, provenance)
    dataset.SeriesNumber = series_number(header, 2 * options.series_number_offset)
    dataset.SeriesDescription = series_description(header, provenance, "STDDEV ")
    dataset.ContributingEquipmentSequence = contributing_equipment(header, provenance)
    dataset.LossyImageCompression = "01" if is_lossy(source) else "00"
    dimensions = derive_uid(provenance, "uncertainty dimensions")  # highdicom draws one at random
    for item in (*dataset.DimensionOrganizationSequence, *dataset.DimensionIndexSequence):
        item.DimensionOrganizationUID = dimensions


def _fix_measures(dataset: Dataset, source: SourceSeries, deviation: Volume) -> None:
    """Give the slices the thickness of the result; highdicom takes the source's."""
    ratio = deviation.geometry.spacing[0] / source.volume.geometry.spacing[0]
    measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    measures.SliceThickness = decimal(source.slice_thickness * ratio)

"""Writes what of a result was not measured, as Parametric Maps in HU, each in its own series.

Source: PS3.3 A.75 (Parametric Map IOD), C.7.6.16.2.11 (Real World Value Mapping), C.8.32.2 (Pixel Presentation).
"""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import highdicom as hd
import numpy as np
from highdicom.pm import ParametricMap, RealWorldValueMapping
from jaxtyping import Float, Shaped
from numpy import ndarray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import CTImageStorage, ParametricMapStorage

from nullsplat.core.files import make_folder
from nullsplat.core.volume import Volume
from nullsplat.dicom.headers import quiet_pydicom
from nullsplat.dicom.provenance import Provenance
from nullsplat.dicom.read.eligibility import PRODUCT_NAME
from nullsplat.dicom.read.series import SourceSeries
from nullsplat.dicom.uids import derive_uid
from nullsplat.dicom.write import algorithm
from nullsplat.dicom.write.codes import HALF_WIDTH, NULL_SPACE_CHANGE, SCHEME, coding_schemes
from nullsplat.dicom.write.copied_attributes import carry, carry_series_level, fill_required
from nullsplat.dicom.write.derived_series import (
    DerivedOptions,
    FurtherImage,
    check_same_extent,
    describe_series,
    is_lossy,
    slice_thickness,
)
from nullsplat.dicom.write.files import write_file
from nullsplat.dicom.write.planes import set_plane

_LARGEST = 2**16 - 1


@dataclass(frozen=True)
class MapKind:
    """What a map shows, in the words of its headers.

    Attributes:
        role: goes into the UIDs, see `derive_uid`.
        file_name: of the one object.
        label: Content Label, 16 characters of a CS.
        mark: stands in the Series Description.
        short: label of the real world value mapping, 16 characters of an SH.
        meaning: Content Description; `{samples}` is replaced.
        quantity: what is measured.
        number: times the offset of series numbers is added to the source's.
        whole_hu: whether values are rounded up to whole HU, which takes half the bytes of floats.
        signed: whether values have two signs; such a map stays grey, with zero in the middle.
    """

    role: str
    file_name: str
    label: str
    mark: str
    short: str
    meaning: str
    quantity: Code
    number: int
    whole_hu: bool = False
    signed: bool = False


DEVIATION = MapKind(
    role="uncertainty",
    file_name="uncertainty.dcm",
    label="UNCERTAINTY",
    mark="STDDEV ",
    short="STDDEV",
    meaning="Standard deviation of {samples} samples",
    quantity=codes.SCT.StandardDeviation,
    number=2,
)
"""Standard deviation of the samples of stage 1, in HU."""

NULL_SPACE = MapKind(
    role="null space",
    file_name="null-space.dcm",
    label="NULL_SPACE",
    mark="NULLSPACE ",
    short="NULLSPACE",
    meaning="Null-space change: added to interpolation, not measurable",
    quantity=NULL_SPACE_CHANGE,
    number=3,
    signed=True,
)
"""What was added to interpolation without support from the measurement, in HU and of either sign."""

INTERVAL = MapKind(
    role="interval",
    file_name="interval.dcm",
    label="INTERVAL_90",
    mark="INTERVAL ",
    short="INTERVAL90",
    meaning="Half width of the interval that holds 90 % of the truth",
    quantity=HALF_WIDTH,
    number=5,
    whole_hu=True,
)
"""How far from the truth a voxel may be, in HU, calibrated."""


def write_map(
    kind: MapKind,
    source: SourceSeries,
    values: Volume,
    provenance: Provenance,
    folder: Path,
    options: DerivedOptions | None = None,
) -> FurtherImage:
    """Write one multi-frame object in its own series; the same arguments give the same bytes.

    Args:
        kind: what the values are.
        source: what was super-resolved.
        values: HU, on the grid of the result.
        provenance: of the run; decides the UIDs and the creation time.
        folder: made if missing.
        options: a site's choices.
    Raises:
        GeometryError: the map lies elsewhere than the source.
        StorageError: the folder cannot be written.
    """
    check_same_extent(source.volume.geometry, values.geometry)
    make_folder(folder)
    with quiet_pydicom():
        bound = _bound(values)
        dataset = _parametric_map(kind, source, values, bound, provenance)
        if not kind.signed:
            _colour(dataset, bound)
        _describe_series(dataset, kind, source, provenance, options or DerivedOptions())
        _name_algorithm(dataset, provenance)
    path = folder / kind.file_name
    write_file(dataset, path)
    return FurtherImage(
        kind.quantity, ParametricMapStorage, dataset.SeriesInstanceUID, dataset.SOPInstanceUID, path
    )


def _parametric_map(
    kind: MapKind, source: SourceSeries, values: Volume, bound: int, provenance: Provenance
) -> ParametricMap:
    frames = hd.Volume(
        _stored(kind, values.hu),
        values.geometry.affine,
        coordinate_system="PATIENT",
        frame_of_reference_uid=str(source.headers[0].FrameOfReferenceUID),
    )
    return ParametricMap(
        source_images=_result_images(source, values, provenance),
        pixel_array=frames,
        series_instance_uid=derive_uid(provenance, f"{kind.role} series"),
        series_number=1,
        sop_instance_uid=derive_uid(provenance, kind.role),
        instance_number=1,
        manufacturer=PRODUCT_NAME,
        manufacturer_model_name=PRODUCT_NAME,
        software_versions=provenance.software_version,
        device_serial_number=provenance.model_hash[
            :12
        ],  # the same program with other weights is another device
        contains_recognizable_visual_features=False,
        content_label=kind.label,
        content_description=kind.meaning.format(samples=provenance.samples),
        real_world_value_mappings=[
            RealWorldValueMapping(
                lut_label=kind.short,
                lut_explanation=kind.meaning.format(samples=provenance.samples),
                unit=codes.UCUM.HounsfieldUnit,
                value_range=_value_range(kind, values),
                slope=1.0,
                intercept=0.0,
                quantity_definition=kind.quantity,
            )
        ],
        voi_lut_transformations=[_window(kind, bound)],
        coding_schemes=coding_schemes() if kind.quantity.scheme_designator == SCHEME else None,
    )


def _stored(kind: MapKind, hu: Float[ndarray, "z y x"]) -> Shaped[ndarray, "z y x"]:
    return np.ceil(hu).clip(0, _LARGEST).astype(np.uint16) if kind.whole_hu else hu


def _value_range(kind: MapKind, values: Volume) -> tuple[float, float]:
    """The range that occurs, with zero in it and at least 1 HU wide."""
    if kind.whole_hu:
        return 0, max(int(_stored(kind, values.hu.max(keepdims=True)).max()), 1)
    return min(float(values.hu.min()), 0.0), max(float(values.hu.max()), 1.0)


def _bound(values: Volume) -> int:
    """Whole HU that the magnitude of 99 % of the voxels does not exceed; at least 1."""
    return max(int(np.ceil(np.percentile(np.abs(values.hu), 99))), 1)


def _window(kind: MapKind, bound: int) -> hd.VOILUTTransformation:
    """From zero to the bound in HU, or as far to both sides where there are two signs."""
    if kind.signed:
        return hd.VOILUTTransformation(window_center=0.0, window_width=2.0 * bound)
    return hd.VOILUTTransformation(window_center=bound / 2, window_width=float(bound))


def _colour(dataset: Dataset, bound: int) -> None:
    """Show 0 to `bound` HU from black over red to white: the standard's palette whose lightness only rises.

    Source: PS3.3 C.7.9 (Palette Color Lookup Table), C.7.6.16.2.26 (Stored Value Color Range), PS3.6 B.1.1 (HOT_IRON).
    Added here because highdicom takes palettes for integers alone, and leaves the range out.
    """
    table = apply_color_lut(np.arange(256, dtype=np.uint8), palette="HOT_IRON").astype(np.uint16) * 257
    dataset.update(hd.PaletteColorLUTTransformation.from_combined_lut(table))
    dataset.PixelPresentation = "COLOR_RANGE"
    dataset.ICCProfile = files(hd).joinpath("_icc_profiles/sRGB_v4_ICC_preference.icc").read_bytes()
    colours = Dataset()
    colours.MinimumStoredValueMapped = 0.0
    colours.MaximumStoredValueMapped = float(bound)
    dataset.SharedFunctionalGroupsSequence[0].StoredValueColorRangeSequence = [colours]


def _result_images(source: SourceSeries, values: Volume, provenance: Provenance) -> list[Dataset]:
    """What highdicom asks of the images that a map belongs to: the slices of the result, each of which lies where a frame does.

    Viewers lay a map over the series that it refers to, frame by frame. Who the patient is follows from the source
    afterwards: highdicom refuses names, dates and codes that real headers hold.
    """
    return [_result_image(source, values, provenance, index) for index in range(values.geometry.shape[0])]


def _result_image(source: SourceSeries, values: Volume, provenance: Provenance, index: int) -> Dataset:
    image = Dataset()
    carry(source.headers[0], image, ("StudyInstanceUID", "FrameOfReferenceUID"))
    fill_required(image)
    image.SOPClassUID = CTImageStorage
    image.SeriesInstanceUID = derive_uid(provenance, "series")
    image.SOPInstanceUID = derive_uid(provenance, "slice", index)
    image.Modality = "CT"
    image.Manufacturer = PRODUCT_NAME  # of the equipment items, which are replaced
    image.Rows, image.Columns = values.geometry.shape[1:]
    set_plane(image, values.geometry, index, slice_thickness(source, values.geometry))
    return image


def _describe_series(
    dataset: Dataset,
    kind: MapKind,
    source: SourceSeries,
    provenance: Provenance,
    options: DerivedOptions,
) -> None:
    carry_series_level(source.headers[0], dataset)
    describe_series(dataset, source, provenance, options, kind.number, kind.mark)
    if options.synthetic_data:
        dataset.SyntheticData = "YES"
    dataset.LossyImageCompression = "01" if is_lossy(source) else "00"
    dimensions = derive_uid(provenance, f"{kind.role} dimensions")  # highdicom draws one at random
    for item in (*dataset.DimensionOrganizationSequence, *dataset.DimensionIndexSequence):
        item.DimensionOrganizationUID = dimensions


def _name_algorithm(dataset: Dataset, provenance: Provenance) -> None:
    """Say in the definition of the quantity what computed it; a map has no other place for that.

    Source: PS3.3 C.7.6.16.2.11 (Quantity Definition Sequence), PS3.16 TID 4019.
    """
    mapping = dataset.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
    for name, value in (
        (codes.DCM.AlgorithmName, algorithm.NAME),
        (codes.DCM.AlgorithmVersion, provenance.software_version),
        *((codes.DCM.AlgorithmParameters, parameter) for parameter in algorithm.parameters(provenance)),
    ):
        mapping.QuantityDefinitionSequence.append(hd.sr.TextContentItem(name=name, value=value))

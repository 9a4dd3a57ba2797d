"""Writes the super-resolved volume as its own CT series, beside the source in the same study."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from highdicom.sr import CodedConcept
from jaxtyping import Float
from numpy import ndarray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import CTImageStorage, JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless

from nullsplat.core.errors import GeometryError
from nullsplat.core.files import make_folder
from nullsplat.core.volume import Geometry, Volume
from nullsplat.dicom.headers import number, text, words
from nullsplat.dicom.provenance import Provenance
from nullsplat.dicom.read.enhanced import FRAME_NUMBER
from nullsplat.dicom.read.series import SourceSeries
from nullsplat.dicom.uids import derive_uid
from nullsplat.dicom.write.copied_attributes import carry_image_level, carry_series_level, fill_required
from nullsplat.dicom.write.encoding import OutputSyntax, check_encoder, check_size
from nullsplat.dicom.write.equipment import contributing_equipment, set_general_equipment
from nullsplat.dicom.write.files import write_file
from nullsplat.dicom.write.labels import derivation_description, series_description, series_number
from nullsplat.dicom.write.planes import set_pixels, set_plane

_LOSSY = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless)


@dataclass(frozen=True)
class DerivedSeries:
    """A series on disk; instances in z order.

    Attributes:
        series_instance_uid: of the derived series.
        sop_instance_uids: one per slice.
        paths: one file per slice.
        further: what shows it in another way, and is stored with it.
        sample: one sample of the prior, whose mean the result is, as a series of its own.
    """

    series_instance_uid: str
    sop_instance_uids: tuple[str, ...]
    paths: tuple[Path, ...]
    further: tuple["FurtherImage", ...] = ()
    sample: "DerivedSeries | None" = None


@dataclass(frozen=True)
class FurtherImage:
    """A map or a picture that goes with a derived series: one object, alone in its series.

    Attributes:
        shows: what it is, as a coded concept.
        path: its file.
    """

    shows: Code
    sop_class_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    path: Path


@dataclass(frozen=True)
class SeriesKind:
    """Which volume of a run a series shows.

    Attributes:
        role: goes before the roles of its UIDs, and before its files' names.
        label: goes into Series Description before RESEARCH.
        number: times the offset of series numbers that is added to the source's.
        caution: begins Derivation Description.
    """

    role: str = ""
    label: str = ""
    number: int = 1
    caution: str = ""


RESULT = SeriesKind()
SAMPLE = SeriesKind(
    role="sample ",
    label="SAMPLE ",
    number=7,
    caution="ONE SAMPLE of what the measurement allows: texture and smallest details are drawn at random. ",
)


@dataclass(frozen=True)
class DerivedOptions:
    """What a site may decide about derived series.

    Attributes:
        series_number_offset: added to the source's Series Number.
        synthetic_data: mark the images as synthetic (0008,001C), since part of their content comes from a model.
        syntax: how the slices' pixels are encoded; maps and reports are never compressed.
    """

    series_number_offset: int = 1000
    synthetic_data: bool = True
    syntax: OutputSyntax = OutputSyntax.EXPLICIT


def write_derived(
    source: SourceSeries,
    result: Volume,
    provenance: Provenance,
    folder: Path,
    options: DerivedOptions | None = None,
    kind: SeriesKind = RESULT,
) -> DerivedSeries:
    """Write one file per slice; the same arguments give the same bytes.

    Args:
        source: what was super-resolved; neither it nor its files change.
        result: HU on a grid with the extent, centre and axes of the source.
        provenance: of the run; decides the UIDs and the creation time.
        folder: made if missing.
        options: a site's choices.
        kind: which volume of the run `result` is.
    Raises:
        GeometryError: the result lies elsewhere than the source.
        ConfigurationError: there is no encoder for the transfer syntax, or the slices are too small for it.
        StorageError: the folder cannot be written.
    """
    check_same_extent(source.volume.geometry, result.geometry)
    options = options or DerivedOptions()
    check_encoder(options.syntax)
    check_size(options.syntax, *result.geometry.shape[1:])
    make_folder(folder)
    template = _series_template(source, provenance, options, kind)
    numbers = _instance_numbers(source, result.geometry.shape[0])
    uids, paths = [], []
    for index, instance_number in enumerate(numbers):
        dataset = _slice(source, result, index, template)
        dataset.SOPInstanceUID = derive_uid(provenance, f"{kind.role}slice", index)
        dataset.InstanceNumber = instance_number
        path = folder / f"{kind.role.replace(' ', '-')}{index + 1:05d}.dcm"
        write_file(dataset, path, options.syntax)
        uids.append(str(dataset.SOPInstanceUID))
        paths.append(path)
    return DerivedSeries(str(template.SeriesInstanceUID), tuple(uids), tuple(paths))


def check_same_extent(source: Geometry, result: Geometry) -> None:
    """Refuse a result that would lie elsewhere in the patient than its source.

    Raises:
        GeometryError: axes, extent or centre differ by more than 1 % of a voxel.
    """
    hundredth = 0.01 * min(result.spacing)
    for name, ours, theirs, tolerance in (
        ("axes", np.array(result.axes), np.array(source.axes), 1e-6),
        ("extent", _extent(result), _extent(source), hundredth),
        ("centre", np.array(result.centre), np.array(source.centre), hundredth),
    ):
        if np.abs(ours - theirs).max() > tolerance:
            raise GeometryError(
                f"the result must have the {name} of the source, got {result.shape} voxels of {result.spacing} mm at "
                f"{result.origin} for {source.shape} voxels of {source.spacing} mm at {source.origin}; "
                "make its geometry with Geometry.resampled"
            )


def _extent(geometry: Geometry) -> Float[ndarray, "3"]:
    return np.multiply(geometry.shape, geometry.spacing, dtype=np.float64)


def _series_template(
    source: SourceSeries, provenance: Provenance, options: DerivedOptions, kind: SeriesKind
) -> Dataset:
    """Everything that all slices share."""
    template = Dataset()
    carry_series_level(source.headers[0], template)
    if len({words(one, "SpecificCharacterSet") for one in source.headers}) > 1:
        template.SpecificCharacterSet = "ISO_IR 192"  # which holds the texts of all slices
    describe_series(template, source, provenance, options, kind.number, kind.label)
    template.SOPClassUID = CTImageStorage
    template.Modality = "CT"
    template.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    template.SeriesInstanceUID = derive_uid(provenance, f"{kind.role}series")
    template.DerivationDescription = derivation_description(provenance, kind.caution)
    template.DerivationCodeSequence = [CodedConcept.from_code(codes.DCM.SpatialResampling)]
    template.ContentQualification = "RESEARCH"
    if options.synthetic_data:
        template.SyntheticData = "YES"
    if is_lossy(source):
        template.LossyImageCompression = "01"  # once lossy, always lossy
    return template


def describe_series(
    target: Dataset,
    source: SourceSeries,
    provenance: Provenance,
    options: DerivedOptions,
    offsets: int = 1,
    kind: str = "",
) -> None:
    """Write what made a new series, when, and how it is called.

    Args:
        target: has the source's time zone, where that names one.
        offsets: added to the source's Series Number, see `DerivedOptions.series_number_offset`.
        kind: of series, see `labels.series_description`.
    """
    header = source.headers[0]
    set_general_equipment(target, provenance)
    _set_creation(target, provenance)
    target.SeriesNumber = series_number(header, offsets * options.series_number_offset)
    target.SeriesDescription = series_description(header, provenance, kind)
    target.ContributingEquipmentSequence = contributing_equipment(header, provenance)


def _set_creation(target: Dataset, provenance: Provenance) -> None:
    """Date what is new about an object by the run's clock, in the time zone that the object names, if it does."""
    created = provenance.created
    with suppress(ValueError):  # no time zone, or none of that name
        created = created.astimezone(datetime.strptime(text(target, "TimezoneOffsetFromUTC"), "%z").tzinfo)
    for event in ("Series", "Content", "InstanceCreation"):
        setattr(target, f"{event}Date", created.strftime("%Y%m%d"))
        setattr(target, f"{event}Time", created.strftime("%H%M%S.%f"))


def is_lossy(source: SourceSeries) -> bool:
    """Whether any slice was compressed with loss at any time: by its flag, or by its transfer syntax."""
    return any(
        text(header, "LossyImageCompression") == "01" or text(header.file_meta, "TransferSyntaxUID") in _LOSSY
        for header in source.headers
    )


def _slice(source: SourceSeries, result: Volume, index: int, template: Dataset) -> Dataset:
    geometry, grid = result.geometry, source.volume.geometry
    dataset = Dataset()
    dataset.update(template)
    position = _source_index(grid, geometry, index)
    carry_image_level(source.headers[_nearest(position, grid.shape[0])], dataset)
    fill_required(dataset)
    set_plane(dataset, geometry, index, slice_thickness(source, geometry))
    set_pixels(dataset, result.hu[index])
    dataset.SourceImageSequence = _references(
        [source.headers[i] for i in _neighbours(position, grid.shape[0])]
    )
    return dataset


def slice_thickness(source: SourceSeries, result: Geometry) -> float:
    """Of the result's slices in mm: as much thinner than the source's as they are nearer."""
    return source.slice_thickness * result.spacing[0] / source.volume.geometry.spacing[0]


def _source_index(source: Geometry, result: Geometry, index: int) -> float:
    """Where a slice of the result lies among the slices of the source, as a fractional z index."""
    offset = np.subtract(result.position((index, 0, 0)), source.origin)
    return float(offset @ np.asarray(source.axes[0])) / source.spacing[0]


def _nearest(position: float, count: int) -> int:
    return int(np.clip(round(position), 0, count - 1))


def _neighbours(position: float, count: int) -> list[int]:
    """The source slices on both sides; one where the slice coincides with it or lies beyond the last centre."""
    exact = round(position) if abs(position - round(position)) < 1e-3 else position
    sides = np.clip([np.floor(exact), np.ceil(exact)], 0, count - 1)
    return sorted({int(side) for side in sides})


def _references(headers: list[Dataset]) -> list[Dataset]:
    """One item for each image; frames of the same image share one."""
    frames = [int(header[FRAME_NUMBER].value) for header in headers if FRAME_NUMBER in header]
    if not frames:
        return [_reference(header) for header in headers]
    item = _reference(headers[0])
    item.ReferencedFrameNumber = frames
    return [item]


def _reference(header: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = text(header, "SOPClassUID")
    item.ReferencedSOPInstanceUID = text(header, "SOPInstanceUID")
    item.PurposeOfReferenceCodeSequence = [
        CodedConcept.from_code(codes.DCM.SourceImageForImageProcessingOperation)
    ]
    return item


def _instance_numbers(source: SourceSeries, count: int) -> list[int]:
    """1 to `count` in the direction in which the source is numbered, so that viewers scroll both the same way."""
    first, last = (number(source.headers[end], "InstanceNumber") for end in (0, -1))
    ascending = list(range(1, count + 1))
    return ascending[::-1] if first is not None and last is not None and first > last else ascending

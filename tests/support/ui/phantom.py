"""A chest that can be evaluated at any height: thick noisy slices as a scanner makes them, thin ones as a result."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from tests.support.plugin.series import ct_slice

SIZE, SPACING = 224, 1.5
"""Pixels along x and y, and their size in mm."""
AIR, LUNG, FAT, TISSUE, BLOOD, BONE = -1000.0, -860.0, -90.0, 45.0, 60.0, 480.0
PARAMETRIC_MAP = "1.2.840.10008.5.1.4.1.1.30"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"

Image = NDArray[np.float32]


def _ellipse(centre: tuple[float, float], radii: tuple[float, float]) -> NDArray[np.bool_]:
    axis = (np.arange(SIZE) - SIZE / 2 + 0.5) * SPACING
    y, x = axis[:, None], axis[None, :]
    return ((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2 < 1


def _vessels(rng: np.random.Generator) -> NDArray[np.float64]:
    """Straight vessels: x, y at z = 0, slopes, radius."""
    side = rng.choice([-1.0, 1.0], 130)
    return np.column_stack(
        [side * rng.uniform(25, 105, 130), rng.uniform(-60, 55, 130), rng.normal(0, 0.8, 130), rng.normal(0, 0.8, 130),
         rng.uniform(1.2, 3.2, 130)]
    )  # fmt: skip


_VESSELS = _vessels(np.random.default_rng(7))


@functools.cache
def chest(z: float) -> Image:
    """HU at height z (mm, 0 to 100)."""
    grow = 1 + 0.1 * np.sin(z / 60)
    hu = np.full((SIZE, SIZE), AIR, np.float32)
    hu[_ellipse((0, 0), (150, 106))] = FAT
    hu[_ellipse((0, 0), (139, 96))] = TISSUE
    for side in (-1, 1):
        hu[_ellipse((side * 68, 4), (52 * grow, 76 * grow))] = LUNG
    _ribs(hu, z)
    for x, y, along_x, along_y, radius in _VESSELS:
        _draw_vessel(hu, (x + along_x * (z - 50), y + along_y * (z - 50)), radius)
    hu[_ellipse((14, -22 + 0.1 * z), (48 - 0.1 * z, 42))] = BLOOD
    hu[_ellipse((-2, 62), (20, 17))] = BONE - 180
    hu[_ellipse((-2, 68), (8, 7))] = TISSUE
    hu[_ellipse((20, 44), (12, 12))] = BLOOD + 60
    if abs(z - 47) < 4.5:
        hu[_ellipse((-74, -12), (5.0, 5.0))] = 40
    return hu


def _draw_vessel(hu: Image, centre: tuple[float, float], radius: float) -> None:
    column, row = (round(one / SPACING + SIZE / 2 - 0.5) for one in centre)
    box = slice(max(0, row - 4), row + 5), slice(max(0, column - 4), column + 5)
    y, x = ((np.arange(SIZE) - SIZE / 2 + 0.5) * SPACING for _ in range(2))
    inside = np.hypot(x[None, box[1]] - centre[0], (y[box[0], None] - centre[1]) / 1.3) < radius
    part = hu[box]
    part[inside & (part == LUNG)] = -60 + 30 * radius


def _ribs(hu: Image, z: float) -> None:
    for index, angle in enumerate(np.linspace(0.25, 2 * np.pi - 0.25, 15) + z / 75):
        centre = (float(131 * np.sin(angle)), float(88 * -np.cos(angle)))
        hu[_ellipse(centre, (8.5, 5.0 + index % 3))] = BONE


def blurred(image: Image) -> Image:
    """The image with its edges softened, as any scanner's."""
    padded = np.pad(image, 1, mode="edge")
    rows = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    return np.asarray((rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) / 4, np.float32)


@functools.cache
def thick_slice(z: float, thickness: float = 5.0, noise: float = 45.0) -> Image:
    """The mean over a slice, with noise."""
    heights = z + (np.arange(4) - 1.5) * thickness / 4
    mean = np.mean([blurred(chest(float(one))) for one in heights], axis=0)
    grain = blurred(
        np.random.default_rng(round(10 * z)).normal(0, noise * 2.2, mean.shape).astype(np.float32)
    )
    return np.asarray(mean + grain, np.float32)


def thin_slice(z: float) -> Image:
    """A thin slice with little noise."""
    return thick_slice(z, thickness=1.25, noise=12.0)


def series(images: Sequence[Image], heights: Sequence[float], about: dict[str, Any]) -> list[Dataset]:
    """Axial CT images of one series.

    Args:
        heights: z of each in mm.
        about: attributes of all of them, put over those of the tests' usual slice.
    """
    uid, study = generate_uid(), generate_uid()
    made = []
    for index, (image, height) in enumerate(zip(images, heights, strict=True)):
        dataset = ct_slice(index, 1.0, 0)
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = study, uid, study
        dataset.Rows, dataset.Columns = image.shape
        dataset.PixelSpacing = [SPACING, SPACING]
        edge = -(image.shape[0] / 2 - 0.5) * SPACING
        dataset.ImagePositionPatient = [edge, edge, height]
        dataset.PixelData = np.round(image + 1024).astype("<i2").tobytes()
        for name, value in about.items():
            setattr(dataset, name, value)
        made.append(dataset)
    return made


def uncertainty(
    images: Sequence[Image],
    like: Sequence[Dataset],
    label: str = "UNCERTAINTY",
    window: tuple[int, int] | None = None,
) -> list[Dataset]:
    """A Parametric Map of these values on the grid of a result, with what the page reads of one.

    Args:
        label: Content Label; an interval's values are whole HU, the others' are floats.
        window: centre and width that the map suggests.
    """
    first = like[0]
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for name in ("PatientID", "PatientName", "StudyInstanceUID", "StudyDate", "ContentDate", "ContentTime", "Rows", "Columns"):  # fmt: skip
        setattr(dataset, name, first[name].value)
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.SeriesInstanceUID = (
        PARAMETRIC_MAP,
        generate_uid(),
        generate_uid(),
    )
    dataset.Modality, dataset.NumberOfFrames = "OT", len(images)
    dataset.SeriesDescription = "[SuperRes 4x STDDEV RESEARCH] Chest 5.0"
    dataset.SharedFunctionalGroupsSequence = DicomSequence(
        [
            _item(
                PixelMeasuresSequence=[_item(PixelSpacing=first.PixelSpacing)],
                PlaneOrientationSequence=[_item(ImageOrientationPatient=first.ImageOrientationPatient)],
            )
        ]
    )
    dataset.PerFrameFunctionalGroupsSequence = DicomSequence(
        [_item(PlanePositionSequence=[_item(ImagePositionPatient=one.ImagePositionPatient)]) for one in like]
    )
    if window:
        voi = _item(WindowCenter=window[0], WindowWidth=window[1])
        dataset.SharedFunctionalGroupsSequence[0].FrameVOILUTSequence = DicomSequence([voi])
    dataset.ContentLabel, dataset.ContentDescription = label, f"Map {label} of {len(images)} frames"
    if label == "INTERVAL_90":
        dataset.BitsAllocated, dataset.PixelData = 16, np.stack(images).astype("<u2").tobytes()
    else:
        dataset.BitsAllocated, dataset.FloatPixelData = 32, np.stack(images).astype("<f4").tobytes()
    return [dataset]


def key_image(study: str) -> Dataset:
    """A coloured picture, a single one without a place in the patient."""
    made = ct_slice(0, 5.0, 8)
    del made.ImagePositionPatient
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.StudyInstanceUID, made.SeriesInstanceUID = study, generate_uid()
    made.SOPClassUID, made.Modality = SECONDARY_CAPTURE, "OT"
    made.Rows, made.Columns, made.SamplesPerPixel, made.PlanarConfiguration = 30, 60, 3, 0
    made.PhotometricInterpretation, made.PixelRepresentation = "RGB", 0
    made.BitsAllocated, made.BitsStored, made.HighBit = 8, 8, 7
    made.PixelData = bytes(30 * 60 * 3)
    return made


def _item(**attributes: Any) -> Dataset:
    item = Dataset()
    for name, value in attributes.items():
        setattr(item, name, DicomSequence(value) if name.endswith("Sequence") else value)
    return item

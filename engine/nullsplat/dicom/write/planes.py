"""Where an image plane lies and what its pixels measure, as attributes of a CT image.

Source: PS3.3 C.7.6.2 (Image Plane), C.7.6.3 (Image Pixel), C.8.2.1 (CT Image).
"""

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from pydicom.dataset import Dataset
from pydicom.valuerep import format_number_as_ds

from nullsplat.core.volume import Geometry
from nullsplat.dicom.read.pixels import RESCALE_INTERCEPT, stored_values


def set_plane(target: Dataset, geometry: Geometry, index: int, slice_thickness: float) -> None:
    """Write position, orientation, spacing and thickness (mm) of slice `index`, to the 16 characters of a DS."""
    slice_axis, row_axis, column_axis = geometry.axes
    position = geometry.position((index, 0, 0))
    spacing, row_spacing, column_spacing = geometry.spacing
    target.ImagePositionPatient = decimals(position)
    target.ImageOrientationPatient = decimals((*column_axis, *row_axis))
    target.PixelSpacing = decimals((row_spacing, column_spacing))
    target.SpacingBetweenSlices = decimal(spacing)
    target.SliceThickness = decimal(slice_thickness)
    target.SliceLocation = decimal(float(np.dot(position, slice_axis)))


def set_pixels(target: Dataset, hu: Float[ndarray, "y x"]) -> None:
    """Write one slice (HU) as 16-bit signed pixels with their rescale to HU."""
    target.SamplesPerPixel = 1
    target.PhotometricInterpretation = "MONOCHROME2"
    target.Rows, target.Columns = hu.shape
    target.BitsAllocated = 16
    target.BitsStored = 16
    target.HighBit = 15
    target.PixelRepresentation = 1
    target.RescaleIntercept = RESCALE_INTERCEPT
    target.RescaleSlope = 1
    target.RescaleType = "HU"
    target.add_new("PixelData", "OW", stored_values(hu).tobytes())


def decimal(value: float) -> str:
    """A number with the most digits that fit into a DS."""
    return format_number_as_ds(float(value) + 0.0)


def decimals(values: tuple[float, ...]) -> list[str]:
    """Several numbers, see `decimal`."""
    return [decimal(value) for value in values]

"""A series in one line, without anything about the patient."""

from nullsplat.dicom.headers import number
from nullsplat.dicom.read.series import SourceSeries


def describe(source: SourceSeries) -> str:
    """For example `CT, 64 slices of 512x512, 5 x 0.7 x 0.7 mm (z, y, x), slice thickness 5 mm, 120 kV, CTDIvol 1.2 mGy`."""
    slices, rows, columns = source.volume.geometry.shape
    spacing = " x ".join(f"{value:.4g}" for value in source.volume.geometry.spacing)
    parts = [
        f"CT, {slices} slices of {rows}x{columns}",
        f"{spacing} mm (z, y, x)",
        f"slice thickness {source.slice_thickness:.4g} mm",
    ]
    header = source.headers[len(source.headers) // 2]
    for keyword, pattern in (
        ("KVP", "{:.4g} kV"),
        ("Exposure", "{:.4g} mAs"),
        ("CTDIvol", "CTDIvol {:.3g} mGy"),
    ):
        value = number(header, keyword)
        if value is not None:
            parts.append(pattern.format(value))
    return ", ".join(parts)

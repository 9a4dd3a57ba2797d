"""A result as one picture: three planes, measured beside super-resolved, and where it may be far from the truth."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray
from PIL import Image, ImageDraw, ImageFont

from nullsplat.core.volume import Geometry, Volume

MARKED_FROM_HU = 100.0
"""Half widths above this are marked, as on the comparison page at first."""

_LONGEST = 384
"""Pixels along the longest side of the volume."""
_LINE = 26
_TEXT = 16
_AMBER = (255, 176, 0)
_BURNT_IN = "RESEARCH - not for diagnosis"
_NAMES = ("axial", "coronal", "sagittal")
_TITLES = ("as measured", "super-resolved", f"amber: 90 % interval over ±{MARKED_FROM_HU:.0f} HU")


@dataclass(frozen=True)
class Shown:
    """What the picture is made of.

    Attributes:
        source: as it was measured.
        result: on a grid with the source's extent.
        interval: half widths in HU on the result's grid; None where nobody knows them.
        window: centre and width in HU.
    """

    source: Volume
    result: Volume
    interval: Volume | None
    window: tuple[float, float]


def draw(shown: Shown) -> UInt8[ndarray, "rows columns 3"]:
    """Axial, coronal and sagittal plane, one below the other, each as measured, as refined, and with amber marks.

    The planes are those that hold the most marked voxels; where there are none, those in the middle. Pixels are as wide as
    they are high, and the head, or what lies in its direction, is at the top.
    """
    marked = None if shown.interval is None else shown.interval.hu > MARKED_FROM_HU
    rows = [list(_panels(shown, marked, axis, index)) for axis, index in enumerate(_chosen(shown, marked))]
    width = max(row[0].width for row in rows)
    canvas = Image.new("RGB", (width * len(rows[0]), 2 * _LINE + sum(row[0].height for row in rows)))
    for column, title in enumerate(_TITLES[: len(rows[0])]):
        _write(canvas, title, (column * width, _LINE))
    _write(canvas, _BURNT_IN, (0, 0), _AMBER)
    top = 2 * _LINE
    for name, row in zip(_NAMES, rows, strict=True):
        for column, image in enumerate(row):
            canvas.paste(image, (column * width + (width - image.width) // 2, top))
        _write(canvas, name, (0, top))
        top += row[0].height
    return np.asarray(canvas)


def _chosen(shown: Shown, marked: Bool[ndarray, "z y x"] | None) -> tuple[int, int, int]:
    z, y, x = (n // 2 for n in shown.result.geometry.shape)
    if marked is None or not marked.any():
        return z, y, x
    z, y, x = (int(marked.sum(axis=others).argmax()) for others in ((1, 2), (0, 2), (0, 1)))
    return z, y, x


def _panels(
    shown: Shown, marked: Bool[ndarray, "z y x"] | None, axis: int, index: int
) -> Iterator[Image.Image]:
    size = _size(shown.result.geometry, axis)
    thick, thin = (shown.source.geometry.shape[axis], shown.result.geometry.shape[axis])
    measured = _grey(shown.source.hu.take(index * thick // thin, axis), shown.window)
    refined = _grey(shown.result.hu.take(index, axis), shown.window)
    turned = axis > 0 and shown.result.geometry.axes[0][2] > 0  # rows from feet to head
    yield _scaled(measured, turned).resize(size, Image.Resampling.NEAREST)
    yield (smooth := _scaled(refined, turned).resize(size, Image.Resampling.BILINEAR))
    if marked is not None:
        mask = _scaled(255 * marked.take(index, axis).astype(np.uint8), turned)
        coloured = smooth.convert("RGB")
        coloured.paste(_AMBER, mask=mask.resize(size, Image.Resampling.NEAREST))
        yield coloured


def _scaled(values: UInt8[ndarray, "rows columns"], turned: bool) -> Image.Image:
    return Image.fromarray(values[::-1] if turned else values)


def _grey(hu: Float[ndarray, "rows columns"], window: tuple[float, float]) -> UInt8[ndarray, "rows columns"]:
    centre, width = window
    return (255 * ((hu - centre) / width + 0.5).clip(0, 1)).round().astype(np.uint8)


def _size(geometry: Geometry, axis: int) -> tuple[int, int]:
    """Width and height in pixels of a plane across `axis`."""
    extent = np.multiply(geometry.shape, geometry.spacing)
    pixels = np.maximum(np.round(extent * _LONGEST / extent.max()), 1).astype(int)
    height, width = np.delete(pixels, axis).tolist()
    return width, height


def _write(
    canvas: Image.Image, words: str, corner: tuple[int, int], colour: tuple[int, int, int] = (255, 255, 255)
) -> None:
    left, top = corner
    font = ImageFont.load_default(_TEXT)
    ImageDraw.Draw(canvas).text(
        (left + 6, top + 3), words, colour, font, stroke_width=2, stroke_fill=(0, 0, 0)
    )

"""Pictures that compare a result with its source, with cubic interpolation and with the truth."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import numpy as np
from jaxtyping import Float
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy import ndarray

from nullsplat.core.errors import ConfigurationError, GeometryError
from nullsplat.core.volume import Volume
from nullsplat.evaluation.metrics.scores import Scores, body_mask

WINDOWS = {"lung": (-600.0, 1500.0), "soft tissue": (40.0, 400.0)}
"""Centre and width in HU."""

_ERROR_HU = 250.0  # the colour scale of error maps ends here
_PIXELS, _DPI = 1600, 100


@dataclass(frozen=True)
class Comparison:
    """The volumes of one comparison, in HU; all but `source` on the truth's grid.

    Attributes:
        source: what was measured.
        cubic: its cubic interpolation.
        result: what a method made of it.
        truth: what it was made from.
        scores: figures for the titles of "cubic" and of the result.
        name: what made the result.
    """

    source: Volume
    cubic: Volume
    result: Volume
    truth: Volume
    scores: Mapping[str, Scores] = field(default_factory=dict)
    name: str = "NullSplat"

    def __post_init__(self) -> None:
        """Refuse volumes that cannot be laid side by side.

        Raises:
            GeometryError: cubic, result and truth differ in shape.
        """
        shapes = {volume.geometry.shape for volume in (self.cubic, self.result, self.truth)}
        if len(shapes) > 1:
            raise GeometryError(f"cubic, result and truth must have one shape, got {sorted(shapes)}")


@dataclass(frozen=True)
class _Section:
    """One row of the picture: a plane through every volume, cropped to a part of it."""

    title: str
    axis: int  # 0 axial, 1 coronal
    position: float  # along the axis, as a fraction of the extent
    rows: tuple[float, float]  # the part that is shown, as fractions
    columns: tuple[float, float]

    def of(self, volume: Volume, hu: Float[ndarray, "z y x"]) -> tuple[Float[ndarray, "_ _"], float]:
        """Pixels, and how much taller than wide each of them is."""
        index = min(int(self.position * hu.shape[self.axis]), hu.shape[self.axis] - 1)
        plane = hu.take(index, axis=self.axis)
        if self.axis == 1:
            plane = plane[::-1]  # z grows towards the head, which belongs on top
        height, width = plane.shape
        rows = slice(int(self.rows[0] * height), max(int(self.rows[1] * height), 1))
        columns = slice(int(self.columns[0] * width), max(int(self.columns[1] * width), 1))
        vertical = volume.geometry.spacing[1 if self.axis == 0 else 0]
        return plane[rows, columns], vertical / volume.geometry.spacing[2]


def save_comparison(comparison: Comparison, path: Path, window: str = "lung") -> None:
    """Write the picture as PNG, 1600 pixels wide: axial, coronal and a coronal detail, with error maps.

    Args:
        comparison: what is compared.
        path: of the PNG file.
        window: `lung` or `soft tissue`.
    Raises:
        ConfigurationError: no such window.
    """
    if window not in WINDOWS:
        raise ConfigurationError(f"windows are {', '.join(WINDOWS)}; got {window!r}")
    figure = _draw(comparison, WINDOWS[window])
    try:
        figure.savefig(path, dpi=_DPI, facecolor="black")
    finally:
        pyplot.close(figure)


def _draw(comparison: Comparison, window: tuple[float, float]) -> Figure:
    sections = _sections(comparison.truth)
    heights = [_aspect(comparison.truth, section) for section in sections]
    column_inches = _PIXELS / _DPI / 6
    figure, grid = pyplot.subplots(
        len(sections),
        6,
        figsize=(_PIXELS / _DPI, column_inches * sum(heights) + 0.7),
        height_ratios=heights,
        squeeze=False,
        layout="constrained",
    )
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.0, hspace=0.0)  # type: ignore[union-attr,call-arg]
    for row, section in zip(grid, sections, strict=True):
        error_image = _draw_row(row, comparison, section, window)
    for axes, title in zip(grid[0], _titles(comparison), strict=True):
        axes.set_title(title, color="white", fontsize=10)
    bar = figure.colorbar(error_image, ax=grid[:, 4:], location="bottom", fraction=0.03, aspect=40, pad=0.01)
    bar.set_label("absolute error in HU", color="white", fontsize=9)
    bar.ax.tick_params(colors="white", labelsize=8)
    return figure


def _draw_row(
    row: Any, comparison: Comparison, section: _Section, window: tuple[float, float]
) -> matplotlib.image.AxesImage:
    centre, width = window
    gray: dict[str, Any] = {"cmap": "gray", "vmin": centre - width / 2, "vmax": centre + width / 2}
    shown = (comparison.source, comparison.cubic, comparison.result, comparison.truth)
    for axes, volume in zip(row[:4], shown, strict=True):
        _show(axes, *section.of(volume, volume.hu), **gray)
    truth, aspect = section.of(comparison.truth, comparison.truth.hu)
    for axes, volume in zip(row[4:], (comparison.cubic, comparison.result), strict=True):
        error = np.abs(section.of(volume, volume.hu)[0] - truth)
        image = _show(axes, error, aspect, cmap="inferno", vmin=0, vmax=_ERROR_HU)
    row[0].set_ylabel(section.title, color="white", fontsize=10)
    return image


def _show(
    axes: Axes, pixels: Float[ndarray, "_ _"], aspect: float, **colours: Any
) -> matplotlib.image.AxesImage:
    axes.set_xticks([])
    axes.set_yticks([])
    return axes.imshow(pixels, aspect=aspect, interpolation="nearest", **colours)


def _titles(comparison: Comparison) -> list[str]:
    spacing = " × ".join(f"{mm:.3g}" for mm in comparison.source.geometry.spacing)
    titles = [f"source\n{spacing} mm"]
    for name in ("cubic", comparison.name):
        scores = comparison.scores.get(name)
        titles.append(f"{name}\n{scores.psnr:.2f} dB / {scores.ssim:.4f}" if scores else f"{name}\n")
    spacing = " × ".join(f"{mm:.3g}" for mm in comparison.truth.geometry.spacing)
    return [*titles, f"truth\n{spacing} mm", "error of cubic\n", f"error of {comparison.name}\n"]


def _sections(truth: Volume) -> list[_Section]:
    """Planes through the middle of the body, cropped to it; the detail is its upper left lung quarter."""
    body = body_mask(truth.hu)
    if not body.any():
        body = np.ones_like(body)
    top, bottom = _extent(body.any(axis=(0, 2)))
    left, right = _extent(body.any(axis=(0, 1)))
    middle = (top + bottom) / 2
    across = left + (right - left) * np.array([0.12, 0.45])
    return [
        _Section("axial", 0, 0.5, (top, bottom), (left, right)),
        _Section("coronal", 1, middle, (0.0, 1.0), (left, right)),
        _Section("coronal, detail", 1, middle, (0.35, 0.65), (float(across[0]), float(across[1]))),
    ]


def _extent(inside: Any) -> tuple[float, float]:
    """First and last True, as fractions of the length, with a margin."""
    where = np.flatnonzero(inside)
    margin = 0.01
    return max(where[0] / len(inside) - margin, 0.0), min((where[-1] + 1) / len(inside) + margin, 1.0)


def _aspect(truth: Volume, section: _Section) -> float:
    """Height of a row's images relative to their width."""
    pixels, tall = section.of(truth, truth.hu)
    height, width = pixels.shape
    return float(height * tall / width)

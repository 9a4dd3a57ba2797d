"""Draw docs/images/chest.png from what `nullsplat demo` has left behind: the scan, cubic interpolation, the result and the truth.

    .venv/bin/nullsplat demo --once && .venv/bin/python scripts/draw_chest.py docs/images/chest.png

Above, a coronal plane through both lungs, as high as it is in mm; below, a part of it enlarged.
"""

import sys
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import numpy as np
from matplotlib import pyplot as plt
from PIL import Image

from nullsplat.core.volume import Volume
from nullsplat.demo.assessment import read_derived
from nullsplat.demo.options import Options
from nullsplat.demo.simulation import simulate
from nullsplat.evaluation.data.public_data import CHEST, obtain
from nullsplat.evaluation.methods.baselines import reconstruct
from nullsplat.evaluation.methods.known import known_of
from nullsplat.io.volumes import read_volume

ROW = 286
PARTS = WHOLE, ENLARGED = ((slice(None), slice(60, 452)), (slice(28, 76), slice(95, 285)))
"""Slices from above, and columns."""
WINDOW_HU = (-1000, 300)
WIDTH, GAP, HEAD, LINE, MARGIN = 322, 8, 30, 10, 6
"""In pixels of the picture."""


def main(target: Path, demo: Path) -> None:
    """Draw it.

    Args:
        target: PNG file to write.
        demo: folder of the demonstration, run with its default options.
    """
    planes, (dz, dx) = _planes(Options(demo))
    upper, lower = (_height(plane, dz, dx) for plane in (next(iter(planes.values()))[part] for part in PARTS))
    width, height = len(planes) * (WIDTH + GAP), HEAD + upper + LINE + lower + MARGIN
    figure = plt.figure(figsize=(width / 100, height / 100), dpi=100, facecolor="black")
    for number, (title, plane) in enumerate(planes.items()):
        for top, high, part in ((HEAD, upper, WHOLE), (HEAD + upper + LINE, lower, ENLARGED)):
            left = GAP // 2 + number * (WIDTH + GAP)
            place = (left / width, 1 - (top + high) / height, WIDTH / width, high / height)
            axes = figure.add_axes(place)
            low, bright = WINDOW_HU
            axes.imshow(
                plane[part], cmap="gray", vmin=low, vmax=bright, aspect="auto", interpolation="nearest"
            )
            axes.axis("off")
            if part is WHOLE:
                axes.set_title(title, color="white", fontsize=12.5, pad=5)
    figure.savefig(target, facecolor="black")
    Image.open(target).convert("L").save(target, optimize=True)


def _planes(options: Options) -> tuple[dict[str, np.ndarray], tuple[float, float]]:
    """The coronal plane of each, head up, on the grid of the truth; and that grid's spacing along it in mm."""
    chest = read_volume(obtain(CHEST, options.cache))
    geometry = replace(chest.geometry, shape=(options.slices, *chest.geometry.shape[1:]))
    scene = simulate(
        Volume(chest.hu[: options.slices], geometry), options.factor, options.noise_hu, options.seed
    )
    result = read_derived(sorted((options.out / "dicom").iterdir()), scene.truth)
    cubic = reconstruct("cubic", scene.scan.hu, known_of(scene.how))
    thick, thin = (volume.geometry.spacing for volume in (scene.scan, scene.truth))
    planes = {
        f"measured: {thick[0]:g} mm slices, low dose": scene.scan.hu[:, ROW].repeat(options.factor, 0),
        "cubic interpolation": cubic[:, ROW],
        "NullSplat": result.hu[:, ROW],
        f"original: {thin[0]:g} mm": scene.truth.hu[:, ROW],
    }
    return {title: np.flipud(plane) for title, plane in planes.items()}, (thin[0], thin[2])


def _height(part: np.ndarray, dz: float, dx: float) -> int:
    """Pixels of the picture at which a part has its true proportions."""
    rows, columns = part.shape
    return round(WIDTH * rows * dz / (columns * dx))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else Options().folder)

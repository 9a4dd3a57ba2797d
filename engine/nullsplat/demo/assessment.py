"""Compares the received series with the truth that only the demonstration knows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset

from nullsplat.core.errors import GeometryError
from nullsplat.core.volume import Volume
from nullsplat.demo.simulation import Simulation
from nullsplat.evaluation.comparison.figures import Comparison, save_comparison
from nullsplat.evaluation.methods.baselines import reconstruct
from nullsplat.evaluation.methods.known import known_of
from nullsplat.evaluation.metrics.scores import Scores, score

RESULT = "NullSplat"
BASELINES = ("trilinear", "cubic")
POSITION_TOLERANCE_MM = 0.01


@dataclass(frozen=True)
class Assessment:
    """How close each method came.

    Attributes:
        scores: by method; `NullSplat` is the received series.
    """

    scores: dict[str, Scores]

    @property
    def better_than_cubic(self) -> bool:
        """Whether NullSplat beats cubic interpolation in both PSNR and SSIM."""
        ours, cubic = self.scores[RESULT], self.scores["cubic"]
        return ours.psnr > cubic.psnr and ours.ssim > cubic.ssim

    def lines(self) -> list[str]:
        """A table for the screen."""
        head = f"{'':<11}{'PSNR':>10}{'SSIM':>9}{'RMSE':>12}{'LR-consistency':>19}"
        return [head, *(_line(name, scores) for name, scores in self.scores.items())]


def assess(received: Sequence[Path], scene: Simulation, picture: Path) -> Assessment:
    """Score the received series and the interpolations, and draw the comparison.

    Args:
        received: the derived series, one file for each slice.
        scene: the scan that was sent, and the truth.
        picture: PNG file to write.

    Raises:
        GeometryError: the received slices do not lie where the truth's do.
    """
    result = read_derived(received, scene.truth)
    scores, cubic = {}, None
    for name in BASELINES:
        hu = reconstruct(name, scene.scan.hu, known_of(scene.how))
        scores[name] = score(hu, scene.truth.hu, scene.scan.hu, scene.how)
        cubic = hu
    scores[RESULT] = score(result.hu, scene.truth.hu, scene.scan.hu, scene.how)
    shown = {name: scores[name] for name in ("cubic", RESULT)}
    drawn = Volume(np.asarray(cubic), scene.truth.geometry)
    save_comparison(Comparison(scene.scan, drawn, result, scene.truth, shown), picture)
    return Assessment(scores)


def read_derived(paths: Sequence[Path], truth: Volume) -> Volume:
    """The received slices as a volume on the truth's grid, read from pixels and positions alone.

    Raises:
        GeometryError: another number of slices, or a slice that lies elsewhere.
    """
    normal = np.asarray(truth.geometry.axes[0])
    slices = sorted((dcmread(path) for path in paths), key=lambda one: _height(one, normal))
    if len(slices) != truth.geometry.shape[0]:
        raise GeometryError(
            f"the derived series must have {truth.geometry.shape[0]} slices, got {len(slices)}"
        )
    for index, one in enumerate(slices):
        expected = truth.geometry.position((float(index), 0.0, 0.0))
        if not np.allclose(np.asarray(one.ImagePositionPatient, float), expected, atol=POSITION_TOLERANCE_MM):
            raise GeometryError(
                f"slice {index} must lie at {expected} mm, got {list(one.ImagePositionPatient)}"
            )
    return replace(truth, hu=np.stack([_hounsfield(one) for one in slices]))


def _height(dataset: Dataset, normal: np.ndarray) -> float:
    return float(np.dot(np.asarray(dataset.ImagePositionPatient, float), normal))


def _hounsfield(dataset: Dataset) -> np.ndarray:
    stored = dataset.pixel_array.astype(np.float32)
    return stored * np.float32(dataset.RescaleSlope) + np.float32(dataset.RescaleIntercept)


def _line(name: str, scores: Scores) -> str:
    consistency = scores.lr_consistency_rmse_hu
    agreement = "" if consistency is None else f"{consistency:.1f} HU"
    return (
        f"{name:<11}{scores.psnr:>7.2f} dB{scores.ssim:>9.4f}{scores.rmse_hu['body']:>9.1f} HU{agreement:>19}"
    )

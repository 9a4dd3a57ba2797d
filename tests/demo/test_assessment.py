from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from nullsplat.core.errors import GeometryError
from nullsplat.demo.assessment import Assessment, assess, read_derived
from nullsplat.demo.simulation import Simulation, simulate
from nullsplat.dicom.write.synthetic_series import SeriesDescription, write_ct_series
from nullsplat.evaluation.metrics.scores import Scores
from nullsplat.io.nifti import read_nifti


@pytest.fixture
def scene(phantom: Path) -> Simulation:
    return simulate(read_nifti(phantom), 4, 15.0, 0)


@pytest.fixture
def perfect(scene: Simulation, tmp_path: Path) -> list[Path]:
    """The truth itself as DICOM files, in no particular order."""
    return write_ct_series(scene.truth, tmp_path / "perfect", SeriesDescription())[::-1]


def test_the_truth_itself_scores_best(scene: Simulation, perfect: list[Path], tmp_path: Path) -> None:
    assessment = assess(perfect, scene, tmp_path / "picture.png")
    assert assessment.scores["NullSplat"].psnr == np.inf
    assert assessment.better_than_cubic
    assert assessment.scores["cubic"].psnr > assessment.scores["trilinear"].psnr
    # What remains between the truth and the scan is the noise that was added.
    assert assessment.scores["NullSplat"].lr_consistency_rmse_hu == pytest.approx(15.0, rel=0.1)
    assert (tmp_path / "picture.png").exists()
    assert [line.split()[0] for line in assessment.lines()[1:]] == ["trilinear", "cubic", "NullSplat"]


def test_a_missing_slice_is_no_result(scene: Simulation, perfect: list[Path]) -> None:
    with pytest.raises(GeometryError, match="must have 24 slices, got 23"):
        read_derived(perfect[1:], scene.truth)


def test_a_slice_in_another_place_is_no_result(scene: Simulation, perfect: list[Path]) -> None:
    moved = dcmread(perfect[0])
    moved.ImagePositionPatient[0] += 0.5
    moved.save_as(perfect[0])
    with pytest.raises(GeometryError, match="must lie at"):
        read_derived(perfect, scene.truth)


@pytest.mark.parametrize(("psnr", "ssim", "better"), [(31, 0.91, True), (31, 0.89, False), (29, 0.91, False)])
def test_both_figures_must_be_better(psnr: float, ssim: float, better: bool) -> None:
    scores = {"cubic": Scores(30.0, 0.9, {}), "NullSplat": Scores(psnr, ssim, {})}
    assert Assessment(scores).better_than_cubic is better

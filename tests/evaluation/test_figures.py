"""The picture of a comparison."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nullsplat.core.errors import ConfigurationError, GeometryError
from nullsplat.core.volume import Geometry, Volume
from nullsplat.evaluation.comparison.figures import Comparison, save_comparison
from nullsplat.evaluation.metrics.scores import Scores


def volume(shape: tuple[int, int, int], body: float = 40.0) -> Volume:
    hu = np.full(shape, -1000, np.float32)
    hu[:, shape[1] // 4 : -shape[1] // 4, shape[2] // 5 : -shape[2] // 5] = body
    geometry = Geometry((16, 40, 48), (2.5, 0.7, 0.7)).resampled(shape)
    return Volume(hu, geometry)


def comparison(result: Volume | None = None) -> Comparison:
    truth = volume((16, 40, 48))
    scores = {"cubic": Scores(30.0, 0.9, {}), "NullSplat": Scores(31.0, 0.92, {})}
    return Comparison(volume((4, 40, 48)), truth, result or truth, truth, scores)


@pytest.mark.parametrize("window", ["lung", "soft tissue"])
def test_picture_is_as_wide_as_promised(tmp_path: Path, window: str) -> None:
    save_comparison(comparison(), tmp_path / "picture.png", window)
    with Image.open(tmp_path / "picture.png") as picture:
        assert picture.width == 1600
        assert 400 < picture.height < 1600


def test_an_error_shows(tmp_path: Path) -> None:
    save_comparison(comparison(), tmp_path / "right.png")
    save_comparison(comparison(volume((16, 40, 48), body=400)), tmp_path / "wrong.png")
    right, wrong = (
        np.asarray(Image.open(tmp_path / name).convert("RGB"), float) for name in ("right.png", "wrong.png")
    )
    last_column = slice(1600 * 5 // 6, 1600)
    assert wrong[:, last_column].mean() > right[:, last_column].mean() + 20
    other = slice(0, 1600 // 6)
    np.testing.assert_allclose(wrong[:, other], right[:, other])


def test_volumes_on_different_grids_are_refused() -> None:
    with pytest.raises(GeometryError, match="one shape"):
        comparison(volume((8, 40, 48)))


def test_unknown_windows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="lung, soft tissue"):
        save_comparison(comparison(), tmp_path / "x.png", "brain")

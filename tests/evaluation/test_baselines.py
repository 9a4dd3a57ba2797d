"""The baselines of every table."""

import numpy as np
import pytest

from nullsplat.core.errors import ConfigurationError
from nullsplat.evaluation.data.degrade import degrade, protocol
from nullsplat.evaluation.methods.baselines import BASELINES, reconstruct
from nullsplat.evaluation.methods.known import known_of
from nullsplat.evaluation.metrics.scores import psnr, to_unit


def chest() -> np.ndarray:
    """Ellipsoids of tissue, lung and bone."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in (16, 24, 24)), indexing="ij")
    hu = np.full(z.shape, -1000.0)
    hu[x**2 / 0.8 + y**2 / 0.6 + z**2 / 2 < 1] = 50
    hu[(x - 0.4) ** 2 / 0.08 + y**2 / 0.2 + z**2 < 1] = -850
    hu[(x + 0.3) ** 2 + (y - 0.4) ** 2 + (z / 4 - 0.1) ** 2 < 0.02] = 900
    return hu.astype(np.float32)


@pytest.mark.parametrize("name", ["iso4", "thick4", "bell4"])
@pytest.mark.parametrize("method", BASELINES)
def test_results_are_hu_on_the_grid_of_the_truth(name: str, method: str) -> None:
    truth, how = chest(), protocol(name)
    result = reconstruct(method, degrade(truth, how), known_of(how))
    assert result.shape == truth.shape
    assert result.dtype == np.float32
    assert result[8, 12, 16] < -450  # the middle of the lung
    assert result[8, 12, 6] > -150


@pytest.mark.parametrize("name", ["iso4", "thick4", "bell4"])
def test_each_baseline_is_better_than_the_one_before(name: str) -> None:
    truth, how = chest(), protocol(name)
    measured = degrade(truth, how)
    scores = [
        psnr(to_unit(reconstruct(m, measured, known_of(how))), to_unit(truth))
        for m in ("trilinear", "cubic", "tv")
    ]
    assert scores == sorted(scores)


def test_tv_agrees_with_the_measurement_within_what_clipping_takes() -> None:
    truth, how = chest(), protocol("thick4")
    measured = degrade(truth, how)
    again = degrade(reconstruct("tv", measured, known_of(how)), how)
    assert np.sqrt(np.mean((again - measured) ** 2)) < 5


def test_unknown_methods_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="trilinear, cubic, lanczos, tv"):
        reconstruct("magic", np.zeros((4, 4, 4), np.float32), known_of(protocol("iso4")))

"""What crops look like."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from nullsplat.prior.xray import augmentation
from nullsplat.prior.xray.augmentation import Augmentation, random_crop

SHAPES = [(32, 48), (33, 200), (200, 49), (180, 190), (20, 300), (300, 20), (1, 1)]


@pytest.mark.parametrize("shape", SHAPES)
def test_crops_have_the_wanted_size_and_range(shape: tuple[int, int]) -> None:
    wanted = Augmentation(size=(32, 48), gain=0.2)
    image = torch.rand(shape)
    generator = np.random.default_rng(0)
    for _ in range(20):
        crop = random_crop(image, wanted, generator)
        assert crop.shape == (32, 48)
        assert float(crop.min()) >= -1
        assert float(crop.max()) <= 2 * 1.2 - 1 + 1e-6


@pytest.fixture
def resizings(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[int, ...], tuple[int, ...]]]:
    """All calls of interpolate: mode, size before, size after."""
    calls: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = []
    real: Callable[..., torch.Tensor] = augmentation.interpolate

    def spy(crop: torch.Tensor, size: tuple[int, int], mode: str) -> torch.Tensor:
        calls.append((mode, tuple(crop.shape[2:]), size))
        return real(crop, size=size, mode=mode)

    monkeypatch.setattr(augmentation, "interpolate", spy)
    return calls


@pytest.mark.parametrize("shape", SHAPES[1:])
def test_what_shrinks_is_averaged_and_only_what_is_too_small_is_enlarged(
    shape: tuple[int, int], resizings: list[tuple[str, tuple[int, ...], tuple[int, ...]]]
) -> None:
    size = (32, 48)
    generator = np.random.default_rng(0)
    for _ in range(40):
        random_crop(torch.rand(shape), Augmentation(size=size), generator)
    assert resizings
    for mode, before, after in resizings:
        for axis in (0, 1):
            if mode == "area":
                assert before[axis] >= after[axis]
            else:
                assert before[axis] <= after[axis]
                assert before[axis] == after[axis] or shape[axis] < size[axis]


def test_shrinking_stays_within_its_limit(
    resizings: list[tuple[str, tuple[int, ...], tuple[int, ...]]],
) -> None:
    generator = np.random.default_rng(0)
    for _ in range(60):
        random_crop(torch.rand(500, 500), Augmentation(size=(16, 16), max_shrink=3.0), generator)
    largest = max(max(before) for _, before, _ in resizings)
    assert 40 < largest <= 48


def test_the_same_generator_state_gives_the_same_crop() -> None:
    image = torch.rand(90, 100)
    crops = [random_crop(image, Augmentation(size=(16, 24)), np.random.default_rng(s)) for s in (5, 5, 6)]
    assert torch.equal(crops[0], crops[1])
    assert not torch.equal(crops[0], crops[2])

"""Cutting an image into tiles must not show: not in values, not at seams, whatever the sizes."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from nullsplat.core.errors import ConfigurationError
from nullsplat.prior.tiles import Tiling, _spans, in_tiles

TILINGS = [Tiling(16, 0, 1), Tiling(16, 4, 4), Tiling(15, 7, 8), Tiling(32, 5, 8), Tiling(1, 0, 1)]
SIZES = [(1, 1), (5, 16), (15, 17), (16, 16), (31, 33), (64, 47), (129, 3)]


def pointwise(images: Tensor) -> Tensor:
    return 3 * images[:, 0] - images[:, 1] ** 2


@pytest.mark.parametrize("tiling", TILINGS, ids=str)
@pytest.mark.parametrize("size", SIZES)
def test_what_acts_on_each_pixel_alone_gives_the_same_in_tiles(size: tuple[int, int], tiling: Tiling) -> None:
    images = torch.randn(2, 2, *size)
    whole = pointwise(images)
    torch.testing.assert_close(in_tiles(pointwise, images, tiling), whole, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("tiling", TILINGS, ids=str)
@pytest.mark.parametrize("length", [1, 15, 16, 17, 24, 31, 32, 33, 100, 257])
def test_weights_cover_every_pixel_and_sum_to_one(length: int, tiling: Tiling) -> None:
    total = torch.zeros(length)
    for span, weight in _spans(length, tiling):
        assert 0 <= span.start < span.stop <= length
        assert span.stop - span.start == min(length, tiling.size)
        assert weight.shape == (span.stop - span.start,)
        assert float(weight.min()) > 0
        total[span] += weight
    torch.testing.assert_close(total, torch.ones(length), atol=1e-6, rtol=0)


@pytest.mark.parametrize("tiling", TILINGS, ids=str)
@pytest.mark.parametrize("length", [17, 33, 100, 257])
def test_neighbours_share_at_least_the_overlap(length: int, tiling: Tiling) -> None:
    spans = [span for span, _ in _spans(length, tiling)]
    for before, after in pairwise(spans):
        assert before.stop - after.start >= tiling.overlap


@pytest.mark.parametrize("size", SIZES)
def test_the_network_sees_multiples_only_and_images_that_fit_are_not_cut(size: tuple[int, int]) -> None:
    tiling, seen = Tiling(20, 4, 8), []

    def predict(images: Tensor) -> Tensor:
        seen.append(tuple(images.shape[2:]))
        return images[:, 0]

    in_tiles(predict, torch.randn(1, 1, *size), tiling)
    assert all(side % 8 == 0 and side <= 24 for shape in seen for side in shape)
    assert (len(seen) == 1) == (max(size) <= 20)


def test_padding_continues_the_last_row_and_column() -> None:
    seen: list[Tensor] = []

    def predict(images: Tensor) -> Tensor:
        seen.append(images)
        return images[:, 0]

    image = torch.arange(6.0).reshape(1, 1, 2, 3)
    in_tiles(predict, image, Tiling(16, 4, 4))
    expected = torch.tensor([[0.0, 1, 2, 2], [3, 4, 5, 5], [3, 4, 5, 5], [3, 4, 5, 5]])
    assert torch.equal(seen[0][0, 0], expected)


def test_tiles_that_disagree_fade_into_each_other_without_a_seam() -> None:
    """Every tile answers with a level of its own: the blend may nowhere jump more than a ramp's step allows."""
    tiling, count = Tiling(32, 8, 1), iter(range(100))

    def predict(images: Tensor) -> Tensor:
        return torch.full_like(images[:, 0], next(count) % 2)

    blended = in_tiles(predict, torch.zeros(1, 1, 1, 200), tiling)[0, 0]
    assert float(blended.min()) == 0
    assert float(blended.max()) == 1
    assert float(blended.diff().abs().max()) < 1.5 / 8  # an abrupt change would be 1


def test_a_smooth_function_of_position_stays_smooth() -> None:
    position = torch.linspace(0, 1, 150)
    image = torch.sin(6 * position)[:, None] * torch.cos(5 * position)
    blended = in_tiles(lambda images: images[:, 0], image[None, None], Tiling(32, 8, 8))[0]
    for axis in (0, 1):
        bend, expected = blended.diff(2, axis), image.diff(2, axis)
        torch.testing.assert_close(bend, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "wrong",
    [{"size": 0, "overlap": 0}, {"overlap": -1}, {"size": 64, "overlap": 32}, {"multiple": 0}],
)
def test_tiles_that_cannot_cover_an_image_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError, match="0 <= 2 overlap < size"):
        Tiling(**wrong)

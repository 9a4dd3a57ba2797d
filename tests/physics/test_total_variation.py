"""Total variation: the compiled step against autograd, and the reconstruction's promises."""

import pytest
import torch
from torch import Tensor

from nullsplat.core.errors import GeometryError
from nullsplat.physics.consistency import consistent, residual
from nullsplat.physics.degradation import degradation_for
from nullsplat.physics.point_spread import BOX
from nullsplat.physics.regularisation import tv_kernel
from nullsplat.physics.regularisation.total_variation import (
    TotalVariation,
    _descend_by_slabs,
    descend_total_variation,
    total_variation,
    tv_reconstruct,
)
from nullsplat.physics.upsampling import upsample_cubic

OP = degradation_for((6, 12, 12), (4, 1, 1), BOX)


def expected_step(x: Tensor, step: float, weights: tuple[float, float, float]) -> Tensor:
    x = x.clone().requires_grad_()
    return x.detach() - step * torch.autograd.grad(total_variation(x, 0.01, weights), x)[0]


@pytest.mark.parametrize("shape", [(9, 7, 11), (1, 5, 5), (16, 1, 3), (8, 6, 1)])
@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0), (0.3, 1.0, 0.8)])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_compiled_step_follows_the_gradient(
    shape: tuple[int, int, int],
    weights: tuple[float, float, float],
    threads: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr(tv_kernel, "_WORTH_A_THREAD", 1)
    x = torch.rand(shape, dtype=torch.float64)
    expected = expected_step(x, 0.003, weights)
    descend_total_variation(x, 0.003, 0.01, weights)
    torch.testing.assert_close(x, expected, rtol=1e-12, atol=1e-12)


def test_slabs_for_the_gpu_follow_the_gradient() -> None:
    x = torch.rand(11, 6, 5, dtype=torch.float64)
    expected = expected_step(x, 0.003, (0.5, 1.0, 1.0))
    _descend_by_slabs(x, 0.003, 0.01, (0.5, 1.0, 1.0), slab=4)
    torch.testing.assert_close(x, expected)


def test_total_variation_of_a_step_is_its_height_times_its_area() -> None:
    x = torch.zeros(4, 5, 6, dtype=torch.float64)
    x[:, :, 3:] = 0.7
    torch.testing.assert_close(total_variation(x, epsilon=0.0), torch.tensor(0.7 * 4 * 5).double())


def test_result_agrees_exactly_with_a_measurement_without_noise() -> None:
    truth = torch.rand(OP.hr_shape, dtype=torch.float64) * 0.2 + 0.4
    y = OP.forward(truth)
    result = tv_reconstruct(y, OP, upsample_cubic(y, OP.hr_shape))
    torch.testing.assert_close(residual(result, y, OP), torch.zeros_like(y), rtol=0, atol=1e-12)


def test_blocks_are_closer_to_the_truth_than_after_consistency_alone() -> None:
    op = degradation_for((6, 6, 6), (4, 4, 4))
    truth = torch.full(op.hr_shape, 0.3, dtype=torch.float64)
    truth[5:17, 6:14, 3:20] = 0.4
    y = op.forward(truth)
    start = consistent(upsample_cubic(y, op.hr_shape), y, op)
    result = tv_reconstruct(y, op, start)
    assert (result - truth).std() < 0.98 * (start - truth).std()
    assert total_variation(result) < total_variation(start)


def test_noise_in_flat_tissue_is_not_put_back() -> None:
    y = 0.4 + 0.004 * torch.randn(
        OP.lr_shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    start = upsample_cubic(y, OP.hr_shape)
    exact = tv_reconstruct(y, OP, start)
    aware = tv_reconstruct(y, OP, start, sigma=0.004)
    assert aware.std() < 0.5 * exact.std()


def test_progress_reaches_one_and_may_stop_the_work() -> None:
    seen: list[float] = []
    y = torch.rand(OP.lr_shape)
    tv_reconstruct(
        y,
        OP,
        upsample_cubic(y, OP.hr_shape),
        TotalVariation(iterations=3),
        progress=lambda f, _="": seen.append(f),
    )
    assert seen == pytest.approx([1 / 3, 2 / 3, 1])


def test_volumes_that_are_not_contiguous_are_refused() -> None:
    with pytest.raises(GeometryError, match="contiguous"):
        descend_total_variation(torch.rand(4, 5, 6).transpose(0, 2), 0.001)

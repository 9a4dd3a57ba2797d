"""What DDNM and DDNM+ promise."""

import pytest
import torch

from nullsplat.physics.degradation import degradation_for
from nullsplat.physics.null_space import ddnm_plus, ddnm_plus_noise, null_space_part, project_to_measurement

OP = degradation_for((3, 4), (2.5, 3))


def test_projection_agrees_with_the_measurement_and_keeps_the_rest() -> None:
    x0 = torch.randn(5, *OP.hr_shape, dtype=torch.float64)
    y = torch.randn(5, *OP.lr_shape, dtype=torch.float64)
    projected = project_to_measurement(x0, y, OP)
    torch.testing.assert_close(OP.forward(projected), y)
    torch.testing.assert_close(null_space_part(projected, OP), null_space_part(x0, OP))


def test_the_null_space_is_invisible_to_the_measurement() -> None:
    x = torch.randn(OP.hr_shape, dtype=torch.float64)
    torch.testing.assert_close(
        OP.forward(null_space_part(x, OP)), torch.zeros(OP.lr_shape, dtype=torch.float64)
    )


def test_without_measurement_noise_ddnm_plus_is_ddnm() -> None:
    x0, y = torch.randn(OP.hr_shape, dtype=torch.float64), torch.randn(OP.lr_shape, dtype=torch.float64)
    torch.testing.assert_close(ddnm_plus(x0, y, OP, 0.0, 0.7, 0.2), project_to_measurement(x0, y, OP))


def test_the_last_step_of_a_noisy_measurement_changes_nothing() -> None:
    x0, y = torch.randn(OP.hr_shape, dtype=torch.float64), torch.randn(OP.lr_shape, dtype=torch.float64)
    torch.testing.assert_close(ddnm_plus(x0, y, OP, 0.1, 1.0, 0.0), x0)


@pytest.mark.parametrize("sigma_t", [0.02, 0.15, 0.3, 2.0])
def test_noise_of_the_step_is_white_and_of_sigma_t(sigma_t: float) -> None:
    """(a_t sigma_y)^2 Sigma A^+ A^+T Sigma + Phi = sigma_t^2 I, the condition that Eq. 19 solves."""
    a_t, sigma_y, n = 0.9, 0.2, OP.hr_shape[0] * OP.hr_shape[1]
    unit_y = torch.eye(12, dtype=torch.float64).reshape(12, *OP.lr_shape)
    zero = torch.zeros(12, *OP.hr_shape, dtype=torch.float64)
    from_y = a_t * sigma_y * ddnm_plus(zero, unit_y, OP, sigma_y, a_t, sigma_t).flatten(1)
    unit_x = torch.eye(n, dtype=torch.float64).reshape(n, *OP.hr_shape)
    added = ddnm_plus_noise(unit_x, OP, sigma_y, a_t, sigma_t).flatten(1)
    covariance = from_y.T @ from_y + added.T @ added
    torch.testing.assert_close(covariance, sigma_t**2 * torch.eye(n, dtype=torch.float64))

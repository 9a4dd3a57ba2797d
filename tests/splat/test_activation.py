"""Activations: values, inverses and gradients, and what a fit makes of those that cannot be negative."""

import dataclasses
import math

import pytest
import torch
from tests.splat.test_strategy import strategy

from nullsplat.core.errors import ConfigurationError
from nullsplat.core.units import mu_to_hu_difference
from nullsplat.splat.field.activation import ACTIVATIONS, DENSITY_RANGE, LEAST_START, activation
from nullsplat.splat.fit.config import FitConfig

R = DENSITY_RANGE
SLOPE = torch.tensor(0.25, dtype=torch.float64)
ABLATIONS = [name for name in ACTIVATIONS if name != "prelu"]
SIGNED, UNSIGNED = ("prelu", "sine"), ("softplus", "relu")


def both_signs(dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.linspace(
        -0.9 * R, 0.9 * R, 40, dtype=dtype
    )  # 40 values: zero, ReLU's corner, is not among them


@pytest.mark.parametrize(
    ("name", "z", "density"),
    [
        ("prelu", -0.04, -0.01),
        ("prelu", 0.04, 0.04),
        ("relu", -0.04, 0.0),
        ("relu", 0.04, 0.04),
        ("softplus", 0.0, R * math.log(2)),
        ("softplus", -R, R * math.log(1 + math.exp(-1))),
        ("sine", math.pi / 6 * R, R / 2),
        ("sine", -math.pi / 2 * R, -R),
    ],
)
def test_density_is_what_the_formula_says(name, z, density):
    got = activation(name).density(torch.tensor([z], dtype=torch.float64), SLOPE)
    assert got.item() == pytest.approx(density, rel=1e-12)


@pytest.mark.parametrize("name", SIGNED)
def test_signed_activations_give_any_density_back(name):
    density = both_signs()
    chosen = activation(name)
    torch.testing.assert_close(chosen.density(chosen.inverse(density, SLOPE), SLOPE), density)


@pytest.mark.parametrize("name", UNSIGNED)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_unsigned_activations_give_positive_densities_back_and_start_the_others_at_one_hu(name, dtype):
    density, chosen = both_signs(dtype), activation(name)
    again = chosen.density(chosen.inverse(density, SLOPE.to(dtype)), SLOPE.to(dtype))
    positive = density > LEAST_START
    # In single precision softplus of -8 R, for 1 HU, keeps about four digits.
    torch.testing.assert_close(again[positive], density[positive], rtol=1e-5, atol=0)
    assert mu_to_hu_difference(again[~positive]).tolist() == pytest.approx([1.0] * 20, rel=1e-4)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_start_can_be_learnt_from_whatever_its_sign(name):
    chosen = activation(name)
    z = chosen.inverse(both_signs(), SLOPE).requires_grad_()
    chosen.density(z, SLOPE).sum().backward()
    assert (z.grad > 1e-5).all()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_gradients_are_those_of_finite_differences_in_double_precision(name):
    z = both_signs().requires_grad_()
    slope = SLOPE.clone().requires_grad_()
    assert torch.autograd.gradcheck(activation(name).density, (z, slope), eps=1e-8, atol=1e-7)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_single_precision_gradients_are_those_of_double_precision(name):
    gradients = []
    for dtype in (torch.float32, torch.float64):
        z = torch.linspace(-3 * R, 3 * R, 40, dtype=dtype, requires_grad=True)
        activation(name).density(z, SLOPE.to(dtype)).square().sum().backward()
        gradients.append(z.grad.double())
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-6 * R)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("factor", [0.5, 1.6**3 / 2])
def test_scaling_z_scales_the_density(name, factor):
    chosen = activation(name)
    z = torch.linspace(-0.4 * R, 0.4 * R, 21, dtype=torch.float64)  # sine has room for the factor here
    torch.testing.assert_close(
        chosen.density(chosen.scaled(z, factor), SLOPE), factor * chosen.density(z, SLOPE)
    )


def test_prelu_is_scaled_bit_for_bit():
    z = torch.randn(100)
    assert torch.equal(activation("prelu").scaled(z, 0.5), z / 2)


def pruned(name: str, z: list[float], least: float) -> list[float]:
    """What is left of pre-activations after pruning."""
    chosen = strategy(activation=activation(name), prune_below=least)
    quats, values = torch.zeros(len(z), 4), torch.tensor(z)
    tensors = {"means": torch.zeros(len(z), 3), "scales": torch.zeros(len(z), 3), "quats": quats, "z": values}
    params = {key: torch.nn.Parameter(value) for key, value in tensors.items()}
    optimisers = {key: torch.optim.Adam([p]) for key, p in params.items()}
    chosen._prune(params, optimisers, {})
    return params["z"].tolist()


def test_pruning_looks_at_the_density_and_not_at_z():
    # Softplus of 0 is 0.69 R, and only far below zero nothing is left; ReLU has nothing below zero.
    assert pruned("softplus", [0.0, -20 * R, 0.5 * R], 1e-4 * R) == pytest.approx([0.0, 0.5 * R])
    assert pruned("relu", [-0.5 * R, 0.5 * R], 1e-4 * R) == pytest.approx([0.5 * R])
    assert pruned("sine", [math.pi * R, -0.5 * R], 1e-4 * R) == pytest.approx([-0.5 * R])
    assert pruned("prelu", [-0.5 * R, 1e-5 * R], 1e-4 * R) == pytest.approx([-0.5 * R])


def test_an_unknown_activation_is_refused():
    with pytest.raises(ConfigurationError, match="prelu, softplus, relu, sine"):
        dataclasses.replace(FitConfig(count=1, most=1, steps=1), activation="tanh")


@pytest.fixture(scope="module")
def case():
    from tests.splat.test_fit import Case

    return Case()


@pytest.mark.parametrize("name", ABLATIONS)
def test_a_fit_runs_with_it_and_only_signed_ones_take_density_away(name, case):
    from tests.splat.test_fit import CONFIG

    field = case.fit(dataclasses.replace(CONFIG, steps=60, activation=name))
    assert field.activation.name == name
    assert bool((field.density < 0).any()) == (name in SIGNED)
    assert case.gain(field) > 0.5  # half of the residual is negative, so unsigned ones cannot gain much


def test_all_start_at_the_same_places(case):
    from tests.splat.test_fit import CONFIG

    from nullsplat.core.seeds import numpy_generator
    from nullsplat.splat.fit.initialise import place

    starts = [
        place(
            case.residual,
            case.base,
            case.spacing,
            dataclasses.replace(CONFIG, activation=name),
            numpy_generator(0, "test"),
        )
        for name in ACTIVATIONS
    ]
    for start in starts[1:]:
        assert torch.equal(start.means, starts[0].means)

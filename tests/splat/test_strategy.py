"""Refinement adds where the field is pulled, keeps its integral, and removes what is empty."""

import pytest
import torch

from nullsplat.splat.fit.strategy import SignedStrategy


def strategy(**changes) -> SignedStrategy:
    settings = {
        "refine_from": 1,
        "refine_until": 100,
        "refine_every": 1,
        "grow_gradient": 1.0,
        "split_above": 1.0,
        "prune_below": 1e-5,
        "most": 100,
    }
    return SignedStrategy(**{**settings, **changes})


def refine(chosen: SignedStrategy, scales: list[float], z: list[float], pull: list[float], step: int = 1):
    """Parameters and optimisers after one step whose positions were pulled with `pull`."""
    n = len(z)
    quats = torch.zeros(n, 4)
    quats[:, 0] = 1
    values = {
        "means": torch.arange(3.0 * n).reshape(n, 3),
        "scales": torch.tensor(scales).log()[:, None].expand(n, 3).clone(),
        "quats": quats,
        "z": torch.tensor(z),
    }
    params = {name: torch.nn.Parameter(value) for name, value in values.items()}
    optimisers = {name: torch.optim.Adam([p], lr=0.0, fused=True) for name, p in params.items()}
    sum(p.sum() for p in params.values()).backward()
    for optimiser in optimisers.values():
        optimiser.step()
    means2d = torch.zeros(1, n, 2, requires_grad=True)
    info = {"means2d": means2d, "width": 2, "height": 2}
    state = chosen.initialize_state()
    chosen.check_sanity(params, optimisers)
    chosen.step_pre_backward(info)
    (means2d[0, :, 0] * torch.tensor(pull)).sum().backward()
    changed = chosen.step_post_backward(params, optimisers, state, step, info)
    return params, optimisers, changed


def mass(params) -> float:
    return float((params["z"] * params["scales"].sum(-1).exp()).sum().detach())


def test_small_gaussians_are_duplicated_and_large_ones_split():
    params, optimisers, changed = refine(strategy(), [0.5, 2.0, 0.5], [1.0, -1.0, 3.0], [5.0, 5.0, 0.1])
    assert changed
    assert len(params["z"]) == 5
    assert sorted(params["scales"][:, 0].exp().tolist()) == pytest.approx([0.5, 0.5, 0.5, 1.25, 1.25])
    for name, optimiser in optimisers.items():
        assert optimiser.state[params[name]]["exp_avg"].shape == params[name].shape


def test_growing_keeps_the_integral_of_the_field():
    params, _, _ = refine(strategy(), [0.5, 2.0, 0.5], [1.0, -1.0, 3.0], [5.0, 5.0, 0.1])
    assert mass(params) == pytest.approx(0.5**3 * 4 - 2.0**3)


def test_a_split_negative_gaussian_stays_negative():
    params, _, _ = refine(strategy(), [2.0], [-1.0], [5.0])
    assert (params["z"] < 0).all()


def test_what_has_no_density_is_removed_whatever_its_sign():
    params, _, changed = refine(strategy(), [0.5] * 4, [1e-6, -1e-6, 1e-4, -1e-4], [0.0] * 4)
    assert changed
    assert params["z"].tolist() == pytest.approx([1e-4, -1e-4])


def test_an_empty_field_keeps_one_gaussian_to_grow_from():
    params, _, _ = refine(strategy(), [0.5] * 3, [0.0, 1e-7, 0.0], [0.0] * 3)
    assert params["z"].tolist() == pytest.approx([1e-7])


def test_the_cap_holds_and_the_most_strongly_pulled_come_first():
    params, _, _ = refine(strategy(most=4), [0.5] * 3, [1.0, 2.0, 4.0], [5.0, 9.0, 7.0])
    assert params["z"].tolist() == pytest.approx([1.0, 1.0, 4.0, 1.0])


@pytest.mark.parametrize("step", [3, 101])
def test_nothing_changes_outside_its_time(step):
    chosen = strategy(refine_from=5)
    params, _, changed = refine(chosen, [0.5], [1.0], [5.0], step=step)
    assert not changed
    assert len(params["z"]) == 1


def test_without_a_threshold_nothing_grows():
    params, _, _ = refine(strategy(grow_gradient=None), [0.5, 2.0], [1.0, 1e-6], [5.0, 5.0])
    assert params["z"].tolist() == [1.0]

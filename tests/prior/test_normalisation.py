"""One range for radiographs and line integrals."""

import pytest
import torch

from nullsplat.prior.normalisation import Normalisation, normalisation_for


def test_decoding_undoes_encoding() -> None:
    p = torch.rand(2, 3, 4) * 7
    normalisation = Normalisation(5.5)
    torch.testing.assert_close(normalisation.decode(normalisation.encode(p)), p)


def test_no_attenuation_and_the_scale_are_the_ends_of_the_range() -> None:
    encoded = Normalisation(5.5).encode(torch.tensor([0.0, 5.5]))
    torch.testing.assert_close(encoded, torch.tensor([-1.0, 1.0]))


def test_a_deviation_is_scaled_as_differences_are() -> None:
    normalisation = Normalisation(5.5)
    moved = normalisation.encode(torch.tensor([1.0, 1.25]))
    assert normalisation.encode_sigma(0.25) == pytest.approx(float(moved[1] - moved[0]))


def test_the_scale_is_a_high_quantile_and_not_the_largest_value() -> None:
    p = torch.linspace(0, 4, 40 * 50 * 60).reshape(40, 50, 60)
    p[0, 0, 0] = 1000  # metal
    assert normalisation_for(p).scale == pytest.approx(0.999 * 4, rel=1e-3)


def test_all_columns_count_in_large_sets_too() -> None:
    p = torch.zeros(64, 512, 64)
    p[:, :, 1] = 3.0  # a stride that divides the number of columns would never see it
    assert normalisation_for(p).scale == pytest.approx(3.0)


def test_nothing_seen_gives_a_scale_that_can_be_divided_by() -> None:
    normalisation = normalisation_for(torch.zeros(2, 3, 4))
    assert normalisation.scale > 0
    assert normalisation.encode(torch.zeros(1)).isfinite().all()

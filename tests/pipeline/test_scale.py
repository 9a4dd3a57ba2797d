"""How many times finer, in every form that people try."""

import pytest

from nullsplat.core.errors import ConfigurationError
from nullsplat.pipeline.config import configure
from nullsplat.pipeline.scale import factors


@pytest.mark.parametrize(
    ("scale", "meant"),
    [
        (4, (4, 1, 1)),
        (2.5, (2.5, 1, 1)),
        ("4", (4, 1, 1)),
        ("z4", (4, 1, 1)),
        ("thick4", (4, 1, 1)),
        ("iso2", (2, 2, 2)),
        ("2,2,2", (2, 2, 2)),
        ((4, 1, 1), (4, 1, 1)),
        ([1, 2, 2], (1, 2, 2)),
    ],
)
def test_every_usual_form_is_understood(scale: object, meant: tuple[float, float, float]) -> None:
    assert configure(scale).scale == meant  # type: ignore[arg-type]


@pytest.mark.parametrize("scale", ["x4", "iso", "2,2", (2, 2), (), "nan", "iso17", (1, 2, 3), "z1"])
def test_what_is_no_scale_is_refused_with_an_example(scale: object) -> None:
    with pytest.raises(
        ConfigurationError, match=r"such as 4 or 2,2,2|must lie in|must be equal|asks for nothing"
    ):
        factors(scale)  # type: ignore[arg-type]

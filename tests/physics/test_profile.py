"""Sensitivity profiles in words, as the command line, rules and settings give them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nullsplat.core.errors import ConfigurationError
from nullsplat.physics.point_spread import BELL, PointSpread
from nullsplat.physics.profile import Profile, Resolution

NUMBERS = st.from_regex(r"[0-9]{1,4}(\.[0-9]{1,9})?", fullmatch=True)
FACTORS = st.from_regex(r"(0\.[2-9][0-9]{0,8}|[1-4](\.[0-9]{1,9})?|5(\.0{1,9})?)", fullmatch=True)
NAMED = st.builds("{}*{}".format, st.sampled_from(["bell", "box", "gaussian"]), FACTORS)
CURVES = st.builds(
    lambda step, half: f"{step}mm:{','.join([*half, '1', *half])}",
    NUMBERS.filter(lambda step: float(step) > 0),
    st.lists(NUMBERS, min_size=1, max_size=50),
)


@given(st.sampled_from(["bell", "box", "gaussian"]) | NAMED | CURVES)
def test_a_profile_is_written_as_it_is_read(text: str) -> None:
    profile = Profile.parse(text)
    assert Profile.parse(str(profile)) == profile


@pytest.mark.parametrize(
    ("text", "spread"),
    [
        ("bell", PointSpread("bell", 2.0)),
        ("box*0.8", PointSpread("box", 1.6)),
        ("gaussian*5", PointSpread("gaussian", 10.0)),
        ("0.5mm:1,2,1", PointSpread("table", 0.2, (1.0, 2.0, 1.0))),
    ],
)
def test_widths_are_slice_thicknesses_and_tables_are_millimetres(text: str, spread: PointSpread) -> None:
    found = Profile.parse(text).spread(ratio=2.0, distance_mm=2.5)
    assert (found.kind, found.table) == (spread.kind, spread.table)
    assert found.width == pytest.approx(spread.width)


REFUSED = """
    auto|Bell|bell*|bell*0.19|bell*5.1|bell*-1|bell*nan|bell*1e0|triangle|box*1.0000000001
    mm:1,2,1|1mm:|1mm:1|1mm:1,2|1mm:1,2,3,4|0mm:1,2,1|0.000mm:1,2,1|1mm:0,0,0|1mm:1,-3,1|1mm:1,nan,1|1cm:1,2,1
    1mm:1,2,1,|-1mm:1,2,1|1mm:1 2 1|1mm:10000,1,1|bell*\N{ARABIC-INDIC DIGIT ONE}
"""


@pytest.mark.parametrize(
    "text",
    ["", "bell ", "bell\n", f"1mm:{','.join('1' * 103)}", *(word.strip() for word in REFUSED.split("|"))],
)
def test_a_text_that_stands_for_no_profile_is_refused_with_what_does(text: str) -> None:
    with pytest.raises(ConfigurationError, match="must be bell, box or gaussian"):
        Profile.parse(text)


def test_slices_are_bells_and_pixels_gaussians_unless_more_is_known() -> None:
    along_z, along_y, along_x = Resolution().point_spreads((5.0, 0.7, 0.7))
    assert along_z == BELL
    assert along_y == along_x == PointSpread("gaussian")


def test_a_curve_in_plane_is_in_millimetres_too() -> None:
    known = Resolution(in_plane_profile=Profile.parse("0.35mm:1,2,1"))
    assert known.point_spreads((5.0, 0.7, 0.7))[2] == PointSpread("table", 0.5, (1.0, 2.0, 1.0))


def test_only_named_profiles_have_a_width_of_their_own() -> None:
    assert Profile.parse("bell*1.2").fwhm_mm(5.0) == pytest.approx(6.0)
    assert Profile.parse("1mm:1,2,1").fwhm_mm(5.0) is None

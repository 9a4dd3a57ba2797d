import contextlib
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from tests.support.plugin.series import Change, ct_series, simplified_tags

from nullsplat_node.rules.conditions import DerivedCondition
from nullsplat_node.rules.eligibility import Candidate, Criteria, check_eligibility, prescreen
from nullsplat_node.rules.rules import ProcessingOptions, Rule, RuleSet, default_rules
from nullsplat_node.series.refusal import FORCIBLE, TITLES, Refused

CRITERIA = Criteria(min_slices=3)


def candidate(slices: int = 12, spacing: float = 5.0, change: Change | None = None) -> Candidate:
    return Candidate([simplified_tags(one) for one in ct_series(slices, spacing, change)])


def every(**attributes: Any) -> Change:
    def change(_: int, dataset: Dataset) -> None:
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)

    return change


def only(index: int, **attributes: Any) -> Change:
    return lambda number, dataset: every(**attributes)(number, dataset) if number == index else None


def positions(place: Callable[[int], list[float]]) -> Change:
    return lambda index, dataset: every(ImagePositionPatient=place(index))(index, dataset)


def marked(_: int, dataset: Dataset) -> None:
    item = Dataset()
    item.Manufacturer = "NullSplat"
    dataset.ContributingEquipmentSequence = [item]


def tilted(degrees: float) -> Change:
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))

    def change(index: int, dataset: Dataset) -> None:
        dataset.ImageOrientationPatient = [1, 0, 0, 0, cosine, sine]
        dataset.ImagePositionPatient = [0, 0, index * 5.0]

    return change


REFUSALS: list[tuple[str, Change]] = [
    ("not-ct", every(Modality="MR")),
    ("not-ct", every(SOPClassUID="1.2.840.10008.5.1.4.1.1.7")),
    ("enhanced-not-supported", every(SOPClassUID="1.2.840.10008.5.1.4.1.1.2.1")),
    ("enhanced-not-supported", every(SOPClassUID="1.2.840.10008.5.1.4.1.1.2.2")),
    ("localizer", every(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])),
    ("derived", every(ImageType=["DERIVED", "SECONDARY", "OTHER", "CSA MIP THICK"])),
    ("derived", every(ImageType=["DERIVED", "PRIMARY", "PERFUSION", "RCBF"])),
    ("derived", every(ImageType=["DERIVED", "PRIMARY", "AXIAL"], SyntheticData="YES")),
    ("derived", every(ImageType="")),
    ("for-processing", every(PresentationIntentType="FOR PROCESSING")),
    ("multi-energy", every(MultienergyCTAcquisition="YES")),
    ("multi-energy", every(ImageType=["ORIGINAL", "PRIMARY", "AXIAL", "VMI"])),
    ("not-hounsfield", every(RescaleType="Z_EFF")),
    ("not-hounsfield", every(SamplesPerPixel=3)),
    ("mixed-frame-of-reference", only(4, FrameOfReferenceUID="1.2.3")),
    ("mixed-orientation", only(4, ImageOrientationPatient=[0, 1, 0, -1, 0, 0])),
    ("not-axial", every(ImageOrientationPatient=[1, 0, 0, 0, 0, -1])),
    ("inconsistent-size", only(4, PixelSpacing=[0.8, 0.8])),
    ("inconsistent-size", only(4, Rows=32)),
    ("gantry-tilt", positions(lambda i: [0, 4.0 * i, 5.0 * i])),
    ("irregular-spacing", only(4, ImagePositionPatient=[0, 1, 20])),
    ("duplicate-slices", positions(lambda i: [0, 0, 5.0 * (i // 2)])),
    ("missing-slice", positions(lambda i: [0, 0, 5.0 * (i + (i >= 6))])),
    ("irregular-spacing", positions(lambda i: [0, 0, 5.0 * i + (2.0 if i >= 6 else 0)])),
    ("irregular-spacing", positions(lambda i: [0, 0, 5.0 * i * (1 + 0.01 * i)])),
    ("incomplete-header", only(4, ImagePositionPatient=None)),
    ("incomplete-header", every(PixelSpacing=None)),
    ("incomplete-header", every(Rows=None)),
    ("ours", marked),
    ("ours", every(Manufacturer="NullSplat")),
]


@pytest.mark.parametrize(
    ("code", "change"), REFUSALS, ids=[f"{i}-{code}" for i, (code, _) in enumerate(REFUSALS)]
)
@pytest.mark.parametrize("forced", [False, True])
def test_what_cannot_be_used_is_refused_by_name_even_if_a_person_asks(
    code: str, change: Change, forced: bool
) -> None:
    with pytest.raises(Refused) as refusal:
        check_eligibility(candidate(change=change), CRITERIA, forced)
    assert refusal.value.code == code
    assert not refusal.value.forcible
    assert len(refusal.value.message) > 20


def test_an_ordinary_low_dose_chest_is_taken_and_the_decision_names_its_evidence() -> None:
    taken = check_eligibility(candidate(), CRITERIA)
    assert taken.scale == (4, 1, 1)
    assert (
        taken.decision
        == "low dose because CTDIvol 1.4 mGy <= 3 mGy; 12 slices 5 mm apart, scale 4 x 1 x 1 (z, y, x)"
    )


@pytest.mark.parametrize("degrees", [15, -28])
def test_a_tilted_stack_is_taken_and_the_decision_says_so(degrees: float) -> None:
    taken = check_eligibility(candidate(change=tilted(degrees)), CRITERIA)
    assert f"the gantry was tilted by {abs(degrees):.1f} degrees" in taken.decision


@pytest.mark.parametrize("tag", [12.5, "NaN"])
def test_the_tilt_in_the_header_decides_nothing(tag: object) -> None:
    tags = [{**one, "GantryDetectorTilt": str(tag)} for one in candidate().instances]
    assert "tilted" not in check_eligibility(Candidate(tags), CRITERIA).decision


@pytest.mark.parametrize(
    "other", [{"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7.4"},
              {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.67", "Modality": "SR"}],
)  # fmt: skip
def test_what_a_series_comes_with_does_not_hide_it(other: dict[str, Any]) -> None:
    page = ct_series(1, change=every(ImagePositionPatient=None, **other))
    slices = candidate().instances
    taken = check_eligibility(Candidate([simplified_tags(page[0]), *slices]), CRITERIA)
    assert "12 slices" in taken.decision
    assert "1 image of it that are no slices are left out" in taken.decision


def test_a_missing_frame_of_reference_is_no_reason_to_refuse() -> None:
    decision = check_eligibility(candidate(change=every(FrameOfReferenceUID="")), CRITERIA).decision
    assert "no Frame of Reference UID" in decision


THICK_REFORMAT = every(
    ImageType=["DERIVED", "SECONDARY", "OTHER", "CSA MPR THICK", "", "AXIAL", "CT_SOM5 SPI"]
)
LOSSY_COPY = every(ImageType=["DERIVED", "PRIMARY", "AXIAL"], LossyImageCompression="01")


@pytest.mark.parametrize(
    ("change", "words"), [(THICK_REFORMAT, "reformatted"), (LOSSY_COPY, "compressed with loss")]
)
def test_derived_slices_wait_for_a_person_or_a_rule_that_asks_for_them(change: Change, words: str) -> None:
    with pytest.raises(Refused, match=words) as refusal:
        check_eligibility(candidate(change=change), CRITERIA)
    assert (refusal.value.code, refusal.value.forcible) == ("derived-slices", True)
    assert check_eligibility(candidate(change=change), CRITERIA, forced=True).scale == (4, 1, 1)
    asking = Rule("reformats", (DerivedCondition(True),), True, ProcessingOptions())
    criteria = Criteria(
        min_slices=3, rules=RuleSet((*default_rules().rules, asking), ProcessingOptions(), "rules.toml")
    )
    assert check_eligibility(candidate(change=change), criteria).rule == "reformats"
    assert check_eligibility(candidate(), criteria).rule == "low-dose CT"


def test_a_rule_that_leaves_alone_leaves_derived_slices_alone_too() -> None:
    rules = RuleSet((Rule("phantoms", (), False, ProcessingOptions()),), ProcessingOptions(), "rules.toml")
    with pytest.raises(Refused) as refusal:
        check_eligibility(candidate(change=THICK_REFORMAT), Criteria(min_slices=3, rules=rules))
    assert refusal.value.code == "left-alone"


@pytest.mark.parametrize("slices", [1, 2])
def test_too_few_slices_are_refused_before_their_geometry_is_looked_at(slices: int) -> None:
    with pytest.raises(Refused, match="at least 3 slices") as refusal:
        check_eligibility(candidate(slices), CRITERIA)
    assert refusal.value.code == "too-few-slices"


@pytest.mark.parametrize(("spacing", "factor"), [(2.5, 2), (3.0, 2), (5.0, 4), (10.0, 8), (20.0, 8)])
def test_the_automatic_scale_reaches_the_target_spacing_within_its_limits(
    spacing: float, factor: int
) -> None:
    assert check_eligibility(candidate(spacing=spacing), CRITERIA).scale == (factor, 1, 1)


def test_a_series_that_is_fine_already_is_left_alone_unless_a_scale_is_set() -> None:
    with pytest.raises(Refused) as refusal:
        check_eligibility(candidate(spacing=1.25), CRITERIA)
    assert refusal.value.code == "already-fine"
    assert check_eligibility(
        candidate(spacing=1.25),
        Criteria(min_slices=3, rules=default_rules(ProcessingOptions(scale=(2, 2, 2)))),
    ).scale == (2, 2, 2)


def test_normal_dose_is_refused_but_a_person_may_overrule_that() -> None:
    normal = candidate(change=every(CTDIvol=9.5))
    with pytest.raises(Refused, match=r"CTDIvol 9\.5 mGy > 3 mGy") as refusal:
        check_eligibility(normal, CRITERIA)
    assert refusal.value.forcible
    assert check_eligibility(normal, CRITERIA, forced=True).decision.startswith(
        "a person asked for it (not low dose because"
    )


def test_nothing_is_taken_by_itself_when_automatic_is_off() -> None:
    criteria = Criteria(automatic=False)
    with pytest.raises(Refused) as refusal:
        prescreen("CT", 0.0, criteria)
    assert refusal.value.code == "not-automatic"
    prescreen("CT", 0.0, criteria, forced=True)


def test_an_old_archive_is_left_alone_unless_a_person_asks() -> None:
    prescreen("CT", 29.9, CRITERIA)
    with pytest.raises(Refused, match="came 400 days ago and MaxAgeDays is 30") as refusal:
        prescreen("CT", 400.0, CRITERIA)
    assert refusal.value.forcible
    prescreen("CT", 400.0, CRITERIA, forced=True)


def test_another_modality_is_refused_before_an_image_is_read_even_if_a_person_asks() -> None:
    with pytest.raises(Refused, match="Modality must be CT, got MR") as refusal:
        prescreen("MR", 0.0, CRITERIA, forced=True)
    assert refusal.value.code == "not-ct"


def test_a_known_result_is_ours_whatever_its_tags_say() -> None:
    with pytest.raises(Refused) as refusal:
        check_eligibility(Candidate(candidate().instances, known_derived=True), CRITERIA, forced=True)
    assert refusal.value.code == "ours"


def test_the_order_of_the_instances_does_not_matter() -> None:
    forward = candidate()
    assert check_eligibility(Candidate(list(reversed(forward.instances))), CRITERIA) == check_eligibility(
        forward, CRITERIA
    )


def test_positions_rounded_to_a_tenth_of_a_millimetre_pass() -> None:
    rounded = candidate(change=positions(lambda i: [0, 0, round(3.3333 * i, 1)]))
    assert check_eligibility(rounded, CRITERIA).scale == (3, 1, 1)


def test_every_refusal_has_a_title_and_an_unknown_code_cannot_be_made() -> None:
    assert set(TITLES) >= FORCIBLE
    with pytest.raises(ValueError, match="refusal code"):
        Refused("no-such-code", "x")


GARBAGE = st.one_of(
    st.none(),
    st.text(max_size=20),
    st.sampled_from(
        ["nan", "inf", "-inf\\0\\0", "1e999", "\\", "\\\\\\", "1\\2", "1,5", "0", "-1", "NaN\\NaN\\NaN"]
    ),
    st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=5)), max_size=2),
)


FOUR_SLICES = [simplified_tags(one) for one in ct_series(4)]


@given(data=st.data())
def test_garbage_in_any_attribute_gives_a_reason_and_never_a_crash(data: st.DataObject) -> None:
    tags = [dict(one) for one in FOUR_SLICES]
    keywords = [
        *tags[0],
        "LossyImageCompression",
        "Exposure",
        "ContributingEquipmentSequence",
        "MultienergyCTAcquisition",
    ]
    for _ in range(data.draw(st.integers(1, 3))):
        victim = tags[data.draw(st.integers(0, 3))]
        victim[data.draw(st.sampled_from(keywords))] = data.draw(GARBAGE)
    with contextlib.suppress(Refused):  # with a code that is checked where it is made
        assert check_eligibility(Candidate(tags), CRITERIA).scale[0] > 1


@pytest.mark.parametrize(
    "keyword",
    ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "BitsStored"],
)
def test_a_value_that_is_no_number_is_named_in_the_reason(keyword: str) -> None:
    tags = candidate().instances
    tags[5][keyword] = "NaN"  # type: ignore[index]
    with pytest.raises(Refused, match=rf"{keyword} .*instance 6\b") as refusal:
        check_eligibility(Candidate(tags), CRITERIA)
    assert refusal.value.code == "incomplete-header"


def test_gaps_are_taken_only_where_the_orders_allow_them_and_the_decision_says_so() -> None:
    thin = candidate(spacing=10.0, change=every(SliceThickness=1))
    with pytest.raises(Refused, match="1 mm thick every 10 mm") as refusal:
        check_eligibility(thin, CRITERIA, forced=True)
    assert (refusal.value.code, refusal.value.forcible) == ("slice-gaps", False)
    allowing = Criteria(min_slices=3, rules=default_rules(ProcessingOptions(allow_gaps=True)))
    taken = check_eligibility(thin, allowing)
    assert taken.has_gaps
    assert "gaps are allowed, 90% of the length was never measured" in taken.decision
    assert not check_eligibility(candidate(), allowing).has_gaps

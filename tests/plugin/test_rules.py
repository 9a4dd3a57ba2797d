"""Which rule takes a series, and why the others do not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.plugin.rules import CHEST, chosen, facts, rules_of
from tests.support.plugin.series import ct_series, simplified_tags

from nullsplat_node.rules.conditions import NUMBERS, TEXTS, Origin, facts_of
from nullsplat_node.rules.eligibility import Candidate, Criteria, check_eligibility
from nullsplat_node.rules.rules import DEFAULT_NAME, choose, default_rules
from nullsplat_node.series.dose import LowDoseRules
from nullsplat_node.series.refusal import Refused

TWO = """
[[rule]]
name = "screening"
[rule.match]
station = "CT0?"
slice_thickness = { min = 2.5, max = 5 }
[[rule]]
name = "the rest"
"""


def takes(condition: str, called: str = "", calling: str = "", **tags: Any) -> bool:
    return (
        chosen(f'[[rule]]\nname = "a"\nmatch = {{ {condition} }}', called, calling, **tags).rule is not None
    )


def test_the_first_rule_that_fits_takes_the_series() -> None:
    choice = chosen(TWO)
    assert choice.rule is not None
    assert choice.rule.name == "screening"
    assert choice.why == "station CT01 matches CT0?, slice thickness 5 mm is from 2.5 to 5 mm"
    assert choice.passed == ()


def test_a_rule_that_does_not_fit_says_everything_that_stands_against_it() -> None:
    choice = chosen(TWO, StationName="MR7", SliceThickness="1")
    assert choice.rule is not None
    assert (choice.rule.name, choice.why) == ("the rest", "it takes everything")
    assert choice.passed[0].why == (
        "station MR7 does not match CT0?, and slice thickness 1 mm is not from 2.5 to 5 mm"
    )


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ('station = "ct01"', True),  # case does not matter
        ('station = "CT"', False),  # a glob is about all of the text
        ('station = "CT*"', True),
        ('station = "/T0/"', True),  # a regular expression is found anywhere
        ('station = "/^T0/"', False),
        ('station = ["MR*", "CT01"]', True),
        ('station = "CT[23]"', False),
        ('study_description = "*screen*"', True),
        ('manufacturer = "scanner.works"', False),  # a dot is a dot in a glob
        ('image_type = "*AXIAL*"', True),
        ('model = "*"', True),  # an absent text is empty
        ('model = "?*"', False),
        ("slice_thickness = { min = 5 }", True),  # limits belong to the range
        ("slice_thickness = { max = 5 }", True),
        ("slice_thickness = { max = 4.9 }", False),
        ("exposure = { min = 0 }", False),  # an absent number lies nowhere
        ("kvp = { min = 100, max = 120 }", True),
        ("slices = { min = 3, max = 3 }", True),
        ("ctdivol = { max = 1.3 }", False),
        ("low_dose = true", True),
        ("low_dose = false", False),
    ],
)
def test_conditions_hold_as_they_are_written(condition: str, holds: bool) -> None:
    assert takes(condition) is holds


def test_ae_titles_tell_senders_apart() -> None:
    condition = 'called_aet = "SCREEN*", calling_aet = "CT01"'
    assert takes(condition, "SCREENING", "CT01")
    assert not takes(condition, "SCREENING", "CT02")
    assert not takes(condition)


def test_descriptions_are_never_quoted_since_people_type_them() -> None:
    text = '[[rule]]\nname = "a"\n[rule.match]\nstudy_description = "*lung*"\nprotocol = "*x*"'
    taken = chosen(text, StudyDescription="lung of Mrs Doe", ProtocolName="x Doe")
    refused = chosen(text, StudyDescription="knee of Mrs Doe", ProtocolName="y Doe")
    assert taken.rule is not None
    assert refused.rule is None
    assert "Doe" not in taken.why + refused.why + refused.passed[0].why


def test_a_long_list_of_reasons_is_cut() -> None:
    text = "".join(f'[[rule]]\nname = "r{i}"\nmatch.station = "X"\n' for i in range(9))
    choice = chosen(text)
    assert len(choice.passed) == 9
    assert "'r5'" in choice.why
    assert "'r6'" not in choice.why
    assert choice.why.endswith("and 3 more")


def criteria(text: str) -> Criteria:
    return Criteria(min_slices=3, rules=rules_of(text))


FOUR = [simplified_tags(one) for one in ct_series(4)]


def test_a_profile_is_among_what_a_rule_orders_only_where_it_asks_for_one() -> None:
    assert "slice profile bell*1.2" in str(
        rules_of('[[rule]]\nname = "a"\nslice_profile = "bell*1.2"').rules[0]
    )
    assert "slice profile" not in str(rules_of('[[rule]]\nname = "a"\nslice_profile = "auto"').rules[0])


def test_a_taken_series_is_done_as_its_rule_says() -> None:
    text = '[[rule]]\nname = "a"\nscale = [2, 1, 1]\npriority = "stat"\ndestinations = ["PACS"]\nsamples = 3'
    taken = check_eligibility(Candidate(FOUR), criteria(text))
    assert taken.scale == (2, 1, 1)
    assert (taken.rule, taken.options.priority, taken.options.destinations, taken.options.samples) == (
        "a",
        "stat",
        ("PACS",),
        3,
    )
    assert taken.decision.startswith("rule 'a': it takes everything; 4 slices")


LEFT_ALONE = '[[rule]]\nname = "never"\nprocess = false\n'
NOBODY = '[[rule]]\nname = "others"\nmatch.station = "X"\n'


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (LEFT_ALONE, "left-alone", "rule 'never' excludes it: it takes everything"),
        (NOBODY, "no-rule", "no rule takes it ('others': it has no station, needed is X)"),
    ],
)
def test_what_rules_leave_alone_a_person_may_have_done_by_the_defaults(
    text: str, code: str, words: str
) -> None:
    with pytest.raises(Refused) as refusal:
        check_eligibility(Candidate(FOUR), criteria(text))
    assert (refusal.value.code, refusal.value.forcible) == (code, True)
    assert refusal.value.message == f"{words}; press Run to process it anyway"
    forced = check_eligibility(Candidate(FOUR), criteria("[defaults]\nscale = 3\n" + text), forced=True)
    assert (forced.scale, forced.rule) == ((3, 1, 1), "")
    assert forced.decision.startswith(f"a person asked for it ({words})")


def test_no_rule_overcomes_what_makes_a_series_unusable() -> None:
    scouts = [{**one, "ImageType": "ORIGINAL\\PRIMARY\\LOCALIZER"} for one in FOUR]
    with pytest.raises(Refused) as refusal:
        check_eligibility(Candidate(scouts), criteria('[[rule]]\nname = "all"'))
    assert refusal.value.code == "localizer"


def test_without_a_file_low_dose_ct_is_done_and_nothing_else() -> None:
    rules = default_rules()
    taken = choose(rules, facts())
    assert taken.rule is not None
    assert taken.rule.name == DEFAULT_NAME
    assert choose(rules, facts(CTDIvol="9")).rule is None


EVERY_CONDITION = "[[rule]]\nname = 'all of them'\n[rule.match]\nlow_dose = true\n" + "".join(
    [
        *(f"{key} = ['*', '/a|(b+)/', '[!]x?']\n" for key in TEXTS),
        *(f"{key} = {{ min = 0, max = 100 }}\n" for key in NUMBERS),
    ]
)
KEYWORDS = sorted(
    {subject.keyword for subject in (*TEXTS.values(), *NUMBERS.values()) if subject.keyword}
    | {"Exposure", "ExposureInuAs", "XRayTubeCurrent", "ExposureTime", *CHEST}
)
ANYTHING = st.one_of(
    st.none(),
    st.text(max_size=20),
    st.floats().map(str),
    st.sampled_from(["nan", "-inf", "1e999", "\\", "\\\\", "1\\2", "1,5", "٣", "0" * 5000]),
    st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=5)), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=1),
    st.integers(),
)


@given(
    instances=st.lists(st.dictionaries(st.sampled_from(KEYWORDS), ANYTHING), min_size=1, max_size=3),
    called=st.text(max_size=20),
    calling=st.text(max_size=20),
)
def test_no_header_makes_the_matcher_raise(
    instances: list[dict[str, Any]], called: str, calling: str
) -> None:
    found = facts_of(instances, Origin(called, calling), LowDoseRules())
    choice = choose(rules_of(EVERY_CONDITION + "[[rule]]\nname = 'rest'"), found)
    assert choice.rule is not None
    if choice.rule.name == "rest":
        assert choice.passed[0].why
    else:
        assert choice.why


@given(st.lists(st.sampled_from(["CT01", "CT0*", "MR*", "X"]), min_size=1, max_size=6))
def test_it_is_always_the_first_that_fits_and_all_before_it_are_explained(stations: list[str]) -> None:
    text = "".join(f'[[rule]]\nname = "{i}"\nmatch.station = "{one}"\n' for i, one in enumerate(stations))
    fitting = [i for i, one in enumerate(stations) if one.startswith("CT")]
    choice = chosen(text)
    before = fitting[0] if fitting else len(stations)
    assert (choice.rule.name if choice.rule else None) == (str(before) if fitting else None)
    assert [passed.name for passed in choice.passed] == [str(i) for i in range(before)]

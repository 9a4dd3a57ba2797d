"""The rules file: every mistake is named with its place."""

import contextlib
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.plugin.rules import rules_of

from nullsplat.node.configuration import configuration_folder
from nullsplat_node.rules.file import RulesError, read_rules, rules_from
from nullsplat_node.rules.rules import ProcessingOptions
from nullsplat_node.rules.schedule import Span
from nullsplat_node.settings import SettingsError, read_criteria

A = '[[rule]]\nname = "a"\n'

MISTAKES = [
    ("", "rules.toml: at least one [[rule]] is needed; leave NullSplat.RulesFile empty to do without rules"),
    ("[[rule]\n", "rules.toml must be TOML: "),
    ('[[rules]]\nname = "a"', "rules.toml, line 1: rules is not a key; did you mean rule?"),
    ('[rule]\nname = "a"', "rules.toml, line 1: rule must be tables [[rule]], each with two pairs of brackets"),
    (A + "\n[default]\n", "rules.toml, line 4: default is not a key; did you mean defaults?"),
    ("defaults = 3\n" + A, "rules.toml, line 1: defaults must be a table [defaults], got 3"),
    ('[defaults]\npresets = "x"\n' + A, "line 2, [defaults]: presets is not a key; did you mean preset?"),
    ("[defaults]\nmax_per_day = 3\n" + A, "line 2, [defaults]: max_per_day is not a key; known are scale"),
    ("[[rule]]\nscale = 4", "line 1, rule number 1: name must be text of 1 to 64 characters"),
    ("[[rule]]\nname = 3", "line 2, rule number 1: name must be text of 1 to 64 characters on one line, got 3"),
    (A + A, "line 4, rule number 2: name must be of one rule only, 'a' comes twice"),
    (
        A + '[[rule]]\nname = "b"',
        "line 3, rule 'b': it can never take a series, since 'a' before it has no match and takes all",
    ),
    (A + "\n# scale\nscale = 40", "line 5, rule 'a': scale must be a number from 1 to 16, got 40"),
    (A + 'scale = "4"', "line 3, rule 'a': scale must be \"auto\", one factor for z, or three factors [z, y, x]"),
    (A + "scale = [4, 1]", 'line 3, rule \'a\': scale must be "auto" or three factors [z, y, x], got [4, 1]'),
    (A + "scale = 1", "line 3, rule 'a': scale must refine at least one axis"),
    (A + "scale = nan", "line 3, rule 'a': scale must be a number from 1 to 16, got nan"),
    (A + 'preset = "standrad"', "preset must be one of preview, standard, sharp, paper, got 'standrad'; did you mean stand"),
    (A + 'priority = "urgent"', "line 3, rule 'a': priority must be one of stat, normal, night, got 'urgent'"),
    (A + "samples = 0", "line 3, rule 'a': samples must be a whole number from 1 to 64, got 0"),
    (A + 'slice_profile = "bel"', "line 3, rule 'a': slice_profile must be auto, bell, box or gaussian, with a factor"),
    (A + 'slice_profile = "bell*9"', "line 3, rule 'a': slice_profile must be auto, bell, box or gaussian, with a factor"),
    (A + 'slice_profile = "1mm:1,-3,1"', "with a positive sum), got '1mm:1,-3,1'"),
    (A + "slice_profile = 4", "line 3, rule 'a': slice_profile must be auto, bell, box or gaussian, with a factor"),
    (A + "process = 1", "line 3, rule 'a': process must be true or false, got 1"),
    (A + "process = false\nscale = 4", "line 4, rule 'a': process = false excludes the series, so scale"),
    (A + "max_per_day = 1.5", "line 3, rule 'a': max_per_day must be a whole number from 1 to 100000, got 1.5"),
    (A + 'hours = "22-6"', "line 3, rule 'a': hours must be like \"22:00-06:00\", or a list of such hours, got"),
    (A + 'hours = "25:00-06:00"', "hours must be like"),
    (A + 'hours = "06:00-06:00"', "hours must be like"),
    (A + "hours = []", "hours must be like"),
    (A + 'destinations = "PACS"', "line 3, rule 'a': destinations must be a list of names, got 'PACS'"),
    (
        A + 'destinations = ["PASC"]',
        "line 3, rule 'a': destinations must be names in Orthanc's DicomModalities, or in DicomWebDestinations or Webhooks of the section NullSplat, got 'PASC'; did you mean PACS?",
    ),
    (A + "match = 3", "line 3, rule 'a': match must be a table [rule.match], got 3"),
    (A + '[rule.match]\nstations = "x"', "line 4, rule 'a': match.stations is not a key; did you mean station?"),
    (A + '[rule.match]\nxyzzy = "x"', "line 4, rule 'a': match.xyzzy is not a key; known are called_aet,"),
    (A + "match.station = 7", "line 3, rule 'a': match.station must be a pattern or a list of patterns, as text, got 7"),
    (A + 'match.station = [""]', "match.station must be a pattern or a list of patterns"),
    (A + 'match.station = "/(/"', "match.station must be a regular expression between its slashes, got '/(/'"),
    (A + "match.kvp = 120", "match.kvp must be like { min = 1, max = 2.5 } with one or both, got 120"),
    (A + "match.kvp = { minimum = 1 }", "match.kvp must be like { min = 1, max = 2.5 }"),
    (A + "match.kvp = {}", "match.kvp must be like"),
    (A + 'match.kvp = { min = "1" }', "line 3, rule 'a': match.kvp.min must be a number from 0 to 1e+06, got '1'"),
    (A + "match.kvp = { min = 5, max = 2 }", "match.kvp.min must not be above match.kvp.max, got 5 and 2"),
    (A + "match.low_dose = 1", "line 3, rule 'a': match.low_dose must be true or false, got 1"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), MISTAKES, ids=[str(i) for i in range(len(MISTAKES))])
def test_a_mistake_is_named_with_file_line_rule_key_and_what_is_needed(text: str, message: str) -> None:
    with pytest.raises(RulesError) as error:
        rules_of(text, modalities=("PACS", "ARCHIVE"))
    assert message in str(error.value)
    assert str(error.value).startswith("rules.toml")
    assert "\n" not in str(error.value)


def test_rules_inherit_from_the_defaults_which_inherit_from_the_settings() -> None:
    base = ProcessingOptions(preset="paper", samples=7, destinations=("A",))
    text = '[defaults]\nsamples = 2\nhours = "22:00-06:00"\n[[rule]]\nname = "a"\nscale = 4\nmax_per_day = 9'
    rules = rules_of(text, base)
    assert rules.defaults == ProcessingOptions(
        preset="paper", samples=2, destinations=("A",), hours=(Span(1320, 360),)
    )
    assert rules.rules[0].options == ProcessingOptions(
        scale=(4, 1, 1),
        preset="paper",
        samples=2,
        destinations=("A",),
        hours=(Span(1320, 360),),
        daily=9,
    )


def test_a_rule_can_take_back_what_the_defaults_say() -> None:
    rules = rules_of(
        '[defaults]\ndestinations = ["A"]\nscale = 4\n' + A + 'destinations = []\nscale = "auto"'
    )
    assert (rules.rules[0].options.destinations, rules.rules[0].options.scale) == ((), None)


def test_modalities_are_not_checked_where_orthanc_keeps_them_in_its_database(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(A + 'destinations = ["ELSEWHERE"]')
    orthanc = {"NullSplat": {"RulesFile": str(file)}, "DicomModalities": {"PACS": {}}}
    with pytest.raises(SettingsError, match="known are PACS"):
        read_criteria(orthanc)
    assert read_criteria({**orthanc, "DicomModalitiesInDatabase": True}).rules.rules[0].name == "a"


def test_a_file_as_an_editor_of_windows_leaves_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_bytes(b'\xef\xbb\xbf[[rule]]\r\nname = "a"\r\n')
    assert [rule.name for rule in read_rules(tmp_path / "rules.toml", ProcessingOptions()).rules] == ["a"]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b"# \xe9")
    for name in ("nothing.toml", "latin.toml"):
        with pytest.raises(RulesError, match=f"{name} must be a readable UTF-8 file"):
            read_rules(tmp_path / name, ProcessingOptions())


def test_an_older_python_says_what_it_cannot_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tomllib", None)
    with pytest.raises(
        RulesError, match=r"rules.toml: a rules file needs an Orthanc with Python 3\.11 or later"
    ):
        rules_of(A)


def test_the_shipped_example_is_valid_and_shows_every_key() -> None:
    path = configuration_folder() / "rules.example.toml"
    rules = read_rules(path, ProcessingOptions())
    assert [rule.name for rule in rules.rules] == [
        "phantoms",
        "research scanner",
        "emergency",
        "lung screening",
        "low dose at night",
    ]
    from nullsplat_node.rules import file as rules_file

    text = path.read_text()
    assert [key for key in (*rules_file._RULE, *rules_file._MATCH) if key not in text] == []


@given(st.text(max_size=60) | st.text("[]rule={}\"'.\n#max1", max_size=60))
def test_any_text_is_either_rules_or_a_reason(text: str) -> None:
    with contextlib.suppress(RulesError):
        assert rules_from(text, "rules.toml", ProcessingOptions()).rules

"""What goes beyond a rule's limits is held back until a person passes it on, or marked; nothing is sent before."""

import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.plugin.beside import SECRET, EngineBeside, running, wait_for_rounds, wait_until
from tests.support.plugin.fake_orthanc import FakeOrthanc
from tests.support.plugin.series import ct_series

from nullsplat_node.access.roles import OPERATOR, VIEWER, may
from nullsplat_node.lifecycle import transitions
from nullsplat_node.lifecycle.actions import CANCEL, DELIVER
from nullsplat_node.lifecycle.state import DONE, HELD, MARKED, ROUTING, Result, SeriesState
from nullsplat_node.lifecycle.transitions import Judgement
from nullsplat_node.rules.file import RulesError, rules_from
from nullsplat_node.rules.limits import FIGURES, Limits
from nullsplat_node.rules.rules import ProcessingOptions
from nullsplat_node.work.action_handler import NotPossible
from nullsplat_node.work.audit import Entry, entries
from nullsplat_node.work.service import Service

REPORT: dict[str, Any] = {
    "lr_consistency_rmse_hu": 3.2,
    "lr_consistency_max_hu": 40.0,
    "null_space_rms_hu": 12,
    "deviation_rms_hu_by_tissue": {"lung": 9.0, "bone": 20.0},
    "slice_profile": {"check": {"verdict": "supported"}},
}


# ---- Limits ----


@pytest.mark.parametrize(
    ("name", "value"),
    [("consistency_hu", 3.2), ("difference_hu", 40.0), ("null_space_hu", 12.0), ("deviation_hu", 20.0)],
)
def test_a_figure_may_reach_its_limit_and_not_exceed_it(name: str, value: float) -> None:
    assert Limits(((name, value),)).exceeded_by(REPORT) == ""
    words = Limits(((name, value - 0.1),)).exceeded_by(REPORT)
    assert words == f"the {FIGURES[name].title} is {value:.3g} HU, above {value - 0.1:g} HU"


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("came", [None, "3", True, {}, [1], float("nan")])
def test_a_figure_that_is_needed_and_not_there_does_not_pass(name: str, came: object) -> None:
    report = dict.fromkeys(REPORT, came)
    assert Limits(((name, 1e5),)).exceeded_by(report) != ""
    assert Limits(((name, 1e5),)).exceeded_by({}) != ""


@pytest.mark.parametrize("bone", [None, "20", float("nan")])
def test_one_tissue_of_which_nothing_is_known_does_not_pass_behind_the_others(bone: object) -> None:
    report = {"deviation_rms_hu_by_tissue": {"lung": 9.0, "bone": bone}}
    assert "does not say" in Limits((("deviation_hu", 10.0),)).exceeded_by(report)


def test_warnings_are_a_contradicted_profile_an_unfamiliar_series_and_unmeasured_length() -> None:
    limits = Limits(warnings=True)
    assert limits.exceeded_by(REPORT) == ""
    assert "contradict" in limits.exceeded_by({"slice_profile": {"check": {"verdict": "contradicted"}}})
    words = limits.exceeded_by({"outside_training": "the noise is 90 HU"})
    assert words == "the series lies outside what the network was trained on"
    assert limits.exceeded_by({"unmeasured_share": 0.25}) == "25% of the length was never measured"
    assert Limits().exceeded_by({"unmeasured_share": 0.25}) == ""


values = st.none() | st.floats() | st.text(max_size=3)


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(st.sampled_from(sorted(REPORT)), values | st.dictionaries(st.text(max_size=3), values))
)
def test_no_report_breaks_them(report: dict[str, Any]) -> None:
    limits = Limits(tuple((name, 1.0) for name in FIGURES), warnings=True)
    assert isinstance(limits.exceeded_by(report), str)


def test_rules_read_them_and_say_them() -> None:
    rules = rules_from(
        '[defaults]\nmark = { warnings = true }\n[[rule]]\nname = "a"\nsamples = 4\n'
        "hold = { consistency_hu = 5, deviation_hu = 30 }",
        "r.toml",
        ProcessingOptions(),
    )
    (rule,) = rules.rules
    assert rule.options.hold == Limits((("consistency_hu", 5.0), ("deviation_hu", 30.0)))
    assert rule.options.mark == Limits(warnings=True)
    assert "held back when the RMSE against the source is above 5 HU or the RMS deviation" in str(rule)
    assert "marked when there is a warning" in str(rule)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ("hold = {}", "hold must be like { consistency_hu = 5, warnings = true }"),
        ("hold = 5", "hold must be like"),
        ("mark = { consistency = 5 }", "mark.consistency is not a limit; did you mean consistency_hu?"),
        ("hold = { consistency_hu = -1 }", "hold.consistency_hu must be a number from 0"),
        ("hold = { warnings = 1 }", "hold.warnings must be true or false"),
        ("hold = { deviation_hu = 5 }", "hold.deviation_hu needs samples = 2 or more"),
        ("process = false\nhold = { consistency_hu = 5 }", "so hold would have no effect"),
    ],
)
def test_limits_that_cannot_be_meant_stop_the_start(limits: str, words: str) -> None:
    with pytest.raises(RulesError) as refusal:
        rules_from(f'[[rule]]\nname = "a"\n{limits}', "r.toml", ProcessingOptions())
    assert words in str(refusal.value)


# ---- States ----


def computed() -> SeriesState:
    return SeriesState("succeeded", 1.0, key="k", request={"attempt": 1}, result=Result("2.25.1"))


def test_without_a_destination_there_is_nothing_to_hold_back_and_the_mark_remains() -> None:
    state = transitions.verified(computed(), Result("2.25.1", "r", 3), (), 2.0, Judgement(held="too far off"))
    assert (state.phase, state.code, state.message) == (DONE, MARKED, "too far off")


def test_whoever_passes_it_on_or_not_the_reason_stays() -> None:
    held = transitions.verified(
        computed(), Result("2.25.1", "r", 3), ("PACS",), 2.0, Judgement("too far off", "odd")
    )
    assert (held.phase, held.message, held.settled) == (HELD, "too far off; odd", True)
    passed = transitions.sent_again(held, 3.0)
    assert (passed.phase, passed.code, passed.message) == (ROUTING, MARKED, "too far off; odd")
    left = transitions.cancelled(held, 3.0)
    assert (left.phase, left.code, [route.phase for route in left.routes]) == (DONE, MARKED, ["abandoned"])
    assert [one["what"] for one in entries("s", computed(), held)] == ["stored", "held"]
    assert [one["what"] for one in entries("s", held, passed)] == ["passed-on"]


def test_only_an_operator_passes_on() -> None:
    path = f"/nullsplat/series/{'-'.join(['0123abcd'] * 5)}"
    assert may(OPERATOR, "POST", path)
    assert not may(VIEWER, "POST", path)


# ---- In the node ----


def node(
    orthanc: FakeOrthanc, engine: EngineBeside, folder: Path, options: str, lines: list[Entry] | None = None
) -> AbstractContextManager[Service]:
    file = folder / "rules.toml"
    file.write_text(f'[[rule]]\nname = "a"\ndestinations = ["PACS"]\n{options}\n')
    record = None if lines is None else lines.append
    return running(orthanc, engine, record=record, modalities=["PACS"], RulesFile=str(file))


def reaches(service: Service, source: str, state: str) -> dict[str, Any]:
    wait_until(lambda: service.series(source)["state"] == state)
    return service.series(source)


def test_a_result_beyond_its_limit_waits_over_restarts_until_a_person_passes_it_on(tmp_path: Path) -> None:
    orthanc, lines = FakeOrthanc(), list[Entry]()
    source = orthanc.add(ct_series(4))
    options = "hold = { consistency_hu = 3 }"
    with EngineBeside(SECRET, orthanc=orthanc) as engine:
        with node(orthanc, engine, tmp_path, options) as service:
            shown = reaches(service, source, "held")
        assert shown["message"] == "the RMSE against the source is 3.2 HU, above 3 HU"
        assert shown["title"] == "finished, held back"
        assert shown["actions"] == [DELIVER, "again", CANCEL]
        with node(orthanc, engine, tmp_path, options, lines) as service:
            wait_for_rounds(orthanc, 2)
            service.store_ended("store-job-1")
            wait_for_rounds(orthanc, 2)
            assert orthanc.sent == []
            rows = service.overview("to-look-at")["queue"]["rows"]
            assert [row["series"] for row in rows] == [source]
            assert 'nullsplat_node_series{state="held"} 1' in service.metrics()
            assert 'nullsplat_node_routes{destination="PACS",state="waiting"} 0' in service.metrics()
            service.act(source, DELIVER)
            shown = reaches(service, source, "done")
        assert shown["title"] == "finished, marked"
        assert shown["message"] == "the RMSE against the source is 3.2 HU, above 3 HU"
    assert [destination for _, destination in orthanc.sent] == ["PACS"]
    assert [line["what"] for line in lines] == ["passed-on", "delivered"]
    kinds = [event["kind"] for chapter in service.history(source)["chapters"] for event in chapter["events"]]
    assert kinds[-4:] == ["stored", "held", "note", "delivered"]


def test_a_person_may_leave_it_here_for_good(tmp_path: Path) -> None:
    orthanc = FakeOrthanc()
    source = orthanc.add(ct_series(4))
    with (
        EngineBeside(SECRET, orthanc=orthanc) as engine,
        node(orthanc, engine, tmp_path, "hold = { warnings = true, consistency_hu = 3 }") as service,
    ):
        reaches(service, source, "held")
        service.act(source, CANCEL)
        shown = reaches(service, source, "done")
        with pytest.raises(NotPossible):
            service.act(source, DELIVER)
    assert [route["state"] for route in shown["routes"]] == ["abandoned"]
    assert orthanc.sent == []


def test_a_mark_sends_and_says(tmp_path: Path) -> None:
    orthanc = FakeOrthanc()
    source = orthanc.add(ct_series(4))
    figures = {
        "lr_consistency_rmse_hu": 3.2,
        "slice_profile": {"check": {"verdict": "contradicted", "why": "edges"}},
    }
    with (
        EngineBeside(SECRET, orthanc=orthanc, figures=figures) as engine,
        node(
            orthanc, engine, tmp_path, "mark = { warnings = true }\nhold = { consistency_hu = 3.2 }"
        ) as service,
    ):
        shown = reaches(service, source, "done")
        assert (shown["title"], shown["code"]) == ("finished, marked", MARKED)
        assert shown["message"] == "the data contradict the slice profile"
    assert len(orthanc.sent) == 1
    assert "marked: the data contradict" in json.dumps(orthanc.remembered(source)["history"])


def test_what_lies_within_the_limits_is_sent_as_ever(tmp_path: Path) -> None:
    orthanc = FakeOrthanc()
    source = orthanc.add(ct_series(4))
    with (
        EngineBeside(SECRET, orthanc=orthanc) as engine,
        node(orthanc, engine, tmp_path, "hold = { consistency_hu = 3.2 }") as service,
    ):
        shown = reaches(service, source, "done")
    assert "code" not in shown
    assert len(orthanc.sent) == 1

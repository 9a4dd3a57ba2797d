"""/nullsplat/metrics tells how the node is, in words of its own only."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydicom.dataset import Dataset
from tests.plugin.test_rest import FakeOutput
from tests.plugin.test_service import running, wait_until
from tests.support.plugin.fake_engine import FakeEngine
from tests.support.plugin.fake_orthanc import FakeOrthanc
from tests.support.plugin.node import ENGINE, Node
from tests.support.plugin.series import ct_series

from nullsplat.service.error_codes import known_reasons
from nullsplat_node.lifecycle.census import Census
from nullsplat_node.lifecycle.reasons import FAILURES
from nullsplat_node.lifecycle.routing import ABANDONED, DELIVERED, WAITING, Route
from nullsplat_node.lifecycle.state import DONE, FAILED, INELIGIBLE, PENDING, PHASES, ROUTING, SeriesState
from nullsplat_node.views.metrics import Figures, exposition
from nullsplat_node.web.rest import send_metrics
from nullsplat_node.work.audit import PREFIX

PATIENT = "ZWIEBELBAUM^ROSALINDE"


def figures(*states: SeriesState, **changed: Any) -> Figures:
    census = Census()
    for number, state in enumerate(states):
        census.change(f"{number:044d}", None, state)
    given = {"destinations": (), "reachable": True, "last_scan": None, "now": 1000.0, **changed}
    return Figures(census.counts(), **given)


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Name and label values to value, as Prometheus' own reader finds them."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_series_are_counted_by_state_and_every_state_is_there() -> None:
    told = samples(
        exposition(figures(SeriesState(DONE, 1.0), SeriesState(DONE, 2.0), SeriesState(PENDING, 3.0)))
    )
    assert {phase: told["nullsplat_node_series", phase] for phase in PHASES} == {
        **dict.fromkeys(PHASES, 0),
        DONE: 2,
        PENDING: 1,
    }


def test_refusals_and_failures_are_counted_by_codes_that_are_known() -> None:
    told = samples(
        exposition(
            figures(
                SeriesState(INELIGIBLE, 1.0, code="gantry-tilt", message=PATIENT),
                SeriesState(INELIGIBLE, 1.0, code="gantry-tilt"),
                SeriesState(INELIGIBLE, 1.0, code=PATIENT),
                SeriesState(FAILED, 1.0, code="storage"),
                SeriesState(FAILED, 1.0, code="1.2.826.0.1"),
            )
        )
    )
    reasons = {
        labels: value for labels, value in told.items() if "refusals" in labels[0] or "failures" in labels[0]
    }
    assert reasons == {
        ("nullsplat_node_refusals", "gantry-tilt"): 2,
        ("nullsplat_node_refusals", "other"): 1,
        ("nullsplat_node_failures", "storage"): 1,
        ("nullsplat_node_failures", "other"): 1,
    }


def test_routes_are_counted_by_destination_and_state_also_where_nothing_goes() -> None:
    routes = (Route("PACS", DELIVERED), Route("OLD", ABANDONED), Route("PACS", WAITING, error=PATIENT))
    text = exposition(figures(SeriesState(ROUTING, 1.0, routes=routes), destinations=("PACS", "NEW")))
    told = samples(text)
    assert told["nullsplat_node_routes", "PACS", "delivered"] == 1
    assert told["nullsplat_node_routes", "PACS", "waiting"] == 1
    assert told["nullsplat_node_routes", "OLD", "abandoned"] == 1
    assert told["nullsplat_node_routes", "NEW", "waiting"] == 0
    assert PATIENT not in text


@pytest.mark.parametrize("name", ['a"b', "back\\slash", "two\nlines", "}{", "ä" * 100])
def test_a_destination_of_any_name_is_one_label(name: str) -> None:
    told = samples(exposition(figures(destinations=(name,))))
    (label,) = {labels[1] for labels in told if labels[0] == "nullsplat_node_routes"}
    assert label.isascii()
    assert len(label) <= 64
    assert name.isascii() is False or label == name.replace("\n", "?")


def test_the_oldest_pending_series_gives_the_age() -> None:
    states = SeriesState(PENDING, 400.0), SeriesState(PENDING, 900.0), SeriesState(DONE, 1.0)
    assert samples(exposition(figures(*states)))["nullsplat_node_oldest_pending_seconds",] == 600
    assert samples(exposition(figures()))["nullsplat_node_oldest_pending_seconds",] == 0


def test_engine_and_last_look_are_told() -> None:
    told = samples(exposition(figures(reachable=False, last_scan=1.7e9 + 0.25)))
    assert told["nullsplat_node_engine_reachable",] == 0
    assert told["nullsplat_node_last_reconciliation_timestamp_seconds",] == 1.7e9 + 0.25
    assert samples(exposition(figures()))["nullsplat_node_last_reconciliation_timestamp_seconds",] == 0


def test_every_reason_of_the_engine_is_known_here() -> None:
    assert known_reasons() <= FAILURES


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    with FakeEngine("a-secret-of-the-tests", hold=True) as watched:
        yield watched


def test_a_running_node_answers_with_its_figures_and_without_a_patient(engine: FakeEngine) -> None:
    def named(_: int, dataset: Dataset) -> None:
        dataset.PatientName, dataset.PatientID, dataset.BodyPartExamined = PATIENT, "PID-90210", "CHEST"

    def tilted(index: int, dataset: Dataset) -> None:
        named(index, dataset)
        dataset.ImagePositionPatient = [0, 4.0 * index, 5.0 * index]  # more than a gantry tilts

    orthanc, good = FakeOrthanc(), ct_series(4, change=named)
    orthanc.add(good)
    orthanc.add(ct_series(4, change=tilted))
    with running(orthanc, engine) as service:
        wait_until(lambda: 'series{state="running"} 1' in service.metrics())
        wait_until(lambda: 'refusals{reason="gantry-tilt"} 1' in service.metrics())
        output = FakeOutput()
        send_metrics(output, service, {"method": "GET"})
    assert output.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    told = samples(output.body)
    assert told["nullsplat_node_engine_reachable",] == 1
    assert told["nullsplat_node_last_reconciliation_timestamp_seconds",] > 1.7e9
    for private in ("ZWIEBELBAUM", "90210", str(good[0].StudyInstanceUID), str(good[0].SeriesInstanceUID)):
        assert private not in output.body


def test_metrics_can_only_be_read() -> None:
    class Refusing(FakeOutput):
        def SendMethodNotAllowed(self, allowed: str) -> None:  # noqa: N802 - Orthanc's name
            self.status, self.headers["Allow"] = 405, allowed

    output = Refusing()
    send_metrics(output, None, {"method": "POST"})  # type: ignore[arg-type]
    assert (output.status, output.headers["Allow"]) == (405, "GET")


@pytest.mark.orthanc
def test_orthanc_serves_the_metrics_to_people_and_logs_the_audit_lines(node: Node) -> None:
    source = ct_series(5)
    shown = node.wait_for(node.send(source), "done")
    text = node.raw("/nullsplat/metrics").decode()
    assert samples(text)["nullsplat_node_routes", "PACS", "delivered"] >= 1
    assert node.call("GET", "/nullsplat/metrics", user=("engine", ENGINE))[0] == 403
    assert node.call("POST", "/nullsplat/metrics", b"")[0] == 405
    log = node.orthanc.log.read_text()
    lines = [json.loads(line.partition(PREFIX)[2]) for line in log.splitlines() if PREFIX in line]
    told = [line["what"] for line in lines if line.get("series") == shown["series"]]
    assert told == ["requested", "started", "finished", "stored", "delivered"]
    assert str(source[0].SeriesInstanceUID) not in text + json.dumps(lines)

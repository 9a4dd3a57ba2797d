"""Two managers on one worklist: they order, watch and change their minds at once, and both see the same truth."""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.service.test_controls import audited
from tests.support.service.archive_double import ArchiveDouble
from tests.support.service.dicom_samples import SERIES, STUDY
from tests.support.service.engine import SECRET, Engine, wait_for
from tests.support.service.ups_client import (
    DESCRIPTION,
    PROGRESS,
    STATE,
    Answer,
    UpsClient,
    number_item,
    order,
    text_item,
    value,
)

from nullsplat.service.contract.messages import STAGES

FINAL = ("COMPLETED", "CANCELED")
AFTER = {"SCHEDULED": ("SCHEDULED", "IN PROGRESS", *FINAL), "IN PROGRESS": ("IN PROGRESS", *FINAL)}
"""What a watcher may see next (PS3.4 Table CC.1.1-2); a final state stays."""


@pytest.fixture
def managers(engine: Engine) -> tuple[UpsClient, UpsClient]:
    url = str(engine.client.base_url)
    return UpsClient(url, SECRET), UpsClient(url, SECRET)


@pytest.fixture
def orders(archive: ArchiveDouble) -> Callable[[int], dict[str, Any]]:
    """The order of a run of its own."""

    def make(attempt: int) -> dict[str, Any]:
        asked = text_item("PRESET", "preview"), text_item("SCALE", "2,1,1"), number_item("ATTEMPT", attempt)
        return order(STUDY, SERIES, list(archive.instances[SERIES]), *asked)

    return make


def at_once(*actions: Callable[[], Answer]) -> list[Answer]:
    with ThreadPoolExecutor(len(actions)) as pool:
        return [one.result() for one in [pool.submit(action) for action in actions]]


def uid_in(answer: Answer) -> str:
    return str(answer.headers["Location"]).rpartition("/")[2]


def watched(manager: UpsClient, uid: str) -> list[str]:
    """All states that a manager sees until the last."""
    seen = [manager.state(uid)]
    wait_for(lambda: seen.append(manager.state(uid)) or seen[-1] in FINAL, what="a final state")
    return [state for state, _ in itertools.groupby(seen)]


def reached(manager: UpsClient, uid: str, stage: str | None) -> bool:
    """Whether a stage or a later one has begun, or all is over."""
    item = manager.retrieve(uid)
    description = item[PROGRESS]["Value"][0][DESCRIPTION].get("Value", [""])[0]
    begun = stage is not None and description.partition(":")[0] in STAGES[STAGES.index(stage) :]
    return begun or value(item, STATE) in FINAL


def test_the_same_order_of_both_at_once_is_one_workitem_that_both_follow(
    engine: Engine, managers: tuple[UpsClient, UpsClient], orders: Callable[[int], dict[str, Any]]
) -> None:
    one, other = managers
    answers = at_once(lambda: one.create(orders(1)), lambda: other.create(orders(1), "?workitem=2.25.99"))
    assert sorted(answer.status for answer in answers) == [201, 409]
    (uid,) = {uid_in(answer) for answer in answers}
    engine.start_worker()
    with ThreadPoolExecutor(2) as pool:
        seen = list(pool.map(lambda manager: watched(manager, uid), managers))
    for states in seen:
        assert all(later in AFTER[state] for state, later in itertools.pairwise(states))
        assert states[-1] == "COMPLETED"
    assert one.retrieve(uid) == other.retrieve(uid)


def test_a_uid_that_both_choose_for_different_work_is_given_once(
    managers: tuple[UpsClient, UpsClient], orders: Callable[[int], dict[str, Any]]
) -> None:
    one, other = managers
    query = "?workitem=2.25.99"
    answers = at_once(lambda: one.create(orders(1), query), lambda: other.create(orders(2), query))
    assert sorted(answer.status for answer in answers) == [201, 409]
    assert len(one.search()) == 1


def test_of_two_cancellations_at_once_one_cancels(
    engine: Engine, managers: tuple[UpsClient, UpsClient], orders: Callable[[int], dict[str, Any]]
) -> None:
    one, other = managers
    uid = uid_in(one.create(orders(1)))
    answers = at_once(lambda: one.cancel(uid), lambda: other.cancel(uid))
    assert [answer.status for answer in answers] == [202, 202]
    assert len(audited(engine, "cancelled")) == 1
    assert other.state(uid) == "CANCELED"


def test_a_race_between_cancelling_and_completing_has_one_winner_and_no_half_result(
    engine: Engine,
    managers: tuple[UpsClient, UpsClient],
    orders: Callable[[int], dict[str, Any]],
    archive: ArchiveDouble,
) -> None:
    """One manager cancels while the other tries to complete: in each stage, and when the node has completed it."""
    one, other = managers
    engine.hold("stage1")  # for the first, which is sure to be cancelled
    engine.start_worker()
    ends = []
    for attempt, stage in enumerate((*STAGES[1:], None), 1):
        uid = uid_in(one.create(orders(attempt)))
        wait_for(lambda uid=uid, stage=stage: reached(one, uid, stage), what=f"{stage} or the end")
        cancelled, completed = at_once(
            lambda uid=uid: one.cancel(uid), lambda uid=uid: other.change_state(uid, "COMPLETED")
        )
        (engine.control / "hold-stage1").unlink(missing_ok=True)
        assert completed.status in (200, 400, 409)
        end = wait_for(lambda uid=uid: next((s for s in [other.state(uid)] if s in FINAL), None))
        assert (end == "CANCELED") == (cancelled.status == 202)
        assert one.state(uid) == end
        ends.append(end)
    assert (ends[0], ends[-1]) == ("CANCELED", "COMPLETED")
    whole = [len(archive.instances[series]) for series in archive.derived(SERIES)]
    assert whole == [12] * ends.count("COMPLETED")
    assert len(audited(engine, "cancelled")) == ends.count("CANCELED")


def test_an_order_that_one_manager_cancelled_can_be_given_by_the_other(
    engine: Engine, managers: tuple[UpsClient, UpsClient], archive: ArchiveDouble
) -> None:
    one, other = managers
    workitem = order(STUDY, SERIES, list(archive.instances[SERIES]))
    first = uid_in(one.create(workitem))
    assert one.cancel(first).status == 202
    second = uid_in(other.create(workitem))
    engine.start_worker()
    assert watched(one, second)[-1] == "COMPLETED"
    assert one.state(first) == "CANCELED"
    assert [item["00080018"]["Value"] for item in other.search(ProcedureStepState="COMPLETED")] == [[second]]

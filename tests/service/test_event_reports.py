"""Subscriptions and event reports (PS3.18 11.10 to 11.13, PS3.4 CC.2.3 and CC.2.4), as an independent WebSocket client gets them."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import websocket
from tests.support.service.archive_double import ArchiveDouble
from tests.support.service.dicom_samples import SERIES, STUDY
from tests.support.service.engine import SECRET, Engine, serving
from tests.support.service.fast_processing import FastProcessing
from tests.support.service.ups_client import (
    DESCRIPTION,
    PERCENT,
    PROGRESS,
    REASON,
    REASON_CODE,
    STATE,
    UpsClient,
    number_item,
    order,
    text_item,
    value,
)
from tests.support.service.ups_watcher import (
    ALL,
    CANCEL_REQUESTED,
    EVENT,
    INSTANCE,
    MESSAGE,
    PROGRESS_REPORT,
    SOME,
    STATE_REPORT,
    STATUS_CHANGE,
    Report,
    Watcher,
    is_state,
    said,
    subscribe,
    suspend,
    unsubscribe,
    watching,
)

from nullsplat.core.errors import StorageError
from nullsplat.service.api.server import application
from nullsplat.service.api.ups import channels
from nullsplat.service.database import tables
from nullsplat.service.database.schema import open_database
from nullsplat.service.queue import events
from nullsplat.service.queue.retention import LONGEST_LOCK, Retention
from nullsplat.service.settings import Settings
from nullsplat.service.worklist import subscriptions

VIEWER = "a-secret-for-viewers"
A, B = "WATCHER", "OTHER WATCHER"
READY = "00404041"

Order = Callable[[int], str]


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "POLL", 0.1)


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return environment | {"NULLSPLAT_VIEWER_SECRET": VIEWER}


@pytest.fixture
def client(engine: Engine) -> UpsClient:
    return UpsClient(str(engine.client.base_url).rstrip("/"), SECRET)


@pytest.fixture
def ordered(client: UpsClient, archive: ArchiveDouble) -> Order:
    """Orders a run; its workitem's UID."""

    def make(attempt: int) -> str:
        asked = text_item("PRESET", "preview"), text_item("SCALE", "2,1,1"), number_item("ATTEMPT", attempt)
        answer = client.create(order(STUDY, SERIES, list(archive.instances[SERIES]), *asked))
        assert answer.status == 201
        return str(answer.headers["Location"]).rpartition("/")[2]

    return make


def kept(engine: Engine, days: float) -> set[str]:
    """The keys of the jobs that are left when retention has deleted those that ended before so many days from now."""
    database = open_database(engine.environment["NULLSPLAT_DATABASE_URL"])
    retention = Retention(database)
    retention.purge(datetime.now(UTC) + timedelta(days=days))
    retention.close()
    database.dispose()
    return {job["key"] for job in engine.client.get("/v1/jobs").json()["jobs"]}


def described(report: Report) -> str:
    """Procedure Step Progress Description, which is empty between two stages."""
    return str(report[PROGRESS]["Value"][0][DESCRIPTION].get("Value", [""])[0])


def key_of(uid: str) -> str:
    return f"{int(uid.removeprefix('2.25.')):032x}"


# From the subscription to the end


def test_a_subscriber_hears_of_a_real_job_from_its_subscription_to_its_completion(
    engine: Engine, client: UpsClient, ordered: Order
) -> None:
    uid = ordered(1)
    with watching(client, A) as watcher:
        answer = subscribe(client, uid, A)
        assert answer.status == 201
        assert answer.headers["Content-Location"] == f"{client.url.replace('http', 'ws', 1)}/subscribers/{A}"
        initial = watcher.next()
        assert (value(initial, EVENT), value(initial, STATE)) == (STATE_REPORT, "SCHEDULED")
        assert (value(initial, INSTANCE), value(initial, READY)) == (uid, "READY")
        engine.hold("stage1")
        engine.start_worker()
        found = watcher.until(
            lambda one: value(one, EVENT) == PROGRESS_REPORT and described(one).startswith("stage1")
        )
        engine.release("stage1")
        found += watcher.until(is_state(uid, "COMPLETED"))
        assert watcher.quiet()
    assert said(found, uid) == ["IN PROGRESS", "COMPLETED"]
    progress = [value(one, PROGRESS, PERCENT) for one in found if value(one, EVENT) == PROGRESS_REPORT]
    assert progress == sorted(progress)
    assert {value(one, INSTANCE) for one in found} == {uid}
    numbers = [value(one, MESSAGE) for one in [initial, *found]]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_a_job_that_failed_is_reported_with_its_reason(
    engine: Engine, client: UpsClient, ordered: Order
) -> None:
    uid = ordered(1)
    engine.control.mkdir(exist_ok=True)
    (engine.control / "fail-stage2").write_text("broken")
    with watching(client, A) as watcher:
        subscribe(client, uid, A)
        engine.start_worker()
        last = watcher.until(is_state(uid, "CANCELED"))[-1]
    assert value(last, REASON) == engine.status(key_of(uid))["failure"]["message"]
    assert value(last, REASON_CODE, "00080100") == "110513"


def test_a_request_to_cancel_is_reported_before_the_cancellation_and_without_its_reason(
    client: UpsClient, ordered: Order
) -> None:
    uid = ordered(1)
    with watching(client, A) as watcher:
        subscribe(client, uid, A)
        assert said([watcher.next()], uid) == ["SCHEDULED"]
        assert client.cancel(uid, {REASON: {"vr": "LT", "Value": ["Jane Doe has left"]}}).status == 202
        requested, canceled = watcher.until(is_state(uid, "CANCELED"))
        assert client.cancel(uid).status == 202
        assert watcher.quiet()  # it is over: there is nobody to ask any more
    assert (value(requested, EVENT), value(requested, "00741236")) == (CANCEL_REQUESTED, "NULLSPLAT")
    assert REASON not in requested
    assert value(canceled, REASON) == "cancelled on request"


# Which workitems (PS3.4 Table CC.2.3-2)


def test_a_subscriber_to_all_hears_of_those_that_are_there_and_those_to_come(
    client: UpsClient, ordered: Order
) -> None:
    old = ordered(1)
    with watching(client, A) as watcher, watching(client, B) as other:
        assert subscribe(client, ALL, A).status == 201
        assert watcher.quiet()  # without deletion lock there are no initial reports
        new = ordered(2)
        assert said([watcher.next()], new) == ["SCHEDULED"]
        client.cancel(old)
        assert said(watcher.until(is_state(old, "CANCELED")), old) == ["CANCELED"]
        assert other.quiet()


def test_with_deletion_lock_the_state_of_every_workitem_is_reported_at_once(
    client: UpsClient, ordered: Order
) -> None:
    uids = [ordered(attempt) for attempt in range(1, 4)]
    client.cancel(uids[0])
    with watching(client, A) as watcher:
        assert subscribe(client, ALL, A, "?deletionlock=true").warning == ""
        found = [watcher.next() for _ in uids]
        assert watcher.quiet()
    states = {value(one, INSTANCE): value(one, STATE) for one in found}
    assert states == dict(zip(uids, ("CANCELED", "SCHEDULED", "SCHEDULED"), strict=True))


def test_unsubscribed_means_silence(client: UpsClient, ordered: Order) -> None:
    one, other = ordered(1), ordered(2)
    with watching(client, A) as watcher:
        subscribe(client, ALL, A)
        subscribe(client, other, A)
        watcher.next()
        assert unsubscribe(client, one, A).status == 200
        assert unsubscribe(client, one, A).status == 404
        client.cancel(one)
        assert watcher.quiet()
        client.cancel(other)
        watcher.until(is_state(other, "CANCELED"))
        assert unsubscribe(client, ALL, A).status == 200  # and from every single one
        assert unsubscribe(client, ALL, A).status == 404
        client.cancel(ordered(3))
        assert watcher.quiet()
        subscribe(client, one, A)  # one that is over has a state, too
        assert said([watcher.next()], one) == ["CANCELED"]


def test_suspended_means_silence_about_new_ones_alone_until_resumed(
    client: UpsClient, ordered: Order
) -> None:
    old = ordered(1)
    with watching(client, A) as watcher:
        assert suspend(client, ALL, A).status == 404
        subscribe(client, ALL, A)
        assert suspend(client, ALL, A).status == 200
        assert suspend(client, old, A).status == 400
        between = ordered(2)
        assert watcher.quiet()
        client.cancel(old)
        assert said(watcher.until(is_state(old, "CANCELED")), old) == ["CANCELED"]
        subscribe(client, ALL, A)
        client.cancel(between)
        assert said(watcher.until(is_state(between, "CANCELED")), between) == ["CANCELED"]


def test_a_filter_chooses_among_the_workitems(client: UpsClient, ordered: Order) -> None:
    nothing = "?filter=InputInformationSequence.SeriesInstanceUID=2.25.1,WorklistLabel=NullSplat"
    series = f"InputInformationSequence.SeriesInstanceUID={SERIES}"
    with watching(client, A) as watcher, watching(client, B) as other:
        assert subscribe(client, SOME, A, f"?filter={series},WorklistLabel=NullSplat").status == 201
        assert subscribe(client, SOME, B, nothing).status == 201
        uid = ordered(1)
        assert said([watcher.next()], uid) == ["SCHEDULED"]
        assert unsubscribe(client, uid, A).status == 200
        client.cancel(uid)
        assert watcher.quiet()
        answer = subscribe(client, SOME, A, f"?{series}&deletionlock=true")  # as it was written before 2019b
        assert (answer.status, "Deletion Lock not granted." in answer.warning) == (201, True)
        assert unsubscribe(client, SOME, A).status == 200
        client.cancel(ordered(2))
        assert watcher.quiet()
        assert other.quiet()


@pytest.mark.parametrize(
    ("uid", "title", "query", "words"),
    [
        (SOME, A, "", "needs a filter"),
        (SOME, A, "?filter=ProcedureStepState=SCHEDULED", "which ProcedureStepState does not"),
        (SOME, A, "?filter=Doe=1", "a keyword or tag"),
        (SOME, A, f"?filter=WorklistLabel={'N' * 1100}", "at most 1024 characters"),
        (ALL, A, "?deletionlock=yes", "must be true or false"),
        (ALL, "A" * 17, "", "must be an AE title"),
        (ALL, "A\\B", "", "must be an AE title"),
        (ALL, "  ", "", "must be an AE title"),
    ],
)
def test_a_subscription_that_cannot_be_is_refused_in_words(
    client: UpsClient, uid: str, title: str, query: str, words: str
) -> None:
    answer = subscribe(client, uid, title, query)
    assert (answer.status, words in json.loads(answer.body)["error"]["message"]) == (400, True), answer.body


def test_a_workitem_that_is_not_there_has_no_subscribers(client: UpsClient) -> None:
    assert subscribe(client, "2.25.1", A).status == unsubscribe(client, "2.25.1", A).status == 404


# Channels


def test_what_happens_without_a_channel_is_not_reported_later_and_the_subscription_stays(
    client: UpsClient, ordered: Order
) -> None:
    with watching(client, A):
        subscribe(client, ALL, A)
    missed = ordered(1)
    with watching(client, A) as watcher, watching(client, A) as second:
        first = watcher.next()
        assert (value(first, EVENT), value(first, "00741242")) == (STATUS_CHANGE, "RESTARTED")
        assert (value(first, "00741244"), value(first, "00741246")) == ("WARM START", "WARM START")
        assert watcher.quiet()
        client.cancel(missed)
        for one in (watcher, second):
            assert said(one.until(is_state(missed, "CANCELED")), missed) == ["CANCELED"]


def test_subscriptions_outlive_the_process_and_another_process_reports_what_this_one_does(
    client: UpsClient, ordered: Order, settings: Settings, tmp_path: Path
) -> None:
    subscribe(client, ALL, A)
    with (
        application(settings, FastProcessing(tmp_path / "control")) as app,
        serving(app) as url,
        watching(UpsClient(url, SECRET), A) as watcher,
    ):
        assert value(watcher.next(), EVENT) == STATUS_CHANGE
        uid = ordered(1)
        subscribe(client, uid, A)
        assert said(watcher.until(is_state(uid, "SCHEDULED")), uid) == ["SCHEDULED"]


def test_whoever_takes_nothing_is_cut_off_and_told_so(
    client: UpsClient, ordered: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "WAITING", 1)
    subscribe(client, ALL, A)
    with watching(client, A) as watcher:
        watcher.next()
        uids = [ordered(attempt) for attempt in range(1, 9)]
        for uid in uids:
            subscribe(client, uid, A)
        assert watcher.end() == 1008


def test_a_channel_that_cannot_be_served_is_closed_so_that_nothing_is_missed_unnoticed(
    client: UpsClient, engine: Engine, monkeypatch: pytest.MonkeyPatch, ordered: Order
) -> None:
    with watching(client, A) as watcher:
        subscribe(client, ALL, A)
        monkeypatch.setattr(events.EventReader, "new", _broken)
        assert watcher.end() == 1011
    monkeypatch.undo()
    with watching(client, A) as watcher:
        watcher.next()
        uid = ordered(1)
        assert said([watcher.next()], uid) == ["SCHEDULED"]


def _broken(_reader: object) -> None:
    raise StorageError("the database does not answer")


def test_an_event_that_becomes_visible_after_later_ones_is_read_and_none_is_read_twice(
    settings: Settings,
) -> None:
    """Transactions of PostgreSQL do not end in the order in which their rows got their numbers."""
    settings.prepare_spool()
    database = open_database(settings.database)
    reader = events.EventReader(database)
    for number in (1001, 1000, 1002):
        with database.begin() as connection:
            row = {"number": number, "key": "k", "what": "progress", "subscriber": None}
            connection.execute(sa.insert(tables.events).values(row))
        assert [one.number for one in reader.new()] == [number]
        assert reader.new() == []
    assert events.EventReader(database).new() == []
    database.dispose()


def test_a_reader_that_could_not_read_for_long_says_so(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.prepare_spool()
    database = open_database(settings.database)
    reader = events.EventReader(database)
    monkeypatch.setattr(events, "LONGEST_PAUSE", 0.0)
    with pytest.raises(StorageError, match="events may be lost"):
        reader.new()
    database.dispose()


# Who may, and how many


@pytest.mark.parametrize("secret", ["", "None", f"{SECRET}x"])
def test_nobody_opens_a_channel_or_subscribes_without_a_secret(client: UpsClient, secret: str) -> None:
    stranger = UpsClient(client.url, secret)
    assert subscribe(stranger, ALL, A).status == 401
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        Watcher(stranger, A)
    assert refused.value.status_code == 401
    assert json.loads(refused.value.resp_body)["error"]["code"] == "unauthorized"


def test_a_viewer_may_watch_what_somebody_else_subscribed_it_to(client: UpsClient, ordered: Order) -> None:
    viewer = UpsClient(client.url, VIEWER)
    for refused in (subscribe(viewer, ALL, A), unsubscribe(viewer, ALL, A), suspend(viewer, ALL, A)):
        assert refused.status == 403
    with watching(viewer, A) as watcher:
        subscribe(client, ALL, A)
        uid = ordered(1)
        assert said([watcher.next()], uid) == ["SCHEDULED"]


def test_other_addresses_are_no_channels(client: UpsClient) -> None:
    answer = client.send("GET", f"/subscribers/{A}")
    assert (answer.status, answer.headers["Upgrade"]) == (426, "websocket")
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        Watcher(client, f"{A}/more")
    assert refused.value.status_code == 403
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        Watcher(client, "A" * 17)
    assert refused.value.status_code == 400


def test_channels_subscribers_and_subscriptions_are_limited(
    client: UpsClient, ordered: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "MOST_SUBSCRIBERS", 1)
    monkeypatch.setattr(subscriptions, "MOST_EACH", 1)
    assert subscribe(client, ALL, A).status == 201
    for uid, title in ((ALL, "ANOTHER"), (ordered(1), A)):
        answer = subscribe(client, uid, title)
        assert (answer.status, json.loads(answer.body)["error"]["code"]) == (403, "too-many-subscriptions")
    watchers = [Watcher(client, A) for _ in range(64)]  # a quarter of NULLSPLAT_CONNECTIONS
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        Watcher(client, A)
    assert refused.value.status_code == 503
    for watcher in watchers:
        watcher.close()


# Deletion locks


def test_a_locked_workitem_is_kept_until_it_is_unlocked_but_not_for_ever(
    engine: Engine, client: UpsClient, ordered: Order
) -> None:
    locked, unlocked, excepted = (ordered(attempt) for attempt in range(1, 4))
    for uid in (locked, unlocked, excepted):
        client.cancel(uid)
    subscribe(client, locked, A, "?deletionlock=true")
    subscribe(client, ALL, B, "?deletionlock=true")
    assert kept(engine, 1) == {key_of(uid) for uid in (locked, unlocked, excepted)}
    unsubscribe(client, excepted, B)
    assert kept(engine, 1) == {key_of(uid) for uid in (locked, unlocked)}
    unsubscribe(client, ALL, B)
    assert kept(engine, 1) == {key_of(locked)}
    assert kept(engine, 1 + LONGEST_LOCK.days) == set()
    with engine.database() as connection:
        assert connection.exec_driver_sql("SELECT * FROM nullsplat_subscriptions").all() == []


def test_subscribing_again_without_lock_unlocks(engine: Engine, client: UpsClient, ordered: Order) -> None:
    uid = ordered(1)
    client.cancel(uid)
    subscribe(client, uid, A, "?deletionlock=true")
    assert kept(engine, 1) == {key_of(uid)}
    subscribe(client, uid, A)
    assert kept(engine, 1) == set()


def test_only_the_latest_events_are_kept(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "KEPT", 10)
    with engine.database() as connection:
        for _ in range(events.PRUNE_EVERY * 2):
            events.note(connection, "k", "progress")
        numbers = connection.exec_driver_sql("SELECT number FROM nullsplat_events").scalars().all()
    assert len(numbers) < events.PRUNE_EVERY + 10

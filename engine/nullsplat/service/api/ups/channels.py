"""Notification connections (PS3.18, 8.10.4 and 8.10.5): WebSockets that event reports are sent on while they are open.

What happens to jobs is read from the database, so it does not matter which process does it. Nothing is kept for a subscriber without
a channel; one that is open has missed nothing, so whatever could make it miss something closes it.
"""

import asyncio
import contextlib
import itertools
import json
import logging
from collections.abc import Collection, Iterator
from typing import Any, Final

from fastapi import WebSocket, WebSocketDisconnect, status
from fastapi.concurrency import iterate_in_threadpool, run_in_threadpool
from pydicom.dataset import Dataset

from nullsplat.core.errors import NotNow, NullSplatError
from nullsplat.service.queue.events import ALL, PROGRESS, SUBSCRIBED, EventReader, JobEvent
from nullsplat.service.worklist.reports import report_of, restarted
from nullsplat.service.worklist.subscriptions import Subscriptions, is_subscribed
from nullsplat.service.worklist.worklist import Worklist

POLL = 0.5
"""Seconds between two looks at the database, and so the delay of a report."""
WAITING = 1000
"""Reports that may wait for a client to take them; with one more it is too slow."""
MESSAGE_IDS = 0xFFFF
MISSING = status.WS_1011_INTERNAL_ERROR, "reports may be missing; open the channel again, then search"
"""Why a channel is closed that has missed something."""

EVERY_STATE: Final = "the present state of every workitem"
"""Stands for as many reports as there are workitems, which are made when their turn comes."""
Report = Dataset | str

logger = logging.getLogger(__name__)


class Channel:
    """One open connection of a subscriber."""

    def __init__(self, subscriber: str) -> None:
        self.subscriber = subscriber
        self.waiting: asyncio.Queue[Report] = asyncio.Queue(WAITING)
        self.ended: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()

    def put(self, report: Report) -> None:
        """Send a report when those before it are sent."""
        try:
            self.waiting.put_nowait(report)
        except asyncio.QueueFull:
            self.end(
                status.WS_1008_POLICY_VIOLATION,
                f"the client left {WAITING} reports waiting; take them faster",
            )

    def end(self, code: int, why: str) -> None:
        """Close the connection, and tell the client why."""
        if not self.ended.done():
            self.ended.set_result((code, why))


class Channels:
    """The channels of this process, and while there are any, a task that reads what they are to be told."""

    def __init__(self, worklist: Worklist, subscriptions: Subscriptions, most: int) -> None:
        """Report on `worklist` to those who subscribed, on `most` channels at once."""
        self._worklist = worklist
        self._subscriptions = subscriptions
        self._most = most
        self._open: set[Channel] = set()
        self._told: set[str] = set()
        self._pump: asyncio.Task[None] | None = None
        self._opening = asyncio.Lock()

    async def serve(self, websocket: WebSocket, subscriber: str) -> None:
        """Accept a connection and report on it until one of the two sides closes it.

        Raises:
            NotNow: as many are open as may be.
            StorageError: the database does not answer.
        """
        channel = await self._join(subscriber)
        try:
            await websocket.accept()
            await self._report_until_closed(websocket, channel)
        finally:
            self._leave(channel)

    async def _join(self, subscriber: str) -> Channel:
        channel = Channel(subscriber)
        async with self._opening:
            if len(self._open) >= self._most:
                raise NotNow(
                    "too-many-channels", f"{self._most} channels are open, as many as may be; close one"
                )
            mine = (await run_in_threadpool(self._subscriptions.of, [subscriber]))[subscriber]
            if self._pump is None or self._pump.done():
                reader = await run_in_threadpool(EventReader, self._worklist.queue.store.engine)
                self._pump = asyncio.create_task(self._read(reader))
            self._open.add(channel)
        if mine and subscriber not in self._told:
            self._told.add(subscriber)
            channel.put(restarted())
        return channel

    def _leave(self, channel: Channel) -> None:
        self._open.discard(channel)
        if not self._open and self._pump is not None:
            self._pump.cancel()
            self._pump = None

    async def _report_until_closed(self, websocket: WebSocket, channel: Channel) -> None:
        sending = asyncio.ensure_future(self._send(websocket, channel))
        leaving = asyncio.ensure_future(_closed(websocket))
        ends: list[asyncio.Future[Any]] = [sending, leaving, channel.ended]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sending.cancel()
            leaving.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
        if channel.ended.done():
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):  # the client has left meanwhile
                await websocket.close(*channel.ended.result())

    async def _send(self, websocket: WebSocket, channel: Channel) -> None:
        numbers = itertools.cycle(range(1, MESSAGE_IDS + 1))
        try:
            while True:
                report = await channel.waiting.get()
                if isinstance(report, Dataset):
                    await websocket.send_text(_text(report, next(numbers)))
                    continue
                async for one in iterate_in_threadpool(self._every_state()):
                    await websocket.send_text(_text(one, next(numbers)))
        except NullSplatError as error:
            logger.warning("%s", error)
            channel.end(*MISSING)

    def _every_state(self) -> Iterator[Dataset]:
        for page in self._worklist.pages():
            for job, uid in page:
                if (report := report_of(job.state, job, uid)) is not None:
                    yield report

    async def _read(self, reader: EventReader) -> None:
        """Pass on what happens, until there is no channel, or it cannot be read."""
        try:
            while True:
                await asyncio.sleep(POLL)
                events = _without_old_progress(await run_in_threadpool(reader.new))
                # Those who are there now: whoever opened a channel before the events were read is among them.
                subscribers = {channel.subscriber for channel in self._open}
                for subscriber, report in await run_in_threadpool(self._reports, events, subscribers):
                    for channel in self._open:
                        if channel.subscriber == subscriber:
                            channel.put(report)
        except NullSplatError as error:
            logger.warning("event reports could not be read, and their channels are closed: %s", error)
        finally:
            for channel in self._open:
                channel.end(*MISSING)

    def _reports(self, events: list[JobEvent], subscribers: Collection[str]) -> list[tuple[str, Report]]:
        """What to tell whom. Jobs are read after the events: whoever has just subscribed is told the state that these led to."""
        if not events:
            return []
        subscriptions = self._subscriptions.of(subscribers)
        jobs = self._worklist.jobs({event.key for event in events})
        found: list[tuple[str, Report]] = []
        for event in events:
            if event.key == ALL:
                found += [(one, EVERY_STATE) for one in subscribers if one == event.subscriber]
            if event.key not in jobs:
                continue
            job, uid = jobs[event.key]
            report = report_of(job.state if event.what == SUBSCRIBED else event.what, job, uid)
            meant = [one for one in subscribers if event.subscriber in (None, one)]
            if report is not None:
                found += [(one, report) for one in meant if is_subscribed(subscriptions[one], job, uid)]
        return found


def _without_old_progress(events: list[JobEvent]) -> list[JobEvent]:
    """Without the progress of a job that went on since: a report tells the present one."""
    last = {event.key: event.number for event in events if event.what == PROGRESS}
    return [event for event in events if event.what != PROGRESS or last[event.key] == event.number]


def _text(report: Dataset, number: int) -> str:
    report.MessageID = number
    return json.dumps(report.to_json_dict())


async def _closed(websocket: WebSocket) -> None:
    """Wait for the client to go; what it says is not heard."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass

"""What a simulated course means for the people who wait: waits, shares in time, and how sure these are.

The share of results in time comes with an interval from batch means: the weeks are cut into batches of four, long against the
queue's memory, and their shares are taken as independent.
Source: Law, Simulation Modeling and Analysis, 2015, section 9.5.3.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy import stats

from nullsplat.planning.notation import WEEK
from nullsplat.planning.simulation import Course
from nullsplat.planning.site import Site, Stream
from nullsplat.planning.trace import Trace

BATCH = 4 * WEEK
CONFIDENCE = 0.95


@dataclass(frozen=True)
class InTime:
    """Share of the series whose result was there within the limit, and its interval."""

    share: float
    low: float
    high: float


@dataclass(frozen=True)
class StreamOutcome:
    """The series of one priority.

    Attributes:
        series: how many.
        wait: median, 95 % and longest wait in the queue, seconds; of a series that was never begun, its wait so far.
        result: median, 95 % and longest time from arrival (or from when its hours begin) to delivery, seconds; infinite for
            a series without result.
        in_time: None where there is no limit.
    """

    priority: str
    series: int
    wait: tuple[float, float, float]
    result: tuple[float, float, float]
    in_time: InTime | None


@dataclass(frozen=True)
class Outcome:
    """One number of workers.

    Attributes:
        use: share of their time in which workers work.
        given_up: series that were begun and have no result, but for those still under way at the end.
    """

    workers: int
    use: float
    given_up: int
    streams: tuple[StreamOutcome, ...]

    def meets(self, share: float) -> bool:
        """Whether each stream with a limit keeps it, as far as its interval can tell."""
        return all(stream.in_time.low >= share for stream in self.streams if stream.in_time is not None)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; infinite times are None."""
        plain = asdict(self)
        for stream in plain["streams"]:
            stream["result"] = [seconds if np.isfinite(seconds) else None for seconds in stream["result"]]
        return plain


def outcome_of(course: Course, trace: Trace, site: Site, workers: int) -> Outcome:
    """Sum up a course."""
    streams = tuple(
        _stream(course, trace, trace.stream == number, stream, site.jobs.around)
        for number, stream in enumerate(site.stream)
        if np.any(trace.stream == number)
    )
    gone = np.isfinite(course.began) & np.isnan(course.ended) & (trace.due < trace.seconds - WEEK)
    return Outcome(workers, course.busy / (workers * trace.seconds), int(gone.sum()), streams)


def soonest(trace: Trace, site: Site) -> dict[str, float]:
    """Share of each stream's series that would be in time if none ever waited: more workers cannot give more."""
    seconds = trace.stages.sum(axis=1) + site.jobs.around
    return {
        stream.priority: float(np.mean(seconds[trace.stream == number] <= stream.limit))
        for number, stream in enumerate(site.stream)
        if stream.limit is not None and np.any(trace.stream == number)
    }


def _stream(
    course: Course, trace: Trace, chosen: Bool[ndarray, "series"], stream: Stream, around: float
) -> StreamOutcome:
    due = trace.due[chosen]
    wait = np.where(np.isnan(course.began[chosen]), trace.seconds, course.began[chosen]) - due
    result = np.where(np.isnan(course.ended[chosen]), np.inf, course.ended[chosen] - due + around)
    in_time = None if stream.limit is None else _in_time(due, result, stream.limit, trace.seconds)
    return StreamOutcome(stream.priority, len(due), _spread(wait), _spread(result), in_time)


def _spread(seconds: Float[ndarray, "series"]) -> tuple[float, float, float]:
    # The next higher observation: between a finite and an infinite one nothing can be interpolated.
    median, late = np.quantile(seconds, (0.5, 0.95), method="higher")
    return float(median), float(late), float(seconds.max())


def _in_time(due: Float[ndarray, "n"], result: Float[ndarray, "n"], limit: float, seconds: float) -> InTime:
    known = due + limit <= seconds  # of the others nobody can say yet
    good, batch = result[known] <= limit, (due[known] // BATCH).astype(int)
    shares = np.array([good[batch == one].mean() for one in np.unique(batch)])
    share = float(good.mean()) if len(good) else 0.0
    if len(shares) < 2:
        return InTime(share, 0.0, 1.0)
    half = stats.t.ppf(0.5 + CONFIDENCE / 2, len(shares) - 1) * shares.std(ddof=1) / np.sqrt(len(shares))
    return InTime(share, max(0.0, share - float(half)), min(1.0, share + float(half)))

"""The series of some simulated years: when each arrives, when it may be submitted, what its stages take."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from nullsplat.planning.job_times import JobTimes
from nullsplat.planning.notation import HOUR
from nullsplat.planning.site import Site

WEEKS = 52
HOURS_A_WEEK = 7 * 24


@dataclass(frozen=True)
class Trace:
    """Series in the order in which they are submitted; the same for every number of workers that is tried.

    Attributes:
        due: seconds from the beginning to when each is submitted: its arrival, or when its hours begin.
        stream: which of the site's streams each belongs to.
        stages: seconds of the stages of each.
        luck: a number in [0, 1) for each, which decides whether its first attempt fails.
        seconds: what all of it lasts.
    """

    due: Float[ndarray, "series"]
    stream: Int[ndarray, "series"]
    stages: Float[ndarray, "series stages"]
    luck: Float[ndarray, "series"]
    seconds: float

    @property
    def load(self) -> float:
        """Workers that would be busy all the time, were the work spread evenly."""
        return float(self.stages.sum() / self.seconds)


def make_trace(site: Site, times: JobTimes, years: int, seed: int) -> Trace:
    """Draw the series: a Poisson process of studies whose rate follows weekday and hour."""
    random = np.random.default_rng(seed)
    arrival = np.repeat(_arrivals(site, years, random), site.series_per_study)
    shares = [stream.share for stream in site.stream]
    stream = random.choice(len(shares), size=len(arrival), p=np.array(shares) / sum(shares))
    due = _submitted(site, stream, arrival)
    order = np.argsort(due, kind="stable")
    stages = times.draw(len(arrival), random)
    return Trace(
        due[order], stream[order], stages, random.random(len(arrival)), years * WEEKS * HOURS_A_WEEK * HOUR
    )


def _submitted(
    site: Site, stream: Int[ndarray, "series"], arrival: Float[ndarray, "series"]
) -> Float[ndarray, "series"]:
    due = arrival.copy()
    for number, window in enumerate(one.window for one in site.stream):
        if window is not None:
            chosen = stream == number
            due[chosen] = [window.opens(moment) for moment in arrival[chosen]]
    return due


def _arrivals(site: Site, years: int, random: np.random.Generator) -> Float[ndarray, "studies"]:
    hours = np.array(site.hours) / sum(site.hours)
    rates = np.outer(site.weekdays, hours).ravel() * site.series_per_day / site.series_per_study
    counts = random.poisson(np.tile(rates, years * WEEKS))
    begins = np.repeat(np.arange(len(counts)) * HOUR, counts)
    return np.sort(begins + random.random(len(begins)) * HOUR)

"""The engine's metrics in Prometheus' text format. Every label's value comes from a closed set of our own."""

import platform
import shutil
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from nullsplat import __version__
from nullsplat.service.api.job_statistics import job_figures
from nullsplat.service.database.job_counts import Histogram
from nullsplat.service.queue.worker_status import WorkerFacts, WorkerStatus
from nullsplat.service.queue.workers import LOST_AFTER, Registry

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
FRESH = 1.0
"""Seconds for which an answer is cached."""


class Metrics(Collector):
    """The answer of /metrics. All of it comes from the database, so it holds for any number of workers and APIs."""

    def __init__(self, engine: sa.Engine, spool: Path, lost_after: float = LOST_AFTER) -> None:
        self._engine = engine
        self._workers = Registry(engine, lost_after)
        self._spool = spool
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._lock = threading.Lock()
        self._text = b""
        self._asked = -FRESH

    def text(self) -> bytes:
        """All metrics, at most a second old.

        Raises:
            StorageError: the database does not answer.
        """
        with self._lock:
            if time.monotonic() - self._asked >= FRESH:
                self._text = generate_latest(self._registry)
                self._asked = time.monotonic()
            return self._text

    def collect(self) -> Iterator[Metric]:
        """The collector for prometheus_client."""
        build = {"version": __version__, "contract": "1", "python": platform.python_version()}
        yield InfoMetricFamily("nullsplat_build", "What is running.", build)
        yield from self._jobs()
        alive = self._workers.alive()
        yield GaugeMetricFamily("nullsplat_workers_alive", "Live workers.", len(alive))
        yield from _workers(WorkerStatus(self._engine).of(alive))
        disk = shutil.disk_usage(self._spool)
        yield GaugeMetricFamily(
            "nullsplat_spool_free_bytes", "Free space on the disk of the API's spool.", disk.free
        )
        yield GaugeMetricFamily(
            "nullsplat_spool_size_bytes", "Size of the disk of the API's spool.", disk.total
        )

    def _jobs(self) -> Iterator[Metric]:
        figures = job_figures(self._engine)
        yield _gauge("nullsplat_jobs", "Jobs by state.", "state", figures.states)
        yield _gauge("nullsplat_queue_length", "Queued jobs by priority.", "priority", figures.priorities)
        yield GaugeMetricFamily(
            "nullsplat_oldest_queued_seconds",
            "Age of the job that has been queued for longest, 0 when none is.",
            figures.oldest,
        )
        failures = CounterMetricFamily(
            "nullsplat_job_failures", "Failed jobs by reason: the code of the error.", labels=["reason"]
        )
        for reason, count in sorted(figures.failures.items()):
            failures.add_metric([reason], count)
        yield failures
        yield _histogram(
            "nullsplat_stage_seconds", "Seconds of each stage that was done.", figures.tallied.stages
        )
        whole = HistogramMetricFamily(
            "nullsplat_job_seconds", "Seconds from the request to the end of the jobs that succeeded."
        )
        whole.add_metric([], figures.tallied.whole.buckets(), figures.tallied.whole.total)
        yield whole


def _gauge(name: str, meaning: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family


def _histogram(name: str, meaning: str, stages: Mapping[str, Histogram]) -> Metric:
    family = HistogramMetricFamily(name, meaning, labels=["stage"])
    for stage, seconds in stages.items():
        family.add_metric([stage], seconds.buckets(), seconds.total)
    return family


def _workers(facts: Mapping[str, WorkerFacts]) -> Iterable[Metric]:
    free, size, used, memory = (
        GaugeMetricFamily(f"nullsplat_worker_{name}", meaning, labels=labels)
        for name, meaning, labels in (
            ("spool_free_bytes", "Free space on the disk of a worker's spool.", ["worker"]),
            ("spool_size_bytes", "Size of the disk of a worker's spool.", ["worker"]),
            ("gpu_memory_used_bytes", "Memory in use on a worker's GPU.", ["worker", "gpu"]),
            ("gpu_memory_size_bytes", "Memory of a worker's GPU.", ["worker", "gpu"]),
        )
    )
    for worker, known in sorted(facts.items()):
        free.add_metric([worker], known.spool_free)
        size.add_metric([worker], known.spool_size)
        if known.gpu:
            used.add_metric([worker, known.gpu], known.gpu_used)
            memory.add_metric([worker, known.gpu], known.gpu_size)
    return free, size, used, memory

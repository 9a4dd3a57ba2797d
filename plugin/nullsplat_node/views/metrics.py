# SPDX-License-Identifier: AGPL-3.0-or-later
"""The node's metrics in Prometheus' text format.

Labels hold only our own states and codes, and the names of configured destinations: never patient
data, UIDs or error messages.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Dict, Iterable, Optional, Tuple

from nullsplat_node import __version__
from nullsplat_node.lifecycle.census import Counts
from nullsplat_node.lifecycle.reasons import FAILURES, reason_of
from nullsplat_node.lifecycle.routing import PHASES as ROUTE_PHASES
from nullsplat_node.lifecycle.state import FAILED, INELIGIBLE, PHASES
from nullsplat_node.series.refusal import TITLES

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Labels = Tuple[Tuple[str, str], ...]
Samples = Iterable[Tuple[Labels, float]]


@dataclass(frozen=True)
class Figures:
    """The data behind the metrics.

    Attributes:
        counts: of all series.
        destinations: names of those that results are sent to.
        reachable: whether the last contact with the engine went well.
        last_scan: when the whole archive was last scanned, seconds since the epoch; None before the first time.
        now: seconds since the epoch.
    """

    counts: Counts
    destinations: Tuple[str, ...]
    reachable: bool
    last_scan: Optional[float]
    now: float


def exposition(figures: Figures) -> str:
    """Return all metrics as text."""
    counts = figures.counts
    families = (
        _family("nullsplat_node_build_info", "What is running.", [((("version", __version__),), 1)]),
        _family("nullsplat_node_series", "Series by state.", _by_state(counts)),
        _family(
            "nullsplat_node_refusals",
            "Series that are not taken, by reason.",
            _by_reason(counts, INELIGIBLE, frozenset(TITLES)),
        ),
        _family(
            "nullsplat_node_failures", "Series that failed, by reason.", _by_reason(counts, FAILED, FAILURES)
        ),
        _family(
            "nullsplat_node_routes",
            "Results on their way, by destination and state.",
            _routes(counts, figures.destinations),
        ),
        _family(
            "nullsplat_node_oldest_pending_seconds",
            "How long the longest-waiting series has been without confirmation by the engine; 0 when there is none.",
            [((), _oldest_pending(counts, figures.now))],
        ),
        _family(
            "nullsplat_node_engine_reachable",
            "1 when the last contact with the engine went well, else 0.",
            [((), float(figures.reachable))],
        ),
        _family(
            "nullsplat_node_last_reconciliation_timestamp_seconds",
            "When the whole archive was last scanned, in seconds since 1970; 0 before the first scan.",
            [((), figures.last_scan or 0.0)],
        ),
    )
    return "".join(families)


def _by_state(counts: Counts) -> Samples:
    return [((("state", phase),), counts.phases.get(phase, 0)) for phase in PHASES]


def _by_reason(counts: Counts, phase: str, known: "frozenset[str]") -> Samples:
    found: "Counter[str]" = Counter()
    for (state, code), count in counts.reasons.items():
        if state == phase:
            found[reason_of(code, known)] += count
    return [((("reason", reason),), count) for reason, count in sorted(found.items())]


def _routes(counts: Counts, destinations: Tuple[str, ...]) -> Samples:
    found: "Counter[Tuple[str, str]]" = Counter()
    for (destination, phase), count in counts.routes.items():
        found[_destination(destination), phase] += count
    names = sorted({*map(_destination, destinations), *(name for name, _ in found)})
    pairs = [(name, phase) for name in names for phase in sorted(ROUTE_PHASES)]
    return [((("destination", name), ("state", phase)), found[name, phase]) for name, phase in pairs]


def _destination(name: str) -> str:
    """Return the name out of Orthanc's configuration, cleaned and shortened if need be."""
    return re.sub(r"[^ -~]", "?", name)[:64]


def _oldest_pending(counts: Counts, now: float) -> float:
    return 0.0 if counts.pending_since is None else max(0.0, now - counts.pending_since)


def _family(name: str, meaning: str, samples: Samples) -> str:
    lines = [f"# HELP {name} {meaning}", f"# TYPE {name} gauge"]
    lines += [f"{name}{_labels(dict(labels))} {value:.17g}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _labels(labels: Dict[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

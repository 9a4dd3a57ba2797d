# SPDX-License-Identifier: AGPL-3.0-or-later
"""The codes that a metric's label or an audit line may contain; any other becomes `other`."""

from __future__ import annotations

from typing import FrozenSet

from nullsplat_node.series.refusal import TITLES

OTHER = "other"
"""Stands for an unknown code."""
FAILURES = frozenset(
    {*TITLES, "archive", "bad-request", "cancelled", "configuration", "database-damaged", "geometry", "input", "internal", "mixed-runs",
     "mixed-series", "mixed-study", "duplicate-instances",
     "values-beyond-bits-stored", "no-worker", "not-finite", "not-found", "result-missing", "source-changed", "state-unreadable",
     "stage-timeout", "storage", "store-refused", "timeout", "too-large", "too-many-requests", "unreadable-file", "unsupported-transfer-syntax", "weights",
     "worker-lost", "wrong-key"}
)  # fmt: skip
"""Codes of failures: the engine's, those of a series that changed, and our own."""


def reason_of(code: str, known: FrozenSet[str]) -> str:
    """Return the code itself if it is one of `known`, else `OTHER`."""
    return code if code in known else OTHER

# SPDX-License-Identifier: AGPL-3.0-or-later
"""Transfer syntaxes that the engine reads; docs/conformance.md lists them with their names, and a test compares both."""

from __future__ import annotations

READABLE_SYNTAXES = frozenset(
    "1.2.840.10008.1.2" + ending
    for ending in (
        "", ".1", ".1.99", ".2", ".4.50", ".4.51", ".4.57", ".4.70", ".4.80", ".4.81", ".4.90", ".4.91", ".4.201", ".4.202",
        ".4.203", ".5",
    )
)  # fmt: skip

# SPDX-License-Identifier: AGPL-3.0-or-later
"""Dependencies shared by everything that acts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from nullsplat_node.archive.archive import Archive
from nullsplat_node.archive.state_store import StateStore
from nullsplat_node.engine.link import EngineLink
from nullsplat_node.settings import Settings


@dataclass(frozen=True)
class Log:
    """Where the plugin writes what happens; only identifiers and hashes, never patient data."""

    warning: Callable[[str], None]
    error: Callable[[str], None]


@dataclass(frozen=True)
class Parts:
    """The archive, the engine, the states, and how to deal with them.

    Attributes:
        clock: seconds since the epoch.
    """

    archive: Archive
    engine: EngineLink
    store: StateStore
    settings: Settings
    clock: Callable[[], float]
    log: Log

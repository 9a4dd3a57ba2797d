"""Memory of a GPU is asked for where something computes with torch, and torch is not imported for the question."""

import sys
from types import SimpleNamespace

import pytest

from nullsplat.core.measure import Stopwatch


def test_the_gpus_peak_counts_from_the_start_on(monkeypatch: pytest.MonkeyPatch) -> None:
    resets: list[bool] = []
    cuda = SimpleNamespace(
        is_available=lambda: True,
        reset_peak_memory_stats=lambda: resets.append(True),
        max_memory_allocated=lambda: 3 * 2**20 * len(resets),
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    with Stopwatch() as cost:
        pass
    assert cost.peak_gpu_memory_mib == 3


def test_a_process_without_torch_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    with Stopwatch() as cost:
        pass
    assert cost.peak_gpu_memory_mib == 0
    assert cost.peak_memory_mib > 0
    assert "torch" not in sys.modules

"""Every code that a failure of a job can carry: the error classes' own, and the reader's refusals.

A label of a metric must come from a closed set; whatever is not in this one is counted as `other`.
"""

from collections.abc import Iterator

from nullsplat.core.errors import NullSplatError
from nullsplat.dicom.refusals import Refusal
from nullsplat.service.worker import store  # noqa: F401 - so that their errors are known

WORKER_LOST = "worker-lost"
"""Code of a job that was given up because it took its worker down too often."""
OTHER = "other"
NOT_OF_JOBS = ("nullsplat.node.", "nullsplat.demo.", "nullsplat.cli.")
"""Where errors live that no job can meet; they are loaded in some processes only."""


def known_reasons() -> frozenset[str]:
    """All codes."""
    return frozenset({*(kind.code for kind in _tree(NullSplatError)), *Refusal, WORKER_LOST})


def reason_of(code: object, known: frozenset[str]) -> str:
    """The code itself if it is one of `known`, else `OTHER`."""
    return str(code) if code in known else OTHER


def _tree(root: type[NullSplatError]) -> Iterator[type[NullSplatError]]:
    yield root
    for kind in root.__subclasses__():
        if not kind.__module__.startswith(NOT_OF_JOBS):
            yield from _tree(kind)

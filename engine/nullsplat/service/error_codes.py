"""Every code that a failure of a job can carry: the error classes' own, and the reader's refusals.

A label of a metric must come from a closed set; whatever is not in this one is counted as `other`.
"""

from collections.abc import Iterator

from nullsplat.core import errors
from nullsplat.dicom.refusals import Refusal

WORKER_LOST = "worker-lost"
"""Code of a job that was given up because its worker was lost too often."""
OTHER = "other"


def known_reasons() -> frozenset[str]:
    """All codes."""
    return frozenset({*(kind.code for kind in _tree(errors.NullSplatError)), *Refusal, WORKER_LOST})


def reason_of(code: object, known: frozenset[str]) -> str:
    """The code itself if it is one of `known`, else `OTHER`."""
    return str(code) if code in known else OTHER


def _tree(root: type[errors.NullSplatError]) -> Iterator[type[errors.NullSplatError]]:
    """An error and those below it; errors of other modules are loaded in some processes only, and no job meets them."""
    yield root
    for kind in root.__subclasses__():
        if kind.__module__ == errors.__name__:
            yield from _tree(kind)

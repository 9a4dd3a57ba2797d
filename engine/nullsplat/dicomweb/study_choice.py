"""Which studies of an archive to take radiographs from: spread over patients rather than many of a few."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, zip_longest

from nullsplat.dicomweb.radiographs import Study

LISTED_PER_CHOSEN = 20
"""Studies looked at for each one that is chosen, at most: in a list of a million the next patient may be far away."""


def choose(listings: Sequence[Iterable[Study]], count: int) -> list[Study]:
    """Up to `count` studies: a first one of each patient, then second ones, and so on.

    Args:
        listings: the studies of each modality, asked in turn for no more than is needed.
        count: studies wanted.
    """
    by_patient: dict[str, dict[str, Study]] = {}
    for study in islice(_in_turn(listings), LISTED_PER_CHOSEN * count):
        by_patient.setdefault(study.patient or study.uid, {})[study.uid] = study
        if len(by_patient) == count:
            break
    return list(islice(_in_turn([studies.values() for studies in by_patient.values()]), count))


def _in_turn(listings: Sequence[Iterable[Study]]) -> Iterator[Study]:
    return (study for study in chain.from_iterable(zip_longest(*listings)) if study is not None)

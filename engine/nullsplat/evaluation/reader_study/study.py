"""A blinded comparison of methods by human readers: what they get, and the key that they do not get.

On disk::

    OUT/reading/             hand this to the readers, and nothing else
        HOW-TO-READ.txt
        scores.csv
        case-01/A/00001.dcm ...
    OUT/key.json, key.csv    keep these: they say which reading is which method
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nullsplat.core.errors import ConfigurationError, GeometryError
from nullsplat.core.files import make_folder
from nullsplat.core.volume import Volume
from nullsplat.dicom.read.pixels import stored_values
from nullsplat.dicom.write.blinded_copy import ReadingCopy, set_same_time, write_reading_copy
from nullsplat.evaluation.reader_study.key import BlindedCase, Key, draw_key, write_key
from nullsplat.evaluation.reader_study.sheet import write_empty_sheet

READING_FOLDER = "reading"


@dataclass(frozen=True)
class Study:
    """A reader study on disk.

    Attributes:
        reading: the folder for the readers.
        key_files: JSON and CSV, for the study's leader.
        key: what they hold.
    """

    reading: Path
    key_files: tuple[Path, Path]
    key: Key


def write_study(
    cases: Iterable[Mapping[str, Volume]],
    sources: Sequence[str],
    methods: Sequence[str],
    folder: Path,
    seed: int,
) -> Study:
    """Write the volumes as anonymous DICOM series in an order that tells nothing; the same seed gives the same files.

    Cases are taken one at a time, so that only one is in memory.

    Args:
        cases: for each case, the volume of each method, in HU; all of one case on the same grid.
        sources: a name for each case, which only the key holds.
        methods: 2 to 5 names; every case must have a volume of each.
        folder: new or empty.
        seed: of the orders. Readers must not know it.
    Raises:
        ConfigurationError: the folder holds files, or cases, sources and methods do not fit together.
        GeometryError: the grids within a case differ, which would tell the methods apart.
        StorageError: the folder cannot be written.
    """
    key = draw_key(sources, methods, seed)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigurationError(
            f"a reader study needs a new or empty folder, {folder} holds something; choose another"
        )
    reading = folder / READING_FOLDER
    make_folder(reading)
    places = {case.source: case for case in key.cases}
    for source, volumes in _all_of(cases, len(sources)):
        _check_case(sources[source], volumes, methods)
        _write_case(volumes, places[source], reading / case_folder(places[source].number), seed)
    write_empty_sheet(key, reading)
    return Study(reading, write_key(key, folder), key)


def case_folder(number: int) -> str:
    """Name of a case's folder; each reading is a folder in it."""
    return f"case-{number:02d}"


def _write_case(volumes: Mapping[str, Volume], case: BlindedCase, folder: Path, seed: int) -> None:
    study = _identity(volumes, seed)
    for letter, method in case.readings.items():
        write_reading_copy(volumes[method], folder / letter, ReadingCopy(study, case.number, letter))
    set_same_time(folder)


def _identity(volumes: Mapping[str, Volume], seed: int) -> str:
    """Tells studies of other volumes apart, so that no UID is ever used for two different images.

    The volumes' digests are sorted, so that it does not depend on which of them is which method's.
    """
    digests = sorted(
        hashlib.sha256(b"".join(stored_values(plane).tobytes() for plane in volume.hu)).hexdigest()
        for volume in volumes.values()
    )
    geometry = next(iter(volumes.values())).geometry
    return hashlib.sha256(repr((seed, digests, geometry)).encode()).hexdigest()


def _all_of(cases: Iterable[Mapping[str, Volume]], count: int) -> Iterator[tuple[int, Mapping[str, Volume]]]:
    """The cases with their positions; exactly `count` of them."""
    taken = 0
    for position, volumes in enumerate(cases):
        taken = position + 1
        if taken > count:
            break
        yield position, volumes
    if taken != count:
        raise ConfigurationError(
            f"there must be one case for each of the {count} sources, got {'more' if taken > count else taken}"
        )


def _check_case(source: str, volumes: Mapping[str, Volume], methods: Sequence[str]) -> None:
    missing = [method for method in methods if method not in volumes]
    if missing:
        raise ConfigurationError(
            f"{source} must have a volume of each of {', '.join(methods)}; {', '.join(missing)} is missing"
        )
    grids = {volumes[method].geometry for method in methods}
    if len(grids) > 1:
        raise GeometryError(
            f"all readings of {source} must lie on one grid, or it tells the methods apart; got "
            f"{', '.join(sorted(f'{g.shape} voxels of {g.spacing} mm at {g.origin}' for g in grids))}"
        )

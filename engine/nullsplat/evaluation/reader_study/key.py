"""Which reading of a blinded study is which method: drawn from a seed, kept in a key that readers never see."""

import csv
import io
import itertools
import json
import os
import string
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nullsplat.core.errors import ConfigurationError, StorageError, UnreadableFile
from nullsplat.core.seeds import numpy_generator

FORMAT = "nullsplat-reader-key-1"
MOST_METHODS = 5
"""More than five readings of a case side by side are hard to rank, and have more orders than a study has cases."""


@dataclass(frozen=True)
class BlindedCase:
    """One case of the study.

    Attributes:
        number: from 1, as readers see it.
        source: position from 0 among the cases as they were handed in.
        methods: by reading: the first is reading A.
    """

    number: int
    source: int
    methods: tuple[str, ...]

    @property
    def readings(self) -> dict[str, str]:
        """Letter to method."""
        return dict(zip(string.ascii_uppercase, self.methods, strict=False))


@dataclass(frozen=True)
class Key:
    """What unblinds a study.

    Attributes:
        seed: what the orders were drawn from.
        methods: as they were asked for.
        sources: names of the cases as they were handed in; empty until they are known.
        cases: by number.
    """

    seed: int
    methods: tuple[str, ...]
    sources: tuple[str, ...]
    cases: tuple[BlindedCase, ...]

    def method(self, case: int, reading: str) -> str:
        """The method behind a reading.

        Raises:
            ConfigurationError: the study has no such reading.
        """
        for blinded in self.cases:
            if blinded.number == case and reading in blinded.readings:
                return blinded.readings[reading]
        raise ConfigurationError(
            f"the key has no reading {reading!r} of case {case}; take the key of the same study"
        )


def draw_key(sources: Sequence[str], methods: Sequence[str], seed: int) -> Key:
    """Shuffle the cases, and within each the methods, so that every order of methods comes equally often.

    Orders are drawn in rounds of all that there are: after each full round every method has been reading A, B and so on
    in equally many cases.

    Args:
        sources: names of the cases.
        methods: 2 to 5 different names.
        seed: the same one gives the same key. Who knows it can unblind the study.
    Raises:
        ConfigurationError: no case, or methods that cannot be compared.
    """
    if not sources:
        raise ConfigurationError("a reader study needs at least one case, got none")
    if len(set(methods)) != len(methods) or not 2 <= len(methods) <= MOST_METHODS:
        raise ConfigurationError(
            f"a reader study compares 2 to {MOST_METHODS} different methods, got {', '.join(methods) or 'none'}"
        )
    generator = numpy_generator(seed, "reader study")
    places = generator.permutation(len(sources))
    orders = list(itertools.permutations(sorted(methods)))
    rounds = [generator.permutation(len(orders)) for _ in range(-(-len(sources) // len(orders)))]
    drawn = [orders[i] for one in rounds for i in one]
    cases = (BlindedCase(n + 1, int(place), drawn[n]) for n, place in enumerate(places))
    return Key(seed, tuple(methods), tuple(sources), tuple(cases))


def write_key(key: Key, folder: Path) -> tuple[Path, Path]:
    """Write `key.json` and `key.csv`, which only their owner may read.

    Raises:
        StorageError: the folder cannot be written.
    """
    paths = folder / "key.json", folder / "key.csv"
    _write_secret(paths[0], json.dumps({"format": FORMAT, **asdict(key)}, indent=2) + "\n")
    _write_secret(paths[1], _as_csv(key))
    return paths


def read_key(path: Path) -> Key:
    """Read the `key.json` of a study.

    Raises:
        UnreadableFile: it is not there, or is something else.
    """
    try:
        content = json.loads(path.read_text())
        if content["format"] != FORMAT:
            raise UnreadableFile(f"{path.name} must be a key of format {FORMAT}, got {content['format']!r}")
        cases = tuple(
            BlindedCase(case["number"], case["source"], tuple(case["methods"])) for case in content["cases"]
        )
        return Key(content["seed"], tuple(content["methods"]), tuple(content["sources"]), cases)
    except OSError as error:
        raise UnreadableFile(f"the key {path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableFile(
            f"{path.name} must be the key.json of a reader study, it holds something else"
        ) from error


def _as_csv(key: Key) -> str:
    text = io.StringIO()
    writer: Any = csv.writer(text, lineterminator="\n")
    writer.writerow(("case", "reading", "method", "source"))
    for case in key.cases:
        for letter, method in case.readings.items():
            writer.writerow((case.number, letter, method, key.sources[case.source]))
    return text.getvalue()


def _write_secret(path: Path, content: str) -> None:
    """The file has its mode from the start: at no time can anybody else open it."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(content)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error.strerror}; free space or choose another folder"
        ) from error

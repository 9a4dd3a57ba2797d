"""Search Workitems (PS3.18, 11.9): which workitems are meant, and which of their attributes are wanted."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydicom.datadict import dictionary_has_tag, dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from nullsplat.core.errors import InputError
from nullsplat.service.worklist.moments import moment, span

MOST = 100
"""Workitems in one answer."""
PERFORMED = 0x00741216
"""Unified Procedure Step Performed Procedure Sequence: it names every instance of the result, so it is given on request only."""

_LITERAL = ("UI", "CS")
Path = tuple[int, ...]


@dataclass(frozen=True)
class Key:
    """A matching key.

    Attributes:
        path: tags from the outermost sequence to the attribute.
        wanted: value, list, range or pattern.
    """

    path: Path
    wanted: str

    def accepts(self, dataset: Dataset) -> bool:
        """Whether a data set matches."""
        return not self.wanted.strip("*") or self._among(dataset, self.path)

    def _among(self, dataset: Dataset, path: Path) -> bool:
        element = dataset.get(path[0])
        if element is None or element.is_empty:
            return False
        if len(path) > 1:
            return any(self._among(item, path[1:]) for item in element.value)
        return _matches(element, self.wanted)


@dataclass(frozen=True)
class Query:
    """A search.

    Attributes:
        keys: all must match.
        fields: attributes that are wanted beside the usual ones; None for all.
        limit: how many workitems at most.
        offset: how many that match are left out before the first.
    """

    keys: tuple[Key, ...]
    fields: frozenset[int] | None
    limit: int
    offset: int

    def accepts(self, dataset: Dataset) -> bool:
        """Whether a workitem is meant."""
        return all(key.accepts(dataset) for key in self.keys)

    @property
    def performed(self) -> bool:
        """Whether it is about what was performed, too."""
        asked = {key.path[0] for key in self.keys} | (self.fields or set())
        return self.fields is None or PERFORMED in asked


def query_in(parameters: Iterable[tuple[str, str]]) -> Query:
    """The query of a URL.

    Raises:
        InputError: an attribute is unknown or given twice, or a value is malformed.
    """
    keys: dict[Path, Key] = {}
    fields: set[int] = set()
    everything, bounds = False, {"limit": MOST, "offset": 0}
    for name, value in parameters:
        if name in bounds:
            bounds[name] = _count(name, value)
        elif name == "includefield":
            names = value.split(",")
            everything |= "all" in names
            fields |= {_path(one)[0] for one in names if one != "all"}
        elif name != "fuzzymatching":
            path = _path(name)
            if path in keys:
                raise InputError(f"{_keyword(name)} must be there once; separate several UIDs by commas")
            keys[path] = _key(path, value)
    limit = min(bounds["limit"], MOST)
    return Query(tuple(keys.values()), None if everything else frozenset(fields), limit, bounds["offset"])


def _key(path: Path, wanted: str) -> Key:
    if dictionary_VR(path[-1]) == "SQ" and wanted:
        raise InputError(
            "a sequence must be followed by a full stop and one of its attributes, or have no value"
        )
    if dictionary_VR(path[-1]) == "DT" and wanted.strip("*"):
        span(wanted)
    return Key(path, wanted)


def _count(name: str, value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", value):
        raise InputError(f"{name} must be a number that is not negative")
    return int(value)


def _path(name: str) -> Path:
    path = tuple(_tag(part) for part in name.split("."))
    if any(dictionary_VR(tag) != "SQ" for tag in path[:-1]):
        raise InputError(f"{_keyword(name)} must have sequences before each full stop")
    return path


def _tag(name: str) -> int:
    tag = int(name, 16) if re.fullmatch(r"[0-9A-Fa-f]{8}", name) else tag_for_keyword(name)
    if not name or tag is None or not dictionary_has_tag(tag):
        raise InputError(f"{_keyword(name)} must be a keyword or tag of the data dictionary (PS3.6)")
    return tag


def _keyword(name: str) -> str:
    """A parameter's name for a message; what cannot be one is not repeated."""
    return name if re.fullmatch(r"[A-Za-z0-9.]{1,100}", name) else "a parameter's name"


def _matches(element: DataElement, wanted: str) -> bool:
    values = element.value if element.VM > 1 else [element.value]
    return any(_alike(element.VR, value, wanted) for value in values)


def _alike(vr: str, value: Any, wanted: str) -> bool:
    if vr == "DT":
        begin, end = span(wanted)
        return begin <= moment(str(value)) < end
    if vr in _LITERAL and not re.search(r"[*?]", wanted):
        return str(value) in re.split(r"[,\\]", wanted)
    pattern = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in wanted)
    return re.fullmatch(pattern, str(value), re.DOTALL) is not None

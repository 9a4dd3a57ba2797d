"""What a row of the table of verdicts is, and the edits that rows are made of."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from tests.support.dicom.series import Spec, make_series

from nullsplat.dicom.headers import quiet_pydicom

Series = list[Dataset]
Edit = Callable[[Series], Series | None]
"""Changes the series in place, or gives another one."""

TAKEN = "taken"
GOOD = Spec(shape=(6, 8, 8), spacing=(5.0, 0.7, 0.7))


@dataclass(frozen=True)
class Row:
    """A good series after edits, and what either side makes of it.

    Attributes:
        name: what was done to the series; also where its UIDs come from.
        engine, plugin: `taken`, or the code of the refusal.
        edits: in their order.
        spec: of the series before the edits.
        why: the reason for which the two verdicts differ; empty where they agree.
    """

    name: str
    engine: str
    plugin: str
    edits: tuple[Edit, ...]
    spec: Spec
    why: str

    def series(self) -> Series:
        """The edited series, with UIDs of its own."""
        with quiet_pydicom():
            made = make_series(replace(self.spec, uid=self.name))
            for edit in self.edits:
                changed = edit(made)
                made = made if changed is None else changed
        return made


def row(
    name: str, verdict: str, *edits: Edit, spec: Spec = GOOD, plugin: str | None = None, why: str = ""
) -> Row:
    """A row; `plugin` only where its verdict is another than the engine's, with the reason `why`."""
    return Row(name, verdict, verdict if plugin is None else plugin, edits, spec, why)


def every(**attributes: object) -> Edit:
    """Set attributes of every slice."""
    return some(range(10_000), **attributes)


def some(which: range | tuple[int, ...], **attributes: object) -> Edit:
    """Set attributes of the slices with these numbers, from 0."""

    def edit(series: Series) -> None:
        for index, dataset in enumerate(series):
            if index in which:
                for keyword, value in attributes.items():
                    setattr(dataset, keyword, value)

    return edit


def odd(**attributes: object) -> Edit:
    """Set attributes of every other slice."""
    return some(range(1, 10_000, 2), **attributes)


def upper(**attributes: object) -> Edit:
    """Set attributes of the upper half."""
    return some(range(3, 10_000), **attributes)


def each(keyword: str, value: Callable[[int], object]) -> Edit:
    """Set an attribute of every slice to what its number gives."""

    def edit(series: Series) -> None:
        for index, dataset in enumerate(series):
            setattr(dataset, keyword, value(index))

    return edit


def without(*keywords: str, which: range = range(10_000)) -> Edit:
    """Delete attributes of some slices, of all by default."""

    def edit(series: Series) -> None:
        for index, dataset in enumerate(series):
            for keyword in keywords if index in which else ():
                delattr(dataset, keyword)

    return edit


def raw(keyword: str, vr: str, value: bytes, which: range = range(10_000)) -> Edit:
    """Set an attribute to bytes as they would stand in a file, whatever they mean."""
    padded = value + b" " * (len(value) % 2)

    def edit(series: Series) -> None:
        for index, dataset in enumerate(series):
            if index in which:
                element = RawDataElement(Tag(keyword), vr, len(padded), padded, 0, False, True, True)
                dataset[Tag(keyword)] = element

    return edit


def syntax(uid: str, encapsulated: bool = False, which: range = range(10_000)) -> Edit:
    """Say that the pixels are in another transfer syntax than they are."""

    def edit(series: Series) -> None:
        for dataset in series[which.start : which.stop]:
            dataset.file_meta.TransferSyntaxUID = uid
            if encapsulated:
                dataset.PixelData = encapsulate([dataset.PixelData])
                dataset["PixelData"].is_undefined_length = True

    return edit


def at(position: Callable[[int], tuple[float, float, float]]) -> Edit:
    """Put every slice where its number gives, mm."""
    return each("ImagePositionPatient", lambda index: list(position(index)))


def up(z: Callable[[int], float]) -> Edit:
    """Put every slice at this height, mm."""
    return at(lambda index: (-100.0, -90.0, z(index)))


def kept(which: Callable[[int], bool]) -> Edit:
    """Keep only some slices."""
    return lambda series: [dataset for index, dataset in enumerate(series) if which(index)]


def then(other: Callable[[Series], Series]) -> Edit:
    """Add further instances, made of the series."""
    return lambda series: [*series, *other(series)]


def sequence(**attributes: object) -> Sequence:
    """A sequence of one item."""
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return Sequence([item])

"""Which images of a folder are the slices to work on, and what is said of those left out.

A folder exported from an archive often holds a whole study, and a series often its scout or a dose page. Neither hides
the scan: what no slice can be is left out and named, and only where several scans remain must a person choose.
"""

from collections.abc import Sequence
from pathlib import Path

from pydicom.dataset import Dataset

from nullsplat.core.errors import ConfigurationError
from nullsplat.dicom.headers import number, required_uid, text, words
from nullsplat.dicom.refusals import Refusal, refuse

_COMPANIONS = (
    "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture, also of several frames: dose pages
    "1.2.840.10008.5.1.4.1.1.11.",  # presentation states
    "1.2.840.10008.5.1.4.1.1.66",  # raw data, registrations, segmentations
    "1.2.840.10008.5.1.4.1.1.88.",  # structured reports: radiation dose, key objects
)
"""Beginnings of the storage classes that accompany a scan and hold no slice of it."""

Pair = tuple[Path, Dataset]


def accompanies(header: Dataset) -> bool:
    """Whether this is a scout, a page or a report: something that a scan comes with and that is no slice."""
    sop_class = text(header, "SOPClassUID")
    is_page = any(sop_class == stem or sop_class.startswith(_dotted(stem)) for stem in _COMPANIONS)
    return is_page or "LOCALIZER" in words(header, "ImageType")


def slices_among(headers: Sequence[Dataset]) -> list[int]:
    """Indices of the slices of a series; of all images where none is one, so that the refusal says what they are."""
    kept = [index for index, header in enumerate(headers) if not accompanies(header)]
    return kept or list(range(len(headers)))


def chosen_series(pairs: Sequence[Pair], wanted: str = "") -> tuple[list[Pair], list[str]]:
    """The files of one series of a folder, and what is said of the others.

    Args:
        pairs: every file with its header.
        wanted: Series Instance UID or Series Number; empty for the one series that holds slices.
    Raises:
        ConfigurationError: no series, or several, are meant by `wanted`.
        IneligibleSeries: `mixed-series`, several series hold slices and none was asked for; `incomplete-header`.
    """
    series: dict[str, list[Pair]] = {}
    for pair in pairs:
        series.setdefault(required_uid(pair[1], "SeriesInstanceUID"), []).append(pair)
    uid = _asked_for(series, wanted) if wanted else _only_scan(series)
    others = {other: members for other, members in series.items() if other != uid}
    remarks = [f"left out of the folder: {_listed(others)}"] if others else []
    return series[uid], remarks


def _asked_for(series: dict[str, list[Pair]], wanted: str) -> str:
    numbered = [uid for uid, members in series.items() if _number(members) == wanted]
    fitting = [wanted] if wanted in series else numbered
    if len(fitting) != 1:
        raise ConfigurationError(
            f"--series must be the number or UID of one series, {len(fitting)} fit {wanted[:64]}; the folder holds: "
            f"{_listed(series)}"
        )
    return fitting[0]


def _only_scan(series: dict[str, list[Pair]]) -> str:
    scans = [uid for uid, members in series.items() if not all(accompanies(header) for _, header in members)]
    if len(series) > 1 and len(scans) != 1:
        refuse(
            Refusal.MIXED_SERIES,
            f"one series was needed, got {len(scans)} with slices; choose one (`nullsplat sr --series NUMBER|UID`) or "
            f"move each into a folder of its own: {_listed(series)}",
        )
    return (scans or list(series))[0]


def _listed(series: dict[str, list[Pair]]) -> str:
    """Each series by what people know it by. Descriptions are shown only where a person has the folder before them."""
    return "; ".join(
        f"number {_number(members)}, {text(members[0][1], 'SeriesDescription')[:64] or 'without description'}, "
        f"{len(members)} image(s), UID {uid}"
        for uid, members in series.items()
    )


def _number(members: Sequence[Pair]) -> str:
    value = number(members[0][1], "SeriesNumber")
    return "unknown" if value is None else f"{value:.0f}"


def _dotted(stem: str) -> str:
    return stem if stem.endswith(".") else f"{stem}."

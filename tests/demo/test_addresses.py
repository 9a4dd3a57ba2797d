"""The demonstration opens OHIF as the node's pages do: by the same address, with the same protocol."""

from typing import Any

import pytest

from nullsplat.demo.addresses import ohif_address

RESULT = {
    "study_instance_uid": "1.1",
    "series_instance_uid": "1.3",
    "further_series": [{"series_instance_uid": "1.4"}, {"series_instance_uid": "1.5"}],
}
STUDY = "http://node/ohif/viewer?StudyInstanceUIDs=1.1"


class Archive:
    """What an observer says of it."""

    def __init__(self, descriptions: dict[str, str], *, ohif: bool = True, side_by_side: bool = True) -> None:
        self._descriptions, self._viewers = (
            descriptions,
            {"ohif": ohif, "ohif_side_by_side": side_by_side},
        )

    def viewers(self) -> dict[str, bool]:
        return self._viewers

    def description(self, uid: str) -> str:
        return self._descriptions[uid]


def address(archive: Any) -> str | None:
    return ohif_address(archive, "http://node", "1.2", RESULT)


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        (
            "[NULLSPLAT 2x INTERVAL RESEARCH] LUNG",
            "1.2,1.3,1.5&hangingProtocolId=nullsplat&stageId=intervals",
        ),
        ("", "1.2,1.3&hangingProtocolId=nullsplat"),
    ],
)
def test_source_result_and_intervals_are_opened_side_by_side(interval: str, expected: str) -> None:
    archive = Archive({"1.4": "[NULLSPLAT 2x QA RESEARCH] LUNG", "1.5": interval})
    assert address(archive) == f"{STUDY}&SeriesInstanceUIDs={expected}"


def test_an_ohif_without_the_protocol_opens_the_study() -> None:
    assert address(Archive({}, side_by_side=False)) == STUDY


def test_without_ohif_there_is_no_address() -> None:
    assert address(Archive({}, ohif=False)) is None

from typing import Any

import pytest

from nullsplat_node.dose import LowDoseRules, judge

RULES = LowDoseRules(called_aets=["LDCT_IN"], stations=["CT2"], body_parts=["LUNG"])


def verdict(called_aet: str = "", **tags: Any) -> tuple[bool, str]:
    finding = judge([tags], called_aet, RULES)
    return finding.low, finding.why


@pytest.mark.parametrize(
    ("tags", "low", "words"),
    [
        ({"CTDIvol": "3.0"}, True, "CTDIvol 3 mGy <= 3 mGy"),
        ({"CTDIvol": "3.01"}, False, "CTDIvol 3.01 mGy > 3 mGy"),
        ({"CTDIvol": "9", "ProtocolName": "LDCT"}, False, "CTDIvol 9 mGy"),
        ({"CTDIvol": "9", "Exposure": "10"}, False, "CTDIvol 9 mGy"),
        ({"Exposure": "20"}, True, "exposure 20 mAs <= 50 mAs"),
        ({"Exposure": "200", "ProtocolName": "LDCT"}, False, "exposure 200 mAs > 50 mAs"),
        ({"ExposureInuAs": "30000"}, True, "exposure 30 mAs"),
        ({"XRayTubeCurrent": "60", "ExposureTime": "500"}, True, "exposure 30 mAs"),
        ({"ProtocolName": "Thorax LowDose"}, True, "ProtocolName says 'LowDose'"),
        ({"SeriesDescription": "low-dose 5mm"}, True, "SeriesDescription says 'low-dose'"),
        ({"StudyDescription": "Lung Screening"}, True, "StudyDescription says 'Lung Screen'"),
        ({"StudyDescription": "Routine thorax"}, False, "no usable CTDIvol"),
        ({}, False, "no usable CTDIvol"),
        ({"StationName": "ct2"}, True, "station ct2 is low dose by rule"),
        ({"BodyPartExamined": "LUNG", "CTDIvol": "8"}, True, "by rule, although CTDIvol 8 mGy > 3 mGy"),
    ],
)
def test_the_strongest_evidence_decides_and_is_named(tags: dict[str, str], low: bool, words: str) -> None:
    found, why = verdict(**tags)
    assert found is low
    assert words in why


def test_a_called_ae_title_can_be_the_rule() -> None:
    assert verdict("LDCT_IN") == (True, "called AE title LDCT_IN is low dose by rule")
    assert verdict("OTHER")[0] is False


@pytest.mark.parametrize("useless", ["", "0", "-1", "nan", "inf", "n/a", "1\\2", None])
def test_an_unusable_ctdivol_says_nothing_and_the_next_evidence_decides(useless: str | None) -> None:
    assert verdict(CTDIvol=useless, Exposure="20") == (True, "exposure 20 mAs <= 50 mAs")


def test_the_mean_over_the_slices_counts_because_scanners_modulate_the_current() -> None:
    instances = [{"CTDIvol": "2"}, {"CTDIvol": "5"}, {"CTDIvol": ""}]
    assert judge(instances, "", RULES).why == "CTDIvol 3.5 mGy > 3 mGy"

from typing import Any

import pytest

from nullsplat_node.series.dose import LowDoseRules, judge
from nullsplat_node.series.xray_exposure import mas

RULES = LowDoseRules(called_aets=["LDCT_IN"], stations=["CT2"], body_parts=["LUNG"])


LOW = {"Exposure": "20", "XRayTubeCurrent": "40"}


def verdict(called_aet: str = "", **tags: Any) -> tuple[bool, str]:
    finding = judge([tags], called_aet, RULES)
    return finding.low, finding.why


@pytest.mark.parametrize(
    ("tags", "low", "words"),
    [
        ({"CTDIvol": "3.0"}, True, "CTDIvol 3 mGy <= 3 mGy"),
        ({"CTDIvol": "3.01"}, False, "CTDIvol 3.01 mGy > 3 mGy"),
        ({"CTDIvol": "9", "ProtocolName": "LDCT"}, False, "CTDIvol 9 mGy"),
        ({"CTDIvol": "9", **LOW}, False, "CTDIvol 9 mGy"),
        (LOW, True, "exposure 20 mAs <= 50 mAs"),
        (
            {"Exposure": "200", "XRayTubeCurrent": "400", "ProtocolName": "LDCT"},
            False,
            "exposure 200 mAs > 50 mAs",
        ),
        ({"ExposureInuAs": "30000", "XRayTubeCurrent": "60"}, True, "exposure 30 mAs"),
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
    assert verdict(CTDIvol=useless, **LOW) == (True, "exposure 20 mAs <= 50 mAs")


def test_the_mean_over_the_slices_counts_because_scanners_modulate_the_current() -> None:
    instances = [{"CTDIvol": "2"}, {"CTDIvol": "5"}, {"CTDIvol": ""}]
    assert judge(instances, "", RULES).why == "CTDIvol 3.5 mGy > 3 mGy"


GE = {"Manufacturer": "GE MEDICAL SYSTEMS"}
OTHER = {"Manufacturer": "Scanner Works"}
COMPARABLE: dict[str, tuple[dict[str, str], float | None]] = {
    "GE, axial head, share of a slice": ({**GE, "XRayTubeCurrent": "622", "ExposureTime": "700", "Exposure": "27"}, None),
    "GE, helical chest, share of a slice": ({**GE, "XRayTubeCurrent": "400", "ExposureTime": "2700", "Exposure": "18"}, None),
    "GE, whole scan": ({**GE, "XRayTubeCurrent": "400", "ExposureTime": "570", "Exposure": "4684"}, None),
    "GE, share that looks like a rotation": ({**GE, "XRayTubeCurrent": "400", "Exposure": "40"}, None),
    "GE with revolution and pitch": (
        {**GE, "XRayTubeCurrent": "40", "RevolutionTime": "0.57", "SpiralPitchFactor": "1.375", "Exposure": "468"},
        40 * 0.57 / 1.375,
    ),
    "GE, full dose with revolution": ({**GE, "XRayTubeCurrent": "622", "RevolutionTime": "0.7", "Exposure": "27"}, 435.4),
    "an old GE name": ({"Manufacturer": "General Electric Co.", **LOW}, None),
    "a name that begins like GE": ({"Manufacturer": "GEMINI", **LOW}, 20.0),
    "whole scan of another maker": ({**OTHER, "XRayTubeCurrent": "250", "ExposureTime": "58600", "Exposure": "14639"}, None),
    "share of a slice of another maker": ({**OTHER, "XRayTubeCurrent": "400", "Exposure": "18"}, None),
    "mAs of a rotation": ({**OTHER, "XRayTubeCurrent": "60", "ExposureTime": "500", "Exposure": "30"}, 30.0),
    "mAs over a high pitch": ({**OTHER, "XRayTubeCurrent": "400", "ExposureTime": "280", "Exposure": "35"}, 35.0),
    "exposure alone": ({**OTHER, "Exposure": "20"}, None),
    "current and time of a rotation": ({**OTHER, "XRayTubeCurrent": "60", "ExposureTime": "500"}, 30.0),
    "current and time of a scan": ({**OTHER, "XRayTubeCurrent": "60", "ExposureTime": "9000"}, None),
    "GE, Enhanced CT": ({**GE, "ExposureInmAs": "30", "Exposure": "30", "XRayTubeCurrent": "60"}, 30.0),
}  # fmt: skip


@pytest.mark.parametrize(("tags", "expected"), COMPARABLE.values(), ids=COMPARABLE)
def test_only_comparable_exposures_are_compared(tags: dict[str, str], expected: float | None) -> None:
    assert mas(tags) == (None if expected is None else pytest.approx(expected, rel=1e-3))


@pytest.mark.parametrize("name", ["GE, axial head, share of a slice", "GE, helical chest, share of a slice"])
def test_a_full_dose_is_not_taken_for_a_low_one(name: str) -> None:
    assert verdict(**COMPARABLE[name][0]) == (False, verdict()[1])


def test_a_low_dose_is_not_lost_whatever_exposure_says() -> None:
    assert verdict(**COMPARABLE["GE with revolution and pitch"][0])[0] is True


@pytest.mark.parametrize("name", ["GE, whole scan", "whole scan of another maker"])
def test_what_cannot_be_compared_leaves_the_word_to_the_descriptions(name: str) -> None:
    assert verdict(**COMPARABLE[name][0], ProtocolName="LDCT")[0] is True

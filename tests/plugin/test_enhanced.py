"""The plugin judges an Enhanced CT image by its frames, as the engine does, and never takes what it would refuse."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from pydicom.dataset import Dataset
from tests.support.dicom.enhanced import group, make_enhanced
from tests.support.dicom.series import OBLIQUE, Spec, make_series
from tests.support.plugin.beside import SECRET, EngineBeside, running, wait_until
from tests.support.plugin.fake_orthanc import FakeOrthanc
from tests.support.plugin.series import simplified_tags

from nullsplat.core.errors import IneligibleSeries
from nullsplat.dicom.read.series import read_datasets
from nullsplat_node.engine.contract import fingerprint
from nullsplat_node.rules.conditions import Origin, facts_of
from nullsplat_node.rules.eligibility import Candidate, Criteria, check_eligibility
from nullsplat_node.series.frames import slices_of
from nullsplat_node.series.refusal import Refused

SPEC = Spec(shape=(12, 16, 20), spacing=(5.0, 0.7, 0.6))
CRITERIA = Criteria(min_slices=3)
Edit = Callable[[Dataset], object]


def candidate(*datasets: Dataset) -> Candidate:
    return Candidate([simplified_tags(one) for one in datasets])


def enhanced(edit: Edit = lambda _: None, order: list[int] | None = None) -> Dataset:
    dataset = make_enhanced(SPEC, order)
    edit(dataset)
    return dataset


def test_it_is_taken_like_the_same_scan_in_classic_slices() -> None:
    ours, classic = (
        check_eligibility(candidate(enhanced()), CRITERIA),
        check_eligibility(candidate(*make_series(SPEC)), CRITERIA),
    )
    assert ours == classic
    assert ours.scale == (4, 1, 1)
    assert "12 slices 5 mm apart" in ours.decision


def test_rules_see_what_they_see_of_classic_slices() -> None:
    facts = [
        facts_of(slices_of(one.instances), Origin(), CRITERIA.low_dose)
        for one in (candidate(enhanced()), candidate(*make_series(SPEC)))
    ]
    for name in ("slice_thickness", "ctdivol", "kvp", "slices"):
        assert facts[0].numbers[name] == facts[1].numbers[name]
    assert facts[0].numbers["exposure"] == 15.25
    assert facts[0].texts["kernel"] == "B60f"


def frames(keyword: str, **attributes: object) -> Edit:
    def edit(dataset: Dataset) -> None:
        groups = [dataset.PerFrameFunctionalGroupsSequence[0], *dataset.SharedFunctionalGroupsSequence]
        for item in (item for one in groups for item in one.get(keyword) or []):
            for name, value in attributes.items():
                setattr(item, name, value)

    return edit


def turned(dataset: Dataset) -> None:
    frame = dataset.PerFrameFunctionalGroupsSequence[3]
    group(frame, "PlaneOrientationSequence", ImageOrientationPatient=list(OBLIQUE))


def put(**attributes: object) -> Edit:
    return lambda dataset: [setattr(dataset, name, value) for name, value in attributes.items()]


REFUSED: dict[str, tuple[str, Callable[[], list[Dataset]]]] = {
    "stacks": ("multi-stack", lambda: [enhanced(frames("FrameContentSequence", StackID="2"))]),
    "orientations": ("mixed-orientation", lambda: [enhanced(turned)]),
    "two instances": (
        "enhanced-not-supported",
        lambda: [enhanced(), make_enhanced(replace(SPEC, seed=1))],
    ),
    "with classic slices": ("enhanced-not-supported", lambda: [enhanced(), *make_series(SPEC)]),
    "legacy": ("enhanced-not-supported", lambda: [enhanced(put(SOPClassUID="1.2.840.10008.5.1.4.1.1.2.2"))]),
    "fewer groups": ("enhanced-not-supported", lambda: [enhanced(put(NumberOfFrames=13))]),
    "distorted": (
        "enhanced-not-supported",
        lambda: [enhanced(frames("CTImageFrameTypeSequence", VolumetricProperties="DISTORTED"))],
    ),
    "projection": (
        "derived",
        lambda: [enhanced(frames("CTImageFrameTypeSequence", FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "MEAN"]))],
    ),
    "localizer": (
        "localizer",
        lambda: [enhanced(frames("CTImageFrameTypeSequence", FrameType=["ORIGINAL", "PRIMARY", "LOCALIZER", "NONE"]))],
    ),
    "phases": ("duplicate-slices", lambda: [enhanced(order=[*range(12), *range(12)])]),
    "missing frame": ("missing-slice", lambda: [enhanced(order=[0, 1, 2, 4, 5, 6])]),
    "few frames": ("too-few-slices", lambda: [enhanced(order=[0, 1])]),
    "multi-energy": ("multi-energy", lambda: [enhanced(put(MultienergyCTAcquisition="YES"))]),
    "no HU": ("not-hounsfield", lambda: [enhanced(frames("PixelValueTransformationSequence", RescaleType="ED"))]),
}  # fmt: skip


@pytest.mark.parametrize(("code", "make"), REFUSED.values(), ids=REFUSED)
def test_plugin_and_engine_refuse_the_same_for_the_same_reason(
    code: str, make: Callable[[], list[Dataset]]
) -> None:
    datasets = make()
    with pytest.raises(Refused) as refusal:
        check_eligibility(candidate(*datasets), CRITERIA, forced=True)
    assert refusal.value.code == code
    with pytest.raises(IneligibleSeries) as refused:
        read_datasets(datasets)
    assert refused.value.code == code


@pytest.mark.parametrize("damage", ["12x", "", None])
def test_a_broken_number_of_frames_is_refused_and_not_raised(damage: object) -> None:
    tags = {**simplified_tags(enhanced()), "NumberOfFrames": damage}
    with pytest.raises(Refused, match="functional groups"):
        slices_of([tags])


def test_the_job_is_for_the_one_instance() -> None:
    orthanc, dataset = FakeOrthanc(), enhanced()
    with EngineBeside(SECRET, hold=True, orthanc=orthanc) as engine:
        series = orthanc.add([dataset])
        with running(orthanc, engine) as service:
            wait_until(lambda: service.series(series)["state"] == "running")
        (request,) = engine.requests.values()
    assert request["fingerprint"] == fingerprint(dataset.SeriesInstanceUID, [dataset.SOPInstanceUID])

"""One series under several patients or studies: what a corrected Patient ID makes of an archive.

The slices keep their UIDs, so job and result would be those of the other patient.
"""

from collections.abc import Iterator
from copy import deepcopy

import pytest
from pydicom.dataset import Dataset
from tests.support.plugin.beside import SECRET, EngineBeside, running, wait_until
from tests.support.plugin.fake_orthanc import FakeOrthanc
from tests.support.plugin.series import ct_series

from nullsplat_node.lifecycle import transitions


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transitions, "LOOK_AGAIN_SECONDS", 0.1)


@pytest.fixture
def orthanc() -> FakeOrthanc:
    return FakeOrthanc()


@pytest.fixture
def engine(orthanc: FakeOrthanc) -> Iterator[EngineBeside]:
    with EngineBeside(SECRET, orthanc=orthanc) as engine:
        yield engine
    assert engine.problems == []


def corrected(series: list[Dataset], **attributes: str) -> list[Dataset]:
    made = deepcopy(series)
    for dataset in made:
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)
    return made


@pytest.mark.parametrize("attributes", [{"PatientID": "CORRECTED"}, {"StudyInstanceUID": "1.2.3.4"}])
def test_a_series_is_not_taken_while_another_one_has_its_uid_and_is_once_that_is_gone(
    attributes: dict[str, str], orthanc: FakeOrthanc, engine: EngineBeside
) -> None:
    wrong = ct_series(4)
    first = orthanc.add(wrong)
    with running(orthanc, engine) as service:
        wait_until(lambda: service.series(first)["state"] == "done")
        result = service.series(first)["derived"]["series"]
        second = orthanc.add(corrected(wrong, **attributes))
        wait_until(lambda: service.series(second)["state"] == "ineligible")
        refused = service.series(second)
        assert refused["code"] == "series-not-unique"
        assert "the archive holds 2" in refused["message"]
        assert service.series(first)["state"] == "done"
        orthanc.delete(first)
        wait_until(lambda: service.series(second)["state"] == "done")
        assert service.series(second)["derived"]["series"] != result
    assert [one["study_instance_uid"] for one in engine.requests.values()][-1] == attributes.get(
        "StudyInstanceUID", str(wrong[0].StudyInstanceUID)
    )


def test_the_result_of_a_deleted_patient_is_not_taken_for_that_of_the_corrected_one(
    orthanc: FakeOrthanc, engine: EngineBeside
) -> None:
    wrong = ct_series(4)
    first = orthanc.add(wrong)
    with running(orthanc, engine) as service:
        wait_until(lambda: service.series(first)["state"] == "done")
        result = service.series(first)["derived"]["series"]
        orthanc.delete(first)
        second = orthanc.add(corrected(wrong, PatientID="CORRECTED"))
        wait_until(lambda: service.series(second)["state"] == "done")
        assert service.series(second)["derived"]["series"] != result
    attempts = [one["attempt"] for one in engine.jobs_of(str(wrong[0].SeriesInstanceUID))]
    assert attempts == [1, 2]


def test_waiting_for_the_other_one_to_go_is_noted_once(orthanc: FakeOrthanc, engine: EngineBeside) -> None:
    series = ct_series(4)
    orthanc.add(series)
    with running(orthanc, engine) as service:
        second = orthanc.add(corrected(series, PatientID="CORRECTED"))
        wait_until(lambda: service.series(second)["state"] == "ineligible")
        looks = [path for _, path in orthanc.calls].count("/tools/lookup")
        wait_until(lambda: [path for _, path in orthanc.calls].count("/tools/lookup") >= looks + 3)
        assert len(orthanc.remembered(second)["history"]) == 1

"""What a scanner may do that is entered as the examples show: send, and nothing else."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role
from pynetdicom.association import Association
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    CTImageStorage,
    ModalityWorklistInformationFind,
    PatientRootQueryRetrieveInformationModelFind,
    PatientRootQueryRetrieveInformationModelGet,
    PatientRootQueryRetrieveInformationModelMove,
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)
from tests.support.plugin.node import Node
from tests.support.plugin.series import ct_series
from tests.support.service.engine import wait_for

from nullsplat.node.orthanc import GRANTED, WITHHELD, Modality

ROOT = Path(__file__).resolve().parents[2]
FIND = (
    PatientRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelFind,
    ModalityWorklistInformationFind,
)
MOVE = (PatientRootQueryRetrieveInformationModelMove, StudyRootQueryRetrieveInformationModelMove)
GET = (PatientRootQueryRetrieveInformationModelGet, StudyRootQueryRetrieveInformationModelGet)
ENTRY = re.compile(r'\{[^{}]*"AET"[^{}]*\}')
PAGES = ("*.json*", "*.md", "*.yaml", "*.env")
FOLDERS = ("orthanc-config", "docker", "docs", "README.md")


@pytest.fixture(scope="module")
def study(guarded: Node) -> str:
    """A study that is there to be found."""
    made = ct_series(3)
    guarded.send(made)
    return str(made[0].StudyInstanceUID)


@pytest.fixture
def scanner(guarded: Node) -> Iterator[Association]:
    """An association of the modality SCANNER."""
    entity = AE(ae_title="SCANNER")
    for syntax in (*FIND, *MOVE, *GET, StorageCommitmentPushModel, Verification, CTImageStorage):
        entity.add_requested_context(syntax)
    role = build_role(CTImageStorage, scu_role=True, scp_role=True)
    made = entity.associate("127.0.0.1", guarded.orthanc.dicom_port, ae_title="NULLSPLAT", ext_neg=[role])
    assert made.is_established
    yield made
    made.release()


def question(study: str) -> Dataset:
    asked = Dataset()
    asked.QueryRetrieveLevel, asked.StudyInstanceUID, asked.PatientID = "STUDY", study, ""
    return asked


def accepted(association: Association) -> set[str]:
    return {str(context.abstract_syntax) for context in association.accepted_contexts}


@pytest.mark.orthanc
def test_a_scanner_may_verify_and_store(scanner: Association) -> None:
    assert scanner.send_c_echo().Status == 0
    assert scanner.send_c_store(ct_series(3)[0]).Status == 0


@pytest.mark.orthanc
@pytest.mark.parametrize("model", [*FIND, *MOVE, *GET], ids=lambda one: one.name)
def test_a_scanner_may_neither_query_nor_retrieve(scanner: Association, study: str, model: str) -> None:
    if str(model) not in accepted(scanner):
        return  # turned away when the association was negotiated
    send = (
        scanner.send_c_find if model in FIND else scanner.send_c_get if model in GET
        else lambda asked, syntax: scanner.send_c_move(asked, "PACS", syntax)
    )  # fmt: skip
    answers = list(send(question(study), model))
    assert answers[-1][0].get("Status", 0xC000) not in (0x0000, 0xFF00, 0xFF01)
    assert all(dataset is None for _, dataset in answers)


@pytest.mark.orthanc
def test_a_scanner_is_not_told_whether_an_image_is_there(scanner: Association) -> None:
    image, asked = Dataset(), Dataset()
    image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = CTImageStorage, "1.2.3"
    asked.TransactionUID, asked.ReferencedSOPSequence = "1.2.4", [image]
    model = StorageCommitmentPushModel
    answer, _ = scanner.send_n_action(asked, 1, model, StorageCommitmentPushModelInstance)
    assert answer.get("Status") != 0


@pytest.mark.orthanc
def test_a_modality_that_leaves_permissions_out_may_read_everything_and_so_is_warned_of(
    guarded: Node, study: str
) -> None:
    """Why the examples spell everything out: Orthanc's own answer, without which the rest would prove nothing."""
    bare = {"AET": "BARE", "Host": "127.0.0.1", "Port": 104, "AllowStore": True}
    assert guarded.call("PUT", "/modalities/BARE", json.dumps(bare).encode())[0] == 200
    entity = AE(ae_title="BARE")
    entity.add_requested_context(FIND[1])
    association = entity.associate("127.0.0.1", guarded.orthanc.dicom_port, ae_title="NULLSPLAT")
    found = [one for _, one in association.send_c_find(question(study), FIND[1]) if one is not None]
    association.release()
    assert [one.StudyInstanceUID for one in found] == [study]
    words = "modality BARE, which lies in Orthanc's database, has AllowFind, AllowFindWorklist, AllowGet"
    wait_for(lambda: words in guarded.orthanc.log.read_text(), what="the warning, while BARE is there")
    assert guarded.call("DELETE", "/modalities/BARE")[0] == 200
    assert "DicomModalities:" not in guarded.orthanc.log.read_text()  # the fixture's are complete


def test_every_example_of_a_modality_says_each_permission() -> None:
    files = [
        path for folder in FOLDERS for pattern in PAGES
        for path in ([ROOT / folder] if (ROOT / folder).is_file() else (ROOT / folder).rglob(pattern))
    ]  # fmt: skip
    entries = [entry for path in files for entry in ENTRY.findall(path.read_text().replace("\n//", "\n"))]
    assert len(entries) >= 6
    for entry in entries:
        said = json.loads(re.sub(r"\s*//\s*", " ", entry))
        assert {name for name in WITHHELD if said.get(name) is False} == set(WITHHELD), entry
        assert said["AllowStore"] is True
    demo = Modality("CT", "h", 1).configuration()
    assert {name: demo[name] for name in (*GRANTED, *WITHHELD)} == {
        **dict.fromkeys(GRANTED, True), **dict.fromkeys(WITHHELD, False),
    }  # fmt: skip

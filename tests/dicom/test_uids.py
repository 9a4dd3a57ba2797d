import uuid

from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID
from tests.support.dicom.results import make_provenance
from tests.support.dicom.series import Spec, make_series

from nullsplat.dicom.read.series import read_datasets
from nullsplat.dicom.uids import derive_uid, hashed_uid

PROVENANCE = make_provenance(read_datasets(make_series(Spec(shape=(3, 2, 2)))))


@given(st.lists(st.one_of(st.text(max_size=5), st.integers()), min_size=1, max_size=4))
def test_identifiers_are_valid_uuids_under_the_root_that_needs_no_registration(
    parts: list[str | int],
) -> None:
    uid = hashed_uid(*parts)
    assert UID(uid).is_valid
    assert uid.startswith("2.25.")
    number = uuid.UUID(int=int(uid.removeprefix("2.25.")))
    assert (number.version, number.variant) == (8, uuid.RFC_4122)


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_roles_and_indices_never_share_an_identifier(one: int, other: int) -> None:
    assert (derive_uid(PROVENANCE, "slice", one) == derive_uid(PROVENANCE, "slice", other)) == (one == other)
    assert derive_uid(PROVENANCE, "slice", one) != derive_uid(PROVENANCE, "series", one)


def test_parts_do_not_run_into_each_other() -> None:
    assert hashed_uid("a", "bc") != hashed_uid("ab", "c")


def test_an_identifier_is_the_same_on_every_machine() -> None:
    assert hashed_uid("implementation class", "nullsplat") == "2.25.183754949677119536144179822627818743460"

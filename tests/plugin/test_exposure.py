from nullsplat_node.access.exposure import added_modalities, exposures
from nullsplat_node.access.roles import Roles

CLOSED = dict.fromkeys(("AllowFind", "AllowFindWorklist", "AllowGet", "AllowMove"), False)


def said(modalities: object = None, users: dict[str, str] | None = None) -> list[str]:
    configuration = {
        "DicomModalities": {} if modalities is None else modalities,
        "RegisteredUsers": users or {},
        "AuthenticationEnabled": True,
    }
    return exposures(configuration, Roles({"admin": "administrator"}, "viewer"))


def test_a_modality_that_leaves_a_permission_out_is_named_with_it() -> None:
    (sentence,) = said({"CT": {"AET": "CT", **CLOSED, "AllowStore": True}, "MR": {"AllowFind": False}})
    assert sentence.startswith("DicomModalities: MR does not say AllowFindWorklist, AllowGet, AllowMove, so")


def test_the_short_form_is_named_since_it_allows_everything() -> None:
    (sentence,) = said({"CT": ["CT", "10.1.2.3", 104]})
    assert "CT does not say AllowFind, AllowFindWorklist, AllowGet, AllowMove" in sentence


def test_what_is_said_is_not_spoken_of_again_even_if_it_is_allowed() -> None:
    assert said({"PACS": {**CLOSED, "AllowFind": True}}) == []
    assert said("/var/lib/modalities.json") == []


def test_users_without_a_role_are_named() -> None:
    (sentence,) = said(users={"admin": "x", "doctor": "x"})
    assert sentence.endswith("may only read (role viewer): doctor")


def test_a_modality_in_the_database_is_named_with_what_it_may_and_a_configured_one_is_not() -> None:
    known = {
        "CT": {**CLOSED, "AllowFind": True},
        "PACS": CLOSED,
        "NEW": {**CLOSED, "AllowGet": True},
        "OLD": {},
    }
    new, old = added_modalities(known, {"DicomModalities": {"CT": {}}})
    assert new.startswith("modality NEW, which lies in Orthanc's database, has AllowGet: whoever")
    assert (
        "OLD, which lies in Orthanc's database, has AllowFind, AllowFindWorklist, AllowGet, AllowMove" in old
    )

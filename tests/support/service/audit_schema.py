"""The schema of DICOM audit messages (PS3.15, A.5.1.1), as far as it can be checked without a RELAX NG validator.

Attributes and their values, children with their order and number; tokens are any text without outer blanks.
"""

import re
from base64 import b64decode
from dataclasses import dataclass, field
from datetime import datetime
from xml.etree import ElementTree as ET

ANY = ".+"

BOOLEAN, OID = "true|false", r"[0-2](\.(0|[1-9][0-9]*))+"
ONE, MAYBE, MANY, SOME = (1, 1), (0, 1), (0, 10**6), (1, 10**6)


@dataclass(frozen=True)
class Rule:
    """What an element may have: attributes as patterns, children with how often, text as a pattern."""

    needed: dict[str, str] = field(default_factory=dict)
    optional: dict[str, str] = field(default_factory=dict)
    children: dict[str, tuple[int, int]] = field(default_factory=dict)
    text: str = ""


CODE = Rule({"csd-code": ANY, "codeSystemName": ANY, "originalText": ANY}, {"displayName": ANY})
RULES = {
    "AuditMessage": Rule(
        children={
            "EventIdentification": ONE,
            "ActiveParticipant": SOME,
            "AuditSourceIdentification": ONE,
            "ParticipantObjectIdentification": MANY,
        }
    ),
    "EventIdentification": Rule(
        {"EventDateTime": ANY, "EventOutcomeIndicator": "0|4|8|12"},
        {"EventActionCode": "C|R|U|D|E"},
        {"EventID": ONE, "EventTypeCode": MANY, "EventOutcomeDescription": MAYBE},
    ),
    "EventOutcomeDescription": Rule(text=ANY),
    "ActiveParticipant": Rule(
        {"UserID": ANY, "UserIsRequestor": BOOLEAN},
        {
            "AlternativeUserID": ANY,
            "UserName": ANY,
            "NetworkAccessPointID": ANY,
            "NetworkAccessPointTypeCode": "[1-5]",
        },
        {"RoleIDCode": MANY},
    ),
    "AuditSourceIdentification": Rule(
        {"AuditSourceID": ANY}, {"AuditEnterpriseSiteID": ANY}, {"AuditSourceTypeCode": MANY}
    ),
    "AuditSourceTypeCode": Rule({"csd-code": "[1-9]"}),
    "ParticipantObjectIdentification": Rule(
        {"ParticipantObjectID": ANY},
        {"ParticipantObjectTypeCode": "[1-4]", "ParticipantObjectTypeCodeRole": "[1-9]|1[0-9]|2[0-6]"},
        {
            "ParticipantObjectIDTypeCode": ONE,
            "ParticipantObjectName": ONE,
            "ParticipantObjectDetail": MANY,
            "ParticipantObjectDescription": MANY,
        },
    ),
    "ParticipantObjectName": Rule(text=ANY),
    "ParticipantObjectDetail": Rule({"type": ANY, "value": ANY}),
    "ParticipantObjectDescription": Rule(children={"SOPClass": MANY}),
    "SOPClass": Rule({"NumberOfInstances": "[0-9]+"}, {"UID": OID}),
    **dict.fromkeys(("EventID", "EventTypeCode", "RoleIDCode", "ParticipantObjectIDTypeCode"), CODE),
}


def checked(text: str) -> ET.Element:
    """The message; fails where the schema is not met."""
    root = ET.fromstring(text)  # noqa: S314 - the engine's own
    assert root.tag == "AuditMessage"
    for element in root.iter():
        _check(element)
    (when,) = (one.get("EventDateTime") for one in root.iter("EventIdentification"))
    assert datetime.fromisoformat(str(when)).tzinfo is not None
    for detail in root.iter("ParticipantObjectDetail"):
        b64decode(str(detail.get("value")), validate=True)
    return root


def _check(element: ET.Element) -> None:
    rule = RULES[element.tag]
    assert rule.needed.keys() <= element.attrib.keys() <= rule.needed.keys() | rule.optional.keys(), (
        element.attrib
    )
    for name, pattern in (rule.needed | rule.optional).items():
        value = element.get(name)
        assert value is None or re.fullmatch(pattern, value), (element.tag, name, value)
        assert value is None or value == " ".join(value.split()), "a token has no outer or double blanks"
    assert re.fullmatch(rule.text, element.text or ""), (element.tag, element.text)
    names = [child.tag for child in element]
    assert names == sorted(names, key=list(rule.children).index), f"{element.tag} has {names}"
    for name, (least, most) in rule.children.items():
        assert least <= names.count(name) <= most, f"{element.tag} has {names}"

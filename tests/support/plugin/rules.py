"""Rules out of a few lines of TOML, and the facts of a small series."""

from typing import Any

from nullsplat_node.rules.conditions import Facts, Origin, facts_of
from nullsplat_node.rules.file import rules_from
from nullsplat_node.rules.rules import Choice, ProcessingOptions, RuleSet, choose
from nullsplat_node.series.dose import LowDoseRules

CHEST = {
    "StationName": "CT01",
    "Manufacturer": "Scanner Works",
    "StudyDescription": "Chest screening",
    "BodyPartExamined": "CHEST",
    "SliceThickness": "5",
    "CTDIvol": "1.4",
    "KVP": "120",
    "ImageType": "ORIGINAL\\PRIMARY\\AXIAL",
}


def rules_of(
    text: str, base: ProcessingOptions | None = None, modalities: tuple[str, ...] | None = None
) -> RuleSet:
    return rules_from(text, "rules.toml", base or ProcessingOptions(), modalities)


def chosen(text: str, called: str = "", calling: str = "", **tags: Any) -> Choice:
    """What the rules make of a chest CT with some attributes changed."""
    return choose(rules_of(text), facts(called, calling, **tags))


def facts(called: str = "", calling: str = "", **tags: Any) -> Facts:
    return facts_of([{**CHEST, **tags}] * 3, Origin(called, calling), LowDoseRules())

import ast
from pathlib import Path

import nullsplat


def test_a_name_for_a_limit_in_hu_has_one_value() -> None:
    values: dict[str, set[str]] = {}
    for path in Path(nullsplat.__file__).parent.rglob("*.py"):
        for name, value in _constants(path):
            values.setdefault(name, set()).add(value)
    assert len(values) > 3
    assert {name: found for name, found in values.items() if len(found) > 1} == {}


def _constants(path: Path) -> list[tuple[str, str]]:
    assigned = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Assign)]
    return [
        (target.id, ast.unparse(node.value))
        for node in assigned
        for target in node.targets
        if isinstance(target, ast.Name) and target.id.endswith("_HU") and not target.id.startswith("_")
    ]

"""The figures of a study of one stage, as JSON that a table can be made of again, and as that table."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from nullsplat.core.files import write_text
from nullsplat.evaluation.machine import describe_machine
from nullsplat.evaluation.provenance import describe_software


@runtime_checkable
class StudyRow(Protocol):
    """A line of a study."""

    def as_dict(self) -> dict[str, object]:
        """Plain values, ready for JSON."""


RowType = TypeVar("RowType", bound=StudyRow)


def write_study(
    name: str,
    rows: Mapping[str, Sequence[RowType]],
    about: dict[str, Any],
    folder: Path,
    table: Callable[[Sequence[RowType]], str],
) -> Path:
    """Write `<name>.json` and `<name>.md`.

    Args:
        name: of the study.
        rows: of each case, named for example `chest iso4`.
        about: what was asked for.
        folder: which is made if it is not there.
        table: one case as a Markdown table.

    Returns:
        Where the tables are.
    """
    content = {
        "about": about,
        "machine": describe_machine().summary,
        "software": describe_software(),
        "cases": {name: [row.as_dict() for row in case] for name, case in rows.items()},
    }
    write_text(folder / f"{name}.json", json.dumps(content, indent=2) + "\n")
    page = folder / f"{name}.md"
    write_text(page, "\n\n".join(f"### {name}\n\n{table(case)}" for name, case in rows.items()) + "\n")
    return page

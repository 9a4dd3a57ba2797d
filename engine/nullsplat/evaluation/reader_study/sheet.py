"""The sheet on which a reader scores a blinded study: written empty, read filled in."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nullsplat.core.errors import UnreadableFile
from nullsplat.core.files import replacing, write_text
from nullsplat.evaluation.reader_study.key import Key

CRITERIA = {
    "anatomy_visibility": "small vessels, airways, fissures and nodules can be followed and told apart",
    "sharpness": "edges are as sharp as the anatomy allows",
    "noise": "noise does not disturb (5: not at all)",
    "artefacts": "nothing looks made up, doubled, stepped or ringing (5: nothing)",
    "inter_slice_consistency": "structures continue from slice to slice without jumping",
    "confidence": "you would trust this series in a finding",
}
"""Column of the sheet, and what it asks; 5 is always the good end."""

LOWEST, HIGHEST = 1, 5
PREFERRED = "preferred"
_COLUMNS = ("case", "reading", *CRITERIA, PREFERRED)
_MARKS = {"": False, "0": False, "no": False, "1": True, "x": True, "yes": True}


@dataclass(frozen=True)
class Scored:
    """What one reader thought of one reading.

    Attributes:
        reader: name of the sheet.
        case: number.
        reading: letter.
        scores: 1 to 5, by criterion.
        preferred: whether it was the best of its case.
    """

    reader: str
    case: int
    reading: str
    scores: Mapping[str, int]
    preferred: bool


def write_empty_sheet(key: Key, folder: Path) -> tuple[Path, Path]:
    """Write `scores.csv`, to be filled in once by each reader, and `HOW-TO-READ.txt`.

    Raises:
        StorageError: the folder cannot be written.
    """
    sheet, text = folder / "scores.csv", folder / "HOW-TO-READ.txt"
    with replacing(sheet) as partial, partial.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for case in key.cases:
            writer.writerows((case.number, letter, *[""] * (len(CRITERIA) + 1)) for letter in case.readings)
    write_text(text, instructions())
    return sheet, text


def instructions() -> str:
    """What a reader has to know, and nothing more."""
    asked = "\n".join(f"  {name}: {meaning}" for name, meaning in CRITERIA.items())
    return (
        "For research use only. None of these images may be used for a diagnosis; detail in them may have been "
        "synthesised by a model.\n\n"
        "Each folder holds one case, each folder in it one reading of the same anatomy. Look at all readings of a case\n"
        "side by side, with the same window, before you score any of them.\n\n"
        "Copy scores.csv, name it after yourself (such as reader-1.csv), and fill in every row of the cases that you read:\n"
        f"whole numbers from {LOWEST} (bad) to {HIGHEST} (good).\n\n{asked}\n\n"
        f"  {PREFERRED}: x in exactly one row of each case, also where you find it hard to choose\n\n"
        "Delete all rows of a case that you did not read.\n"
    )


def read_filled_sheet(path: Path, key: Key) -> list[Scored]:
    """A reader's sheet, checked: a case is scored whole or not at all.

    Args:
        path: its name without the ending is the reader's.
        key: of the study.
    Raises:
        UnreadableFile: no such file, other columns, or a row or case that is not filled in as it must be; the
            message says which.
    """
    try:
        # Spreadsheets put a byte order mark first, and semicolons where commas are for decimals.
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            file.seek(0)
            reader = csv.DictReader(file, delimiter=";" if first.count(";") > first.count(",") else ",")
            _check_columns(path, reader.fieldnames)
            rows = [_scored(path, line, row) for line, row in _filled(reader)]
    except OSError as error:
        raise UnreadableFile(f"the sheet {path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFile(f"{path.name} must be a CSV file in UTF-8; export it again") from error
    _check_cases(path, rows, key)
    return rows


def _check_columns(path: Path, found: Any) -> None:
    missing = [name for name in _COLUMNS if name not in (found or ())]
    if missing:
        raise UnreadableFile(
            f"{path.name} must have the columns of scores.csv, it lacks {', '.join(missing)}"
        )


def _filled(reader: "csv.DictReader[str]") -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and cells of every row that is not blank."""
    for row in reader:
        cells = {name: (row[name] or "").strip() for name in _COLUMNS}
        if any(cells.values()):
            yield reader.line_num, cells


def _scored(path: Path, line: int, row: dict[str, str]) -> Scored:
    scores = {}
    for name in CRITERIA:
        if row[name] not in {str(score) for score in range(LOWEST, HIGHEST + 1)}:
            raise UnreadableFile(
                f"{path.name}, line {line}: {name} must be a whole number from {LOWEST} to {HIGHEST}, "
                f"got {row[name]!r}; delete all rows of a case that was not read"
            )
        scores[name] = int(row[name])
    if row[PREFERRED].lower() not in _MARKS:
        raise UnreadableFile(
            f"{path.name}, line {line}: {PREFERRED} must be x or empty, got {row[PREFERRED]!r}"
        )
    if not row["case"].isdecimal():
        raise UnreadableFile(f"{path.name}, line {line}: case must be a number, got {row['case']!r}")
    return Scored(path.stem, int(row["case"]), row["reading"].upper(), scores, _MARKS[row[PREFERRED].lower()])


def _check_cases(path: Path, rows: list[Scored], key: Key) -> None:
    readings = {case.number: list(case.readings) for case in key.cases}
    for number in sorted({row.case for row in rows}):
        of_case = [row for row in rows if row.case == number]
        found = sorted(row.reading for row in of_case)
        if found != readings.get(number):
            raise UnreadableFile(
                f"{path.name}: case {number} must have one row for each reading "
                f"{', '.join(readings.get(number, ['(there is no such case)']))}, got {', '.join(found)}"
            )
        preferred = [row.reading for row in of_case if row.preferred]
        if len(preferred) != 1:
            raise UnreadableFile(
                f"{path.name}: case {number} must have exactly one preferred reading, "
                f"got {', '.join(preferred) or 'none'}"
            )
    if not rows:
        raise UnreadableFile(f"{path.name} must hold scores, all its rows are empty")

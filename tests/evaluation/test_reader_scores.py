import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from nullsplat.cli.main import app
from nullsplat.core.errors import ConfigurationError, UnreadableFile
from nullsplat.evaluation.reader_study.key import BlindedCase, Key, write_key
from nullsplat.evaluation.reader_study.sheet import (
    CRITERIA,
    PREFERRED,
    Scored,
    instructions,
    read_filled_sheet,
    write_empty_sheet,
)
from nullsplat.evaluation.reader_study.statistics import RESAMPLES, estimate, table, unblind

KEY = Key(
    seed=1,
    methods=("cubic", "sr"),
    sources=("one", "two", "three"),
    cases=(
        BlindedCase(1, 2, ("sr", "cubic")),
        BlindedCase(2, 0, ("cubic", "sr")),
        BlindedCase(3, 1, ("cubic", "sr")),
    ),
)
# By case and reading: the score that this reader gives for everything. Unblinded: sr 5, 4, 3; cubic 2, 2, 5.
GIVEN = {(1, "A"): 5, (1, "B"): 2, (2, "A"): 2, (2, "B"): 4, (3, "A"): 5, (3, "B"): 3}


def filled(tmp_path: Path, name: str = "reader-1.csv", **changes: str) -> Path:
    """The empty sheet as the study writes it, filled in as `GIVEN` says; `changes` are made to case 2, reading A."""
    tmp_path.mkdir(exist_ok=True)
    sheet, _ = write_empty_sheet(KEY, tmp_path)
    with sheet.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        case, reading = int(row["case"]), row["reading"]
        row.update(dict.fromkeys(CRITERIA, str(GIVEN[case, reading])))
        best = max(GIVEN[case, other] for other in "AB")
        row[PREFERRED] = "x" if GIVEN[case, reading] == best else ""
        if (case, reading) == (2, "A"):
            row.update(changes)
    with (tmp_path / name).open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return tmp_path / name


def test_scores_are_given_back_to_their_methods(tmp_path: Path) -> None:
    verdict = unblind(read_filled_sheet(filled(tmp_path), KEY), KEY)
    for criterion in CRITERIA:
        assert verdict.scores["sr"][criterion].mean == pytest.approx(4)  # (5 + 4 + 3) / 3
        assert verdict.scores["cubic"][criterion].mean == pytest.approx(3)  # (2 + 2 + 5) / 3
    assert verdict.preference["sr"].mean == pytest.approx(2 / 3)
    assert verdict.preference["cubic"].mean == pytest.approx(1 / 3)
    assert (verdict.readers, verdict.cases) == (("reader-1",), 3)


def test_readers_of_a_case_are_averaged_before_cases_are() -> None:
    def scored(reader: str, case: int, sr: int) -> list[Scored]:
        letters = {method: letter for letter, method in KEY.cases[case - 1].readings.items()}
        scores = {"sr": sr, "cubic": 1}
        return [
            Scored(reader, case, letters[method], dict.fromkeys(CRITERIA, scores[method]), method == "sr")
            for method in scores
        ]

    rows = scored("a", 1, 5) + scored("b", 1, 3) + scored("a", 2, 1)
    assert unblind(rows, KEY).scores["sr"]["noise"].mean == 2.5  # mean of 4 and 1, not of 5, 3 and 1


def test_the_interval_is_that_of_the_binomial_for_yes_or_no() -> None:
    # The mean of resampled zeros and ones is binomial: 40 draws with p = 0.25, standard deviation 0.0685.
    values = np.repeat([1.0, 0.0], [10, 30])
    weights = np.random.default_rng(0).multinomial(40, np.full(40, 1 / 40), size=RESAMPLES) / 40
    found = estimate(values, weights)
    assert found.mean == 0.25
    assert found.low == pytest.approx(0.25 - 1.96 * 0.0685, abs=0.02)
    assert found.high == pytest.approx(0.25 + 1.96 * 0.0685, abs=0.02)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    weights = generator.multinomial(30, np.full(30, 1 / 30), size=2000) / 30
    hits = 0
    for _ in range(300):
        found = estimate(generator.normal(3, 1, 30), weights)
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 3 <= found.high
    assert (
        0.89 <= hits / 300 <= 0.98
    )  # 95 % less the percentile interval's small-sample loss, and 3 deviations


def test_one_case_has_no_interval(tmp_path: Path) -> None:
    rows = [row for row in read_filled_sheet(filled(tmp_path), KEY) if row.case == 1]
    verdict = unblind(rows, KEY)
    assert verdict.scores["sr"]["noise"].low is None
    assert "5.00 " in table(verdict)


def test_the_same_seed_gives_the_same_intervals(tmp_path: Path) -> None:
    rows = read_filled_sheet(filled(tmp_path), KEY)
    assert unblind(rows, KEY, 4) == unblind(rows, KEY, 4)


def test_a_spreadsheets_semicolons_and_byte_order_mark_are_understood(tmp_path: Path) -> None:
    path = filled(tmp_path)
    plain = read_filled_sheet(path, KEY)
    path.write_text("\ufeff" + path.read_text().replace(",", ";"), encoding="utf-8")
    assert read_filled_sheet(path, KEY) == plain


def test_cases_that_a_reader_left_out_are_not_counted(tmp_path: Path) -> None:
    path = filled(tmp_path)
    lines = [line for line in path.read_text().splitlines() if not line.startswith("3,")]
    path.write_text("\n".join(lines))
    verdict = unblind(read_filled_sheet(path, KEY), KEY)
    assert (verdict.cases, verdict.scores["cubic"]["noise"].mean) == (2, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"noise": "6"}, "line 4: noise must be a whole number from 1 to 5, got '6'"),
        ({"noise": ""}, "noise must be"),
        ({"noise": "3.5"}, "noise must be"),
        ({PREFERRED: "maybe"}, "preferred must be x or empty"),
        ({PREFERRED: "x"}, "exactly one preferred reading, got A, B"),
        ({"case": "two"}, "case must be a number"),
        ({"case": "9"}, "no such case|one row for each reading"),
        ({"reading": "B"}, "one row for each reading"),
    ],
)
def test_a_row_that_cannot_be_counted_is_named(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    with pytest.raises(UnreadableFile, match=message):
        read_filled_sheet(filled(tmp_path, **changes), KEY)


def test_a_sheet_that_is_none_is_refused(tmp_path: Path) -> None:
    empty, _ = write_empty_sheet(KEY, tmp_path)
    with pytest.raises(UnreadableFile, match="anatomy_visibility must be"):
        read_filled_sheet(empty, KEY)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UnreadableFile, match="must have the columns"):
        read_filled_sheet(tmp_path / "other.csv", KEY)
    with pytest.raises(UnreadableFile, match="cannot be read"):
        read_filled_sheet(tmp_path / "nowhere.csv", KEY)


def test_a_reader_counts_once(tmp_path: Path) -> None:
    rows = read_filled_sheet(filled(tmp_path), KEY)
    with pytest.raises(ConfigurationError, match="more than one of reader-1"):
        unblind([*rows, *rows], KEY)


def test_the_readers_are_told_every_criterion() -> None:
    assert all(name in instructions() for name in (*CRITERIA, PREFERRED))


def test_the_command_prints_means_and_writes_the_report(tmp_path: Path) -> None:
    key, _ = write_key(KEY, tmp_path)
    sheets = [filled(tmp_path / name, f"{name}.csv") for name in ("anna", "ben")]
    report = tmp_path / "verdict.json"
    words = ["reader-score", str(key), *map(str, sheets), "--report", str(report)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "2 reader(s), 3 of 3 case(s)" in done.output
    assert "| sr     | 4.00 (" in done.output
    content = json.loads(report.read_text())
    assert content["readers"] == ["anna", "ben"]
    assert content["preference"]["sr"]["mean"] == pytest.approx(2 / 3)


def test_two_sheets_of_one_name_are_refused(tmp_path: Path) -> None:
    key, _ = write_key(KEY, tmp_path)
    sheets = [filled(tmp_path / name, "same.csv") for name in ("anna", "ben")]
    done = CliRunner().invoke(app, ["reader-score", str(key), *map(str, sheets)])
    assert done.exit_code == 2

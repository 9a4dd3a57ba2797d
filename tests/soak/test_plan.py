from pathlib import Path

import pytest
from pydicom import dcmread
from requests import Response
from soaking.disk import SmallDisk
from soaking.people import QUESTIONS, People, Question
from soaking.plan import BAD, FAULTS, GOOD, KINDS, ONCE, Case, Options, plan
from soaking.run import case_counts, soak
from soaking.scans import EARLY_SLICES, SLICES, make


def test_a_seed_makes_the_same_plan_and_another_one_another() -> None:
    assert plan(Options(seed=4)) == plan(Options(seed=4))
    assert plan(Options(seed=4)) != plan(Options(seed=5))


@pytest.mark.parametrize("seed", range(5))
def test_a_full_run_has_every_sort_of_series_and_of_fault(seed: int) -> None:
    options = Options(seed=seed)
    made = plan(options)
    counts = case_counts(made.cases)
    assert len(made.cases) == 60
    assert min(counts.values()) >= 3
    assert sum(counts[name] for name in GOOD) == sum(counts[name] for name in BAD) == 30
    kinds = [fault.kind for fault in made.faults]
    assert set(kinds) == {*FAULTS, *ONCE}
    assert [kinds.count(once) for once in ONCE] == [1, 1]
    assert max(fault.at + fault.lasts for fault in made.faults) < options.window + 20 < 60 * options.minutes
    assert max(case.at for case in made.cases) < options.window


@pytest.mark.parametrize("seed", range(5))
def test_a_short_run_has_what_comes_in_parts_what_is_set_straight_and_every_fault(seed: int) -> None:
    made = plan(Options(series=8, minutes=3, seed=seed))
    assert {case.kind for case in made.cases} >= {"good", "duplicate", "late", "tilt"}
    assert {fault.kind for fault in made.faults} == {*FAULTS, *ONCE}


def test_what_is_wrong_with_a_series_is_in_what_comes_first(tmp_path: Path) -> None:
    for kind in BAD:
        scan = make(Case(kind, kind, 7, 0.0), tmp_path / kind)
        first = dcmread(scan.first[0])
        assert KINDS[kind].reason
        assert scan.second == []
        if kind == "truncated":
            assert len(first.PixelData) < first.Rows * first.Columns * 2
        if kind == "corrupt":
            assert "ImagePositionPatient" not in first
    gap = make(Case("gap", "gap", 8, 0.0), tmp_path / "again")
    below, above = (float(dcmread(path).ImagePositionPatient[2]) for path in gap.first[:2])
    assert above - below == pytest.approx(6.0)


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
def test_a_request_that_is_answered_otherwise_than_it_must_be_is_found(question: Question) -> None:
    people, answer = People(lambda _: None), Response()
    people.judge(question, None)
    answer.status_code = question.status
    people.judge(question, answer)
    assert (people.answered, people.troubles) == (1, set())
    answer.status_code = 200 if question.status != 200 else 403
    people.judge(question, answer)
    assert people.troubles == {f"{question} must be answered {question.status}, was {answer.status_code}"}


def test_late_slices_are_the_rest_and_duplicates_are_all(tmp_path: Path) -> None:
    late = make(Case("late", "late", 9, 0.0, 5.0), tmp_path / "late")
    assert (len(late.first), len(late.second)) == (EARLY_SLICES, SLICES - EARLY_SLICES)
    assert not set(late.first) & set(late.second)
    duplicate = make(Case("duplicate", "duplicate", 10, 0.0, 5.0), tmp_path / "duplicate")
    assert duplicate.first == duplicate.second


def test_a_small_disk_is_filled_and_freed_or_left_alone(tmp_path: Path) -> None:
    with SmallDisk(tmp_path / "disk", 1) as disk:
        if not disk.mounted:
            with pytest.raises(RuntimeError, match="not a disk of its own"):
                disk.fill()
            return
        disk.fill()
        with pytest.raises(OSError, match="No space left"):
            (disk.folder / "more").write_bytes(bytes(1 << 16))
        disk.free()
        (disk.folder / "more").write_bytes(bytes(1 << 16))
    assert list((tmp_path / "disk").iterdir()) == []


def test_somebody_elses_folder_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(RuntimeError, match="choose an empty folder"):
        soak(Options(folder=tmp_path), print)
    assert (tmp_path / "thesis.tex").exists()
